//! The writers that this thread has.
//!
//! Used at each instrumented poll and by the hooks. A thread has one for each
//! [`TaskMetrics`](super::TaskMetrics) that it serves, which is one in nearly every program, bound
//! to the worker that it runs.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Weak};

use super::block::Writer;
use super::shared::Shared;
use super::worker::current_worker;

thread_local! {
    static BOUND: RefCell<Vec<Bound>> = const { RefCell::new(Vec::new()) };
}

/// A writer while this thread has it; it is given back when the thread ends.
struct Bound {
    to: Weak<Shared>,
    writer: Option<Rc<RefCell<Writer>>>,
}

impl Bound {
    fn is_to(&self, shared: &Arc<Shared>) -> bool {
        std::ptr::eq(self.to.as_ptr(), Arc::as_ptr(shared))
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        let writer = self.writer.take().and_then(Rc::into_inner);
        if let (Some(shared), Some(writer)) = (self.to.upgrade(), writer) {
            shared.give_back(writer.into_inner());
        }
    }
}

/// The writer of the worker that this thread runs now. A poll keeps it to its end, so that it is
/// looked up once.
pub(super) struct Current(Rc<RefCell<Writer>>);

impl Current {
    /// A worker is not a thread: `block_in_place` hands it to another one. During a poll the writer
    /// stays the same. `None` when the thread is ending.
    #[inline]
    pub(super) fn of(shared: &Arc<Shared>) -> Option<Self> {
        let worker = current_worker();
        with_bound(|bound| {
            let known =
                bound.iter().find(|bound| bound.is_to(shared)).and_then(|bound| bound.writer.as_ref());
            let fits = |writer: &Writer| writer.is_polling() || writer.block().worker() == worker;
            match known {
                Some(known) if known.try_borrow().is_ok_and(|writer| fits(&writer)) => known.clone(),
                _ => rebind(bound, shared, worker),
            }
        })
        .map(Self)
    }

    #[inline]
    pub(super) fn write(&self, write: impl FnOnce(&mut Writer)) {
        if let Ok(mut writer) = self.0.try_borrow_mut() {
            write(&mut writer);
        }
    }
}

/// Gives the writer back: the thread runs no worker any more.
pub(super) fn unbind(shared: &Arc<Shared>) {
    with_bound(|bound| bound.retain(|bound| !bound.is_to(shared)));
}

#[inline]
fn with_bound<T>(run: impl FnOnce(&mut Vec<Bound>) -> T) -> Option<T> {
    BOUND.try_with(|bound| bound.try_borrow_mut().ok().map(|mut bound| run(&mut bound))).ok().flatten()
}

/// The only place that allocates and locks: once for each thread and worker.
#[cold]
fn rebind(bound: &mut Vec<Bound>, shared: &Arc<Shared>, worker: Option<usize>) -> Rc<RefCell<Writer>> {
    bound.retain(|bound| !bound.is_to(shared) && bound.to.strong_count() > 0);
    let writer = Rc::new(RefCell::new(shared.take_writer(worker)));
    bound.push(Bound { to: Arc::downgrade(shared), writer: Some(writer.clone()) });
    writer
}
