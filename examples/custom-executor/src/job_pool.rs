//! A plain thread pool: jobs instead of polls, one queue for all.
//!
//! Called by the program. It shows what of the metrics has a meaning without tasks that wait: the
//! rest is left out.

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use worker_metrics::histogram::Scale;
use worker_metrics::{Batch, Metric, Pool, WorkerConfig};

use crate::error::StartError;
use crate::idle::{Bed, Idle};
use crate::join::{JoinError, JoinHandle};
use crate::promise::Promise;
use crate::queue::Queue;
use crate::quietly::quietly;
use crate::threads::join_others;

/// A thread pool whose workers record their jobs as polls.
///
/// Dropping it is the shutdown: each worker ends after the job that it is in, and the jobs that
/// wait are dropped.
///
/// # Examples
///
/// ```
/// use custom_executor::{JobPool, block_on};
///
/// let jobs = JobPool::start("render", 2)?;
/// assert_eq!(block_on(jobs.submit(|| 6 * 7))?, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct JobPool {
    shared: Arc<Shared>,
    threads: Vec<thread::JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    pool: Arc<Pool>,
    queue: Queue<Job>,
    idle: Idle,
    stopped: AtomicBool,
}

struct Job {
    run: Box<dyn FnOnce() + Send>,
    submitted_at_ns: u64,
}

impl JobPool {
    /// What has no meaning where jobs wait in one queue and run to their end.
    pub const WITHOUT: [Metric; 7] = [
        Metric::WorkerLocalQueueSize,
        Metric::WorkerStolenTasks,
        Metric::WorkerStealOperations,
        Metric::WorkerLocalSchedules,
        Metric::WorkerOverflows,
        Metric::TaskForcedYields,
        // Every job is scheduled once, through the one queue: `task.spawned` has told already.
        Metric::TaskRemoteSchedules,
    ];

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
        let builder = Pool::builder(name).workers(workers).config(config);
        let (pool, batches) = Self::WITHOUT.iter().fold(builder, |b, &metric| b.without(metric)).build()?;

        let pool = Arc::new(pool);
        let (idle, beds) = Idle::new(workers);
        let queue = Queue::new(Arc::clone(&pool));
        let shared = Arc::new(Shared { pool, queue, idle, stopped: AtomicBool::new(false) });
        // From here on, since dropping it stops the threads if one of them does not start.
        let mut jobs = Self { shared, threads: Vec::with_capacity(workers) };
        for (index, (batch, bed)) in batches.into_iter().zip(beds).enumerate() {
            let shared = Arc::clone(&jobs.shared);
            let thread = thread::Builder::new()
                .name(format!("{name}-{index}"))
                .spawn(move || work(&shared, batch, &bed))?;
            jobs.threads.push(thread);
        }
        Ok(jobs)
    }

    /// What the workers do, to be attached to an instrumentation.
    #[must_use]
    pub fn pool(&self) -> &Arc<Pool> {
        &self.shared.pool
    }

    /// Queues a job.
    pub fn submit<T, F>(&self, job: F) -> JoinHandle<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let promise = Promise::new(&self.shared.pool);
        let handle = JoinHandle::new(Arc::clone(promise.join()), Weak::new());
        let run = Box::new(move || {
            let result = quietly(job);
            promise.keep(result.map_err(|payload| JoinError::panicked(&*payload)));
        });
        self.shared.queue.push(Job { run, submitted_at_ns: self.shared.pool.clock().now_ns() });
        self.shared.idle.notify_one();
        handle
    }
}

fn work(shared: &Shared, mut batch: Batch, bed: &Bed) {
    batch.metrics().set_thread(&thread::current());
    let clock = batch.clock();
    while !shared.stopped.load(SeqCst) {
        let Some(job) = shared.queue.pop() else {
            shared.idle.park(bed, &mut batch, || !shared.queue.is_empty() || shared.stopped.load(SeqCst));
            continue;
        };
        let now_ns = clock.now_ns();
        batch.scheduled_for(Duration::from_nanos(now_ns.saturating_sub(job.submitted_at_ns)));
        batch.start_poll_at(now_ns);
        // What the job panics with is in its join handle.
        _ = quietly(job.run);
        let now_ns = clock.now_ns();
        batch.end_poll_at(now_ns);
        // After each: a job is long against the cost of a submit.
        batch.submit_at(now_ns);
    }
}

impl Drop for JobPool {
    fn drop(&mut self) {
        self.shared.stopped.store(true, SeqCst);
        self.shared.idle.notify_all();
        join_others(self.threads.drain(..));
        drop(self.shared.queue.close());
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("submitted_at_ns", &self.submitted_at_ns).finish_non_exhaustive()
    }
}
