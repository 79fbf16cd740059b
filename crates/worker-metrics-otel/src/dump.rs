//! What every worker of every source does at one moment.
//!
//! Made on request, on the thread that asks. It must answer while every worker is blocked.

mod page;
mod source;
mod worker;

pub use source::SourceDump;
pub use worker::WorkerDump;

use std::sync::Arc;
use std::time::SystemTime;

use crate::source::Attached;
use crate::watchdog::Witness;

/// What every worker of every attached source does at one moment, stuck or not.
///
/// [`Instrumentation::dump`](crate::Instrumentation::dump) makes it. Its `Display` is a page for a
/// person to read; with the feature `serde` it can be serialized, as JSON for example.
///
/// # Examples
///
/// ```
/// use worker_metrics::Pool;
/// use worker_metrics_otel::Instrumentation;
///
/// let workers = Instrumentation::default();
/// let (pool, batches) = Pool::builder("render").workers(2).build()?;
/// let render = workers.attach(pool)?;
/// println!("{}", workers.dump());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Dump {
    /// When it was made.
    #[cfg_attr(feature = "serde", serde(serialize_with = "worker::as_unix_seconds"))]
    pub made_at: SystemTime,
    /// The number of the process.
    pub process_id: u32,
    /// The attached sources, in the order in which they were attached.
    pub sources: Vec<SourceDump>,
}

impl Dump {
    pub(crate) fn of(sources: &[Arc<Attached>], witness: &mut Witness) -> Self {
        let made_at = SystemTime::now();
        // Names take their time: everything is seen before any is looked up.
        let mut see = |attached: &Arc<Attached>| attached.ask(|source| SourceDump::see(source, witness));
        let mut seen: Vec<_> = sources.iter().filter_map(&mut see).collect();
        for (source, sights) in &mut seen {
            for (worker, sight) in source.workers.iter_mut().zip(sights.drain(..)) {
                worker.name(witness.name(sight));
            }
        }
        let sources = seen.into_iter().map(|(source, _)| source).collect();
        Self { made_at, process_id: std::process::id(), sources }
    }
}
