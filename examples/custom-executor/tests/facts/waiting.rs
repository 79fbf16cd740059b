//! Waiting for what another thread publishes, without sleeping.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use custom_executor::{Executor, JoinHandle};
use worker_metrics::Pool;

/// Looks until `is` holds; far longer than it may take, it fails.
#[track_caller]
pub(crate) fn until(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is() {
        assert!(Instant::now() < deadline, "not within a minute: {what}");
        thread::yield_now();
    }
}

/// Waits until every worker sleeps.
#[track_caller]
pub(crate) fn until_all_are_parked(pool: &Arc<Pool>) {
    until("all workers are parked", || pool.workers().iter().all(|worker| !worker.is_running()));
}

/// A task that was polled once and waits for a waker that it keeps, and never uses.
pub(crate) fn spawn_waiting(executor: &Executor) -> JoinHandle<()> {
    let kept = Mutex::new(None);
    executor.spawn(poll_fn(move |context| {
        *kept.lock().unwrap() = Some(context.waker().clone());
        Poll::Pending
    }))
}
