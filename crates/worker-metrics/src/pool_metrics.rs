//! The values of a pool that belong to no single worker.
//!
//! Written by every thread that spawns or schedules; read by collectors. Nothing here may lock.

use std::sync::atomic::Ordering::Relaxed;

use crate::atomic::AtomicU64;

/// The pool-wide counters of an executor.
///
/// Unlike a worker's block it has many writers, so that an event is one `fetch_add` on a line that
/// the threads share. Each method says which threads those are.
///
/// **Ordering**: every access is `Relaxed`.
///
/// # Examples
///
/// ```
/// use worker_metrics::PoolMetrics;
///
/// let metrics = PoolMetrics::new();
/// metrics.task_spawned();
/// metrics.task_spawned();
/// metrics.task_completed();
/// assert_eq!((metrics.spawned_tasks_count(), metrics.alive_tasks_count()), (2, 1));
/// ```
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct PoolMetrics {
    spawned_tasks_count: AtomicU64,
    completed_tasks_count: AtomicU64,
    remote_schedule_count: AtomicU64,
    budget_forced_yield_count: AtomicU64,
    global_queue_depth: AtomicU64,
}

impl PoolMetrics {
    /// All zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A task was spawned. Called by the thread that spawns, before the task can run.
    #[inline]
    pub fn task_spawned(&self) {
        self.spawned_tasks_count.fetch_add(1, Relaxed);
    }

    /// A task ended: it completed, panicked or was dropped. Called by the thread where it ends.
    #[inline]
    pub fn task_completed(&self) {
        self.completed_tasks_count.fetch_add(1, Relaxed);
    }

    /// A task was scheduled from a thread that is no worker of the pool. Called by that thread.
    #[inline]
    pub fn scheduled_remotely(&self) {
        self.remote_schedule_count.fetch_add(1, Relaxed);
    }

    /// A task was made to yield because its budget was used up. Called by the worker that polls it.
    #[inline]
    pub fn yield_forced(&self) {
        self.budget_forced_yield_count.fetch_add(1, Relaxed);
    }

    /// Sets the length of the global queue. Called by whoever holds the queue's lock, or by a
    /// collector.
    #[inline]
    pub fn set_global_queue_depth(&self, len: usize) {
        self.global_queue_depth.store(len as u64, Relaxed);
    }

    /// Number of live tasks: spawned and not yet ended.
    #[must_use]
    pub fn alive_tasks_count(&self) -> u64 {
        // The ended ones first: a task that is spawned and ends between the two loads must not make
        // a negative number.
        let completed = self.completed_tasks_count.load(Relaxed);
        self.spawned_tasks_count.load(Relaxed).saturating_sub(completed)
    }

    /// Number of tasks spawned.
    #[must_use]
    pub fn spawned_tasks_count(&self) -> u64 {
        self.spawned_tasks_count.load(Relaxed)
    }

    /// Number of tasks scheduled from outside the pool.
    #[must_use]
    pub fn remote_schedule_count(&self) -> u64 {
        self.remote_schedule_count.load(Relaxed)
    }

    /// Number of times a task was made to yield.
    #[must_use]
    pub fn budget_forced_yield_count(&self) -> u64 {
        self.budget_forced_yield_count.load(Relaxed)
    }

    /// Length of the global queue, as last set.
    #[must_use]
    pub fn global_queue_depth(&self) -> u64 {
        self.global_queue_depth.load(Relaxed)
    }
}
