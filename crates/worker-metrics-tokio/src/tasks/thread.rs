//! The writers that this thread has.
//!
//! Used at each instrumented poll and by the hooks. A thread has one for each [`TaskMetrics`](super::TaskMetrics) that it serves,
//! which is one in nearly every program, bound to the worker that it runs.

use std::cell::RefCell;
use std::sync::{Arc, Weak};

use tokio::runtime::worker_index;

use super::block::Writer;
use super::shared::Shared;

thread_local! {
    static BOUND: RefCell<Vec<Bound>> = const { RefCell::new(Vec::new()) };
}

/// A writer while this thread has it; it is given back when the thread ends.
struct Bound {
    to: Weak<Shared>,
    writer: Option<Writer>,
}

impl Bound {
    fn is_to(&self, shared: &Arc<Shared>) -> bool {
        std::ptr::eq(self.to.as_ptr(), Arc::as_ptr(shared))
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        if let (Some(shared), Some(writer)) = (self.to.upgrade(), self.writer.take()) {
            shared.give_back(writer);
        }
    }
}

/// Runs `write` with the writer of the worker that this thread runs now.
///
/// A worker is not a thread: `block_in_place` hands it to another one. During a poll the writer stays the same. `None` when the
/// thread is ending.
#[inline]
pub(super) fn with_writer<T>(shared: &Arc<Shared>, write: impl FnOnce(&mut Writer) -> T) -> Option<T> {
    let worker = worker_index();
    with_bound(|bound| {
        let fits = |writer: &Writer| writer.is_polling() || writer.block().worker() == worker;
        if !writer_of(bound, shared).is_some_and(|writer| fits(writer)) {
            rebind(bound, shared, worker);
        }
        writer_of(bound, shared).map(write)
    })
    .flatten()
}

/// Runs `write` with the writer of the poll that is under way.
#[inline]
pub(super) fn with_current_writer(shared: &Arc<Shared>, write: impl FnOnce(&mut Writer)) {
    with_bound(|bound| {
        if let Some(writer) = writer_of(bound, shared) {
            write(writer);
        }
    });
}

#[inline]
fn writer_of<'a>(bound: &'a mut [Bound], shared: &Arc<Shared>) -> Option<&'a mut Writer> {
    bound.iter_mut().find(|bound| bound.is_to(shared)).and_then(|bound| bound.writer.as_mut())
}

/// Gives the writer back: the thread runs no worker any more.
pub(super) fn unbind(shared: &Arc<Shared>) {
    with_bound(|bound| bound.retain(|bound| !bound.is_to(shared)));
}

fn with_bound<T>(run: impl FnOnce(&mut Vec<Bound>) -> T) -> Option<T> {
    BOUND.try_with(|bound| bound.try_borrow_mut().ok().map(|mut bound| run(&mut bound))).ok().flatten()
}

/// The only place that allocates and locks: once for each thread and worker.
#[cold]
fn rebind(bound: &mut Vec<Bound>, shared: &Arc<Shared>, worker: Option<usize>) {
    bound.retain(|bound| !bound.is_to(shared) && bound.to.strong_count() > 0);
    bound.push(Bound { to: Arc::downgrade(shared), writer: Some(shared.take_writer(worker)) });
}
