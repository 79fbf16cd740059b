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
/// The first wake after the stamp was taken counts: those after it find the task scheduled already.
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
/// One for the life of the task, unless the task is polled by another waker: a clone of the old one
/// that is still around then wakes whatever it woke before, and stamps nothing here.
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
    ///
    /// A wake that comes after Tokio has begun the poll, and before this is asked, may find the
    /// stamp of the wake before it and leave none. The poll that it causes then has no stamp.
    #[inline]
    pub(super) fn take_stamp(&self) -> Option<u64> {
        let woken_at_ns = self.stamping.woken_at_ns.swap(0, Relaxed);
        (woken_at_ns > 0).then_some(woken_at_ns)
    }
}

#[cfg(all(test, not(worker_metrics_loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_several_wakes_leaves_the_stamp_and_it_is_taken_once() {
        let clock = Clock::new();
        let waker = TaskWaker::new(Waker::noop(), clock);
        assert_eq!(waker.take_stamp(), None);
        waker.waker().wake_by_ref();
        let woken_by_ns = clock.now_ns().max(1);
        waker.waker().wake_by_ref();
        assert!(waker.take_stamp().is_some_and(|at_ns| at_ns <= woken_by_ns));
        assert_eq!(waker.take_stamp(), None);
    }
}

/// A task and its wakers in every order that the memory model allows. Run by `RUSTFLAGS="--cfg
/// worker_metrics_loom" cargo test -p worker-metrics-tokio --lib --release models`.
#[cfg(all(test, worker_metrics_loom))]
mod models {
    use std::sync::atomic::AtomicBool;
    use std::sync::atomic::Ordering::{AcqRel, Acquire};

    use loom::sync::atomic::AtomicUsize;
    use loom::thread;

    use super::*;

    /// Whether any order of events left a poll without a stamp. Not one of the atomics under test.
    static WITHOUT_STAMP: AtomicBool = AtomicBool::new(false);

    const NOTIFIED: usize = 1;
    const RUNNING: usize = 2;

    /// As much of Tokio's task as decides whether a wake causes a poll: its state.
    struct Task(Arc<AtomicUsize>);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_or(NOTIFIED, AcqRel);
        }
    }

    /// Polls while there is a wake; returns for each poll whether it had a stamp.
    fn poll_while_notified(state: &AtomicUsize, waker: &TaskWaker) -> Vec<bool> {
        let mut stamps = Vec::new();
        while state.load(Acquire) & NOTIFIED != 0 {
            // As Tokio does: what is notified becomes running.
            state.swap(RUNNING, AcqRel);
            stamps.push(waker.take_stamp().is_some());
            state.fetch_and(!RUNNING, AcqRel);
        }
        stamps
    }

    #[test]
    fn the_first_poll_has_a_stamp_and_a_poll_without_one_follows_another_at_once() {
        loom::model(|| {
            let state = Arc::new(AtomicUsize::new(0));
            let inner = Waker::from(Arc::new(Task(state.clone())));
            let task = Arc::new(TaskWaker::new(&inner, Clock::new()));
            let wakes = [0, 1].map(|_| {
                let task = task.clone();
                thread::spawn(move || task.waker().wake_by_ref())
            });
            let mut stamps = poll_while_notified(&state, &task);
            for wake in wakes {
                wake.join().expect("a wake does not panic");
            }
            stamps.extend(poll_while_notified(&state, &task));
            assert!(stamps.len() == 1 || stamps.len() == 2, "{stamps:?}");
            assert!(stamps[0], "the first poll is caused by a wake that found no stamp");
            // The second may have none: its wake came while the first poll was beginning, so that
            // the task was scheduled when that poll ended. `Instrumented` counts it from there.
            WITHOUT_STAMP.fetch_or(stamps.ends_with(&[false]), Relaxed);
        });
        assert!(WITHOUT_STAMP.load(Relaxed), "or nothing needs to be counted from the end of a poll");
    }
}
