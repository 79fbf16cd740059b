//! A waker that notes when it woke.
//!
//! Made at a task's first poll, called from any thread. It must wake as the task's own waker does.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Wake, Waker};

use worker_metrics::Clock;

use crate::atomic::AtomicU64;

/// The waker of an instrumented task, around the one that it was polled with.
///
/// The first wake after the beginning of a poll counts: those after it find the task scheduled already.
struct StampingWaker {
    inner: Waker,
    clock: Clock,
    /// 0: not woken.
    woken_at_ns: AtomicU64,
}

impl StampingWaker {
    #[inline]
    fn stamp(&self) {
        if self.woken_at_ns.load(Relaxed) == 0 {
            let now_ns = self.clock.now_ns().max(1);
            // Another thread that wakes at the same time may be the first: either stamp is right.
            let _ = self.woken_at_ns.compare_exchange(0, now_ns, Relaxed, Relaxed);
        }
    }
}

impl Wake for StampingWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    // Waking publishes: what is stored before it is seen by the poll that follows.
    fn wake_by_ref(self: &Arc<Self>) {
        self.stamp();
        self.inner.wake_by_ref();
    }
}

/// The waker that a task hands out, and its stamp.
///
/// One for the life of the task, unless the task is polled by another waker: a clone of the old one that is still around then wakes
/// whatever it woke before, and stamps nothing here.
pub(super) struct TaskWaker {
    waker: Waker,
    stamping: Arc<StampingWaker>,
}

impl TaskWaker {
    /// **Cost**: one allocation.
    pub(super) fn new(inner: &Waker, clock: Clock) -> Self {
        let stamping =
            Arc::new(StampingWaker { inner: inner.clone(), clock, woken_at_ns: AtomicU64::new(0) });
        Self { waker: Waker::from(stamping.clone()), stamping }
    }

    #[inline]
    pub(super) fn wakes_as(&self, inner: &Waker) -> bool {
        self.stamping.inner.will_wake(inner)
    }

    #[inline]
    pub(super) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// When it was first woken since this was asked last.
    #[inline]
    pub(super) fn take_stamp(&self) -> Option<u64> {
        let woken_at_ns = Some(self.stamping.woken_at_ns.load(Relaxed)).filter(|at_ns| *at_ns > 0)?;
        // Nobody else writes to a stamp that is there, so that nothing is lost between the two.
        self.stamping.woken_at_ns.store(0, Relaxed);
        Some(woken_at_ns)
    }
}
