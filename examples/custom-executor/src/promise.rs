//! The end of a task or job that owes the result.
//!
//! Lives inside the task. However the task ends, the promise is dropped once, and that is the end
//! which the pool counts.

use std::sync::Arc;

use worker_metrics::Pool;

use crate::join::{Join, JoinError};

/// What a join handle waits for; where it is dropped without a result, the task was dropped.
#[derive(Debug)]
pub(crate) struct Promise<T> {
    join: Arc<Join<T>>,
    pool: Arc<Pool>,
    result: Option<Result<T, JoinError>>,
}

impl<T> Promise<T> {
    /// A task was spawned on `pool`.
    pub(crate) fn new(pool: &Arc<Pool>) -> Self {
        pool.metrics().task_spawned();
        Self { join: Arc::new(Join::new()), pool: Arc::clone(pool), result: None }
    }

    pub(crate) fn join(&self) -> &Arc<Join<T>> {
        &self.join
    }

    pub(crate) fn keep(mut self, result: Result<T, JoinError>) {
        self.result = Some(result);
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        // First, so that whoever learns the result finds the task gone.
        self.pool.metrics().task_completed();
        self.join.finish(self.result.take().unwrap_or(Err(JoinError::Dropped)));
    }
}
