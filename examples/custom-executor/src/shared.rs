//! What the workers of an executor, its handles and its tasks share.
//!
//! Reached from any thread. It must not keep a task after the shutdown, or task and executor would
//! keep each other for good.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;

use crossbeam_deque::Stealer;
use worker_metrics::Pool;

use crate::idle::Idle;
use crate::local::Local;
use crate::queue::Queue;
use crate::task::Task;
use crate::tasks::Tasks;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) pool: Arc<Pool>,
    pub(crate) global: Queue<Arc<Task>>,
    /// The other end of each worker's queue, in the order of their index.
    pub(crate) stealers: Vec<Stealer<Arc<Task>>>,
    pub(crate) idle: Idle,
    pub(crate) tasks: Tasks,
    stopped: AtomicBool,
}

impl Shared {
    pub(crate) fn new(pool: Arc<Pool>, stealers: Vec<Stealer<Arc<Task>>>, idle: Idle) -> Self {
        let global = Queue::new(Arc::clone(&pool));
        Self { pool, global, stealers, idle, tasks: Tasks::new(), stopped: AtomicBool::new(false) }
    }

    /// Puts a task that was woken into a queue: the worker's own where a worker of this executor
    /// does it, else the global one.
    pub(crate) fn schedule(self: &Arc<Self>, task: Arc<Task>) {
        task.scheduled_at(self.pool.clock().now_ns());
        match Local::current(self) {
            Some(local) => local.push(task),
            None => {
                self.pool.metrics().scheduled_remotely();
                self.global.push(task);
            }
        }
        self.idle.notify_one();
    }

    /// Whether a worker that is about to sleep must not.
    pub(crate) fn has_work(&self) -> bool {
        self.is_stopped() || !self.global.is_empty() || self.stealers.iter().any(|queue| !queue.is_empty())
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(SeqCst)
    }

    /// Tells the workers to end after the poll that they are in.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, SeqCst);
        self.idle.notify_all();
    }
}
