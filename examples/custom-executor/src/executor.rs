//! The executor: starting, spawning, stopping.
//!
//! Called by the program. Dropping it ends every thread and every task that it started.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread;

use crossbeam_deque::Worker as Deque;
use worker_metrics::histogram::Scale;
use worker_metrics::{Namespace, Pool, WorkerConfig};

use crate::error::StartError;
use crate::idle::Idle;
use crate::join::{JoinError, JoinHandle};
use crate::promise::Promise;
use crate::quietly::quietly;
use crate::shared::Shared;
use crate::task::Task;
use crate::threads::join_others;
use crate::worker::Worker;

/// A work-stealing executor whose workers fill every field of
/// [`WorkerMetrics`](worker_metrics::WorkerMetrics).
///
/// Dropping it is the shutdown: each worker ends after the poll that it is in, its thread is
/// joined, and all tasks are dropped.
///
/// # Examples
///
/// ```
/// use custom_executor::{Executor, block_on};
///
/// let executor = Executor::start("main", 2)?;
/// let pool = executor.pool().clone();
/// let answer = executor.spawn(async { 6 * 7 });
/// assert_eq!(block_on(answer)?, 42);
///
/// drop(executor); // its workers have submitted everything now
/// let polls: u64 = pool.workers().iter().map(|worker| worker.poll_count()).sum();
/// assert_eq!(polls, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Executor {
    handle: Handle,
    threads: Vec<thread::JoinHandle<Option<Deque<Arc<Task>>>>>,
}

impl Executor {
    /// The namespace of its metrics.
    pub const NAMESPACE: &str = "custom_executor";

    /// Starts the threads.
    ///
    /// # Errors
    ///
    /// [`StartError`] if there are no workers, the name is empty, or the system gives no thread.
    pub fn start(name: &str, workers: usize) -> Result<Self, StartError> {
        let config = WorkerConfig::new()
            .with_poll_time_histogram(Scale::preset())
            .with_schedule_latency_histogram(Scale::preset())
            .with_microstates();
        let (pool, batches) = Pool::builder(name)
            .namespace(Namespace::new(Self::NAMESPACE)?)
            .workers(workers)
            .config(config)
            .build()?;

        let queues: Vec<_> = batches.iter().map(|_| Deque::new_fifo()).collect();
        let stealers = queues.iter().map(Deque::stealer).collect();
        let (idle, beds) = Idle::new(workers);
        let shared = Arc::new(Shared::new(Arc::new(pool), stealers, idle));
        // From here on, since dropping it stops the threads if one of them does not start.
        let mut executor = Self { handle: Handle { shared }, threads: Vec::with_capacity(workers) };
        for (index, ((batch, queue), bed)) in batches.into_iter().zip(queues).zip(beds).enumerate() {
            let worker = Worker { shared: Arc::clone(&executor.handle.shared), index, queue, batch, bed };
            let thread =
                thread::Builder::new().name(format!("{name}-{index}")).spawn(move || worker.run())?;
            executor.threads.push(thread);
        }
        Ok(executor)
    }

    /// What the workers do, to be attached to an instrumentation.
    #[must_use]
    pub fn pool(&self) -> &Arc<Pool> {
        &self.handle.shared.pool
    }

    /// A handle for tasks and threads that spawn.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// [`Handle::spawn`].
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.handle.spawn(future)
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        let shared = &self.handle.shared;
        let tasks = shared.tasks.close();
        shared.stop();
        let queues = join_others(self.threads.drain(..));
        // No task is polled any more. One that is dropped may wake another: all are over before the
        // first is dropped.
        tasks.iter().for_each(|task| task.finish());
        tasks.iter().for_each(|task| task.cancel());
        drop(queues);
        drop(shared.global.close());
        shared.pool.workers().iter().for_each(|worker| worker.set_queue_depth(0));
    }
}

/// Spawns onto an executor, from any thread.
#[derive(Clone, Debug)]
pub struct Handle {
    shared: Arc<Shared>,
}

impl Handle {
    /// Begins a task. On an executor that is shut down it is dropped at once.
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let promise = Promise::new(&self.shared.pool);
        let join = Arc::clone(promise.join());
        let task = Task::new(Arc::clone(&self.shared), async move {
            let result = caught(future).await;
            promise.keep(result);
        });
        let handle = JoinHandle::new(join, Arc::downgrade(&task));
        if self.shared.tasks.insert(&task) {
            std::task::Wake::wake(task);
        }
        handle
    }
}

/// The result of a future, or its panic. The future is dropped before either is told.
async fn caught<F: Future>(future: F) -> Result<F::Output, JoinError> {
    let mut future = pin!(future);
    poll_fn(|context| match quietly(|| future.as_mut().poll(context)) {
        Ok(Poll::Ready(result)) => Poll::Ready(Ok(result)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(payload) => Poll::Ready(Err(JoinError::panicked(&*payload))),
    })
    .await
}
