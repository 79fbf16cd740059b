//! Yielding of a task's own accord.
//!
//! Called inside tasks. It counts as no forced yield.

use std::future::poll_fn;
use std::task::Poll;

/// Lets the other tasks of the worker run first.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
