//! A runtime or pool in a dump.

use worker_metrics::{Snapshot, Source};

use super::WorkerDump;
use crate::watchdog::{Sight, Witness};

/// A runtime or pool at one moment.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SourceDump {
    /// The namespace of its metrics.
    pub namespace: String,
    /// Its identifier.
    pub id: String,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// The flavor of its scheduler, if there are several.
    pub flavor: Option<&'static str>,
    /// Live tasks.
    pub task_count: Option<u64>,
    /// Tasks in the global queue.
    pub global_queue_size: Option<u64>,
    /// Tasks that wait for a thread of the blocking pool.
    pub blocking_queue_size: Option<u64>,
    /// The workers, in the order of their index.
    pub workers: Vec<WorkerDump>,
}

impl SourceDump {
    /// The source as it is now, and what there is to see of the thread of each worker, to be named.
    pub(super) fn see(source: &dyn Source, witness: &mut Witness) -> (Self, Vec<Sight>) {
        let identity = source.identity();
        let mut snapshot = Snapshot::new();
        source.collect(&mut snapshot);
        let workers = snapshot.workers().iter().enumerate();
        let (workers, sights) =
            workers.map(|(index, of)| WorkerDump::see(source, index, of, witness)).unzip();
        let source = Self {
            namespace: identity.namespace.to_string(),
            id: identity.id.clone(),
            name: identity.name.clone(),
            flavor: identity.flavor,
            task_count: snapshot.alive_task_count,
            global_queue_size: snapshot.global_queue_depth,
            blocking_queue_size: snapshot.blocking_queue_depth,
            workers,
        };
        (source, sights)
    }
}
