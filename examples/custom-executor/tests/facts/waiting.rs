//! Waiting for what another thread publishes, without sleeping.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use custom_executor::{Executor, JoinError, JoinHandle};
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

/// What a task or job ends with. Unlike `block_on` it fails where a wake was lost.
#[track_caller]
pub(crate) fn result_of<T>(mut handle: JoinHandle<T>) -> Result<T, JoinError> {
    let mut context = Context::from_waker(Waker::noop());
    let mut result = None;
    until("a task has a result", || {
        if let Poll::Ready(ready) = Pin::new(&mut handle).poll(&mut context) {
            result = Some(ready);
        }
        result.is_some()
    });
    result.unwrap()
}

/// Drops an executor, which a worker that does not wake up would hold up for good.
#[track_caller]
pub(crate) fn shut_down(executor: Executor) {
    let ending = thread::spawn(move || drop(executor));
    until("the executor is shut down", || ending.is_finished());
    ending.join().unwrap();
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
