//! The two pools that are watched.

use std::sync::Arc;

use custom_executor::{Executor, JobPool, StartError};

/// An executor and a thread pool; the tasks of the one wait for jobs of the other.
#[derive(Debug)]
pub(crate) struct Pools {
    pub(crate) executor: Executor,
    pub(crate) jobs: Arc<JobPool>,
    pub(crate) workers: usize,
}

impl Pools {
    pub(crate) fn start(workers: usize) -> Result<Self, StartError> {
        Ok(Self {
            executor: Executor::start("main", workers)?,
            jobs: Arc::new(JobPool::start("render", workers)?),
            workers,
        })
    }
}
