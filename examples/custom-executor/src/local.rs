//! What belongs to one worker thread: its queue and its batch.
//!
//! Used by the worker and, while it polls, by the wakers that run inside the task. A borrow of the
//! batch never spans code that is not ours.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use crossbeam_deque::Worker as Deque;
use worker_metrics::Batch;

use crate::shared::Shared;
use crate::task::Task;

/// Most tasks in a worker's own queue, as in Tokio's multi-thread scheduler.
pub const LOCAL_CAPACITY: usize = 256;

#[derive(Debug)]
pub(crate) struct Local {
    shared: Arc<Shared>,
    queue: Deque<Arc<Task>>,
    pub(crate) batch: RefCell<Batch>,
    /// What the poll in progress may still do; `None` once it was made to yield.
    pub(crate) budget: Cell<Option<u32>>,
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<Local>>> = const { RefCell::new(None) };
}

impl Local {
    /// Makes this thread a worker's.
    pub(crate) fn enter(shared: Arc<Shared>, queue: Deque<Arc<Task>>, batch: Batch) -> Rc<Self> {
        let local = Rc::new(Self { shared, queue, batch: RefCell::new(batch), budget: Cell::new(None) });
        CURRENT.set(Some(Rc::clone(&local)));
        local
    }

    /// This thread is no worker's any more. The batch is dropped; the queue lives on, its tasks
    /// with it.
    pub(crate) fn leave(self: Rc<Self>) -> Option<Deque<Arc<Task>>> {
        drop(CURRENT.take());
        Rc::into_inner(self).map(|local| local.queue)
    }

    /// The worker that this thread runs, of whatever executor.
    pub(crate) fn any() -> Option<Rc<Self>> {
        CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
    }

    /// The worker that this thread runs, if it is one of this executor.
    pub(crate) fn current(shared: &Arc<Shared>) -> Option<Rc<Self>> {
        Self::any().filter(|local| Arc::ptr_eq(&local.shared, shared))
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Schedules a task here. A full queue hands its older half over to the global one.
    pub(crate) fn push(&self, task: Arc<Task>) {
        self.batch.borrow_mut().scheduled_locally();
        if self.queue.len() < LOCAL_CAPACITY {
            self.queue.push(task);
        } else {
            self.overflow(task);
        }
        self.publish_depth();
    }

    /// Takes in tasks that were scheduled elsewhere.
    pub(crate) fn take_in(&self, tasks: impl IntoIterator<Item = Arc<Task>>) {
        for task in tasks {
            self.queue.push(task);
        }
        self.publish_depth();
    }

    pub(crate) fn pop(&self) -> Option<Arc<Task>> {
        let task = self.queue.pop();
        self.publish_depth();
        task
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    fn overflow(&self, task: Arc<Task>) {
        self.batch.borrow_mut().overflowed();
        // Thieves may be quicker: then fewer go.
        let mut moved: Vec<_> = std::iter::from_fn(|| self.queue.pop()).take(LOCAL_CAPACITY / 2).collect();
        moved.push(task);
        self.shared.global.extend(moved);
    }

    /// The owner alone writes it: a thief's late store would stand in a worker that sleeps.
    fn publish_depth(&self) {
        self.batch.borrow().metrics().set_queue_depth(self.queue.len());
    }
}
