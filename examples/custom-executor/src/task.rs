//! A spawned future, and its waker.
//!
//! Wakers on any thread schedule it, one worker at a time polls it. Neither a poll nor a drop of
//! the future may take a worker down with it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::task::{Context, Poll, Wake};

use crate::quietly::quietly;
use crate::shared::Shared;
use crate::state::{Next, State};

/// A future whose result goes to a join handle.
type Erased = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A future on its way through the executor.
pub(crate) struct Task {
    id: u64,
    state: State,
    aborted: AtomicBool,
    scheduled_at_ns: AtomicU64,
    /// Never waited for: the state lets one worker in at a time. It stands for the `unsafe` that
    /// forbids itself here.
    future: Mutex<Option<Erased>>,
    shared: Arc<Shared>,
}

impl Task {
    pub(crate) fn new(shared: Arc<Shared>, future: impl Future<Output = ()> + Send + 'static) -> Arc<Self> {
        Arc::new(Self {
            id: shared.tasks.next_id(),
            state: State::new(),
            aborted: AtomicBool::new(false),
            scheduled_at_ns: AtomicU64::new(0),
            future: Mutex::new(Some(Box::pin(future))),
            shared,
        })
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Notes when the task was put into a queue, on the pool's clock.
    pub(crate) fn scheduled_at(&self, now_ns: u64) {
        // The queue hands it over to whoever takes the task.
        self.scheduled_at_ns.store(now_ns, Relaxed);
    }

    /// When it was scheduled, if it may be polled; a task that was aborted is dropped here instead.
    pub(crate) fn start(&self) -> Option<u64> {
        if !self.state.start() {
            return None;
        }
        // Only now: what aborts it while this worker begins would be lost, since it finds the task
        // scheduled already.
        if self.aborted.load(Relaxed) {
            self.cancel();
            return None;
        }
        Some(self.scheduled_at_ns.load(Relaxed))
    }

    /// Polls the future once; only after [`start`](Self::start).
    pub(crate) fn poll(&self, context: &mut Context<'_>) -> Next {
        let mut future = self.future.lock().unwrap_or_else(PoisonError::into_inner);
        let polled = match future.as_mut() {
            Some(future) => quietly(|| future.as_mut().poll(context)),
            None => Ok(Poll::Ready(())),
        };
        drop(future);
        let next = if matches!(polled, Ok(Poll::Pending)) { self.state.pend() } else { Next::Done };
        if next == Next::Done {
            self.cancel();
        }
        next
    }

    /// Asks a worker to drop the future instead of polling it.
    pub(crate) fn abort(self: &Arc<Self>) {
        self.aborted.store(true, Relaxed);
        self.wake_by_ref();
    }

    /// From now on no waker schedules the task.
    pub(crate) fn finish(&self) {
        self.state.finish();
    }

    /// Drops the future, unless a worker is polling it: that one does it then.
    pub(crate) fn cancel(&self) {
        self.finish();
        let future = match self.future.try_lock() {
            Ok(mut future) => future.take(),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().take(),
            Err(TryLockError::WouldBlock) => None,
        };
        // It may panic in there, which concerns its join handle alone.
        _ = quietly(|| drop(future));
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        if self.state.wake() {
            let shared = Arc::clone(&self.shared);
            shared.schedule(self);
        }
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.wake() {
            self.shared.schedule(Arc::clone(self));
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.cancel();
        self.shared.tasks.remove(self.id);
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("id", &self.id).field("state", &self.state).finish_non_exhaustive()
    }
}
