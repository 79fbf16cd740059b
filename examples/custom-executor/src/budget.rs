//! How much a task may do in one poll.
//!
//! Called by every operation that may be ready again and again. It must let everything through on
//! threads that are no worker's.

use std::future::poll_fn;
use std::task::{Context, Poll};

use crate::local::Local;

/// Operations of one poll, as in Tokio.
pub const BUDGET: u32 = 128;

/// One operation of the task that runs: it yields here once its poll has done [`BUDGET`] of them.
///
/// A channel or a socket would do this before each read. Outside a worker it is ready at once.
pub async fn consume_budget() {
    poll_fn(proceed).await;
}

fn proceed(context: &mut Context<'_>) -> Poll<()> {
    let Some(worker) = Local::any() else { return Poll::Ready(()) };
    match worker.budget.get() {
        Some(left @ 1..) => {
            worker.budget.set(Some(left - 1));
            return Poll::Ready(());
        }
        // Once for each poll, however many operations are refused.
        Some(0) => worker.shared().pool.metrics().yield_forced(),
        None => {}
    }
    worker.budget.set(None);
    context.waker().wake_by_ref();
    Poll::Pending
}
