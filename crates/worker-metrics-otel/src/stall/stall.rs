//! A stall of a worker, for a person to read.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use worker_metrics::{Identity, WorkerInfo};

/// A stall that a watchdog has just seen, and which may still go on.
///
/// Its `Display` is one sentence that says all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stall {
    /// The runtime or pool.
    pub identity: Identity,
    /// The index of the worker.
    pub worker: usize,
    /// Time for which the worker had published no progress when it was seen.
    pub age: Duration,
    /// The name of the worker's thread, where the source knows it.
    pub thread_name: Option<Arc<str>>,
    /// The group of the task that the worker polls, where the source knows it.
    pub task_group: Option<Arc<str>>,
}

impl Stall {
    pub(crate) fn new(identity: &Identity, worker: usize, age: Duration, info: WorkerInfo) -> Self {
        let WorkerInfo { thread_name, task_group, .. } = info;
        Self { identity: identity.clone(), worker, age, thread_name, task_group }
    }
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Identity { namespace, id, name, .. } = &self.identity;
        write!(f, "worker {} of ", self.worker)?;
        match name {
            Some(name) => write!(f, "{name:?} ({namespace}, id {id})")?,
            None => write!(f, "{namespace} {id}")?,
        }
        write!(f, " has been stuck for {:.2} s", self.age.as_secs_f64())?;
        if let Some(group) = &self.task_group {
            write!(f, ", in a task of the group {group:?}")?;
        }
        if let Some(thread) = &self.thread_name {
            write!(f, ", on the thread {thread:?}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use worker_metrics::{Pool, Source};

    use super::*;

    #[test]
    fn a_stall_reads_as_one_sentence() {
        let (pool, _batches) = Pool::builder("render").workers(1).build().unwrap();
        let mut identity = pool.identity().clone();
        identity.id = "7".to_owned();
        let age = Duration::from_millis(1_254);
        let stall = Stall::new(&identity, 2, age, WorkerInfo::default());
        assert_eq!(stall.to_string(), "worker 2 of \"render\" (worker_pool, id 7) has been stuck for 1.25 s");
        let info = WorkerInfo::default().with_thread_name("render-2").with_task_group("thumbnails");
        identity.name = None;
        assert_eq!(
            Stall::new(&identity, 2, age, info).to_string(),
            "worker 2 of worker_pool 7 has been stuck for 1.25 s, in a task of the group \"thumbnails\", on the thread \
             \"render-2\""
        );
    }
}
