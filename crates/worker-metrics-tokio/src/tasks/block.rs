//! What one thread has measured while it ran one worker.
//!
//! Written by that thread alone, through its [`Writer`]; read by collectors. Writing must not lock,
//! allocate or panic.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::ThreadId;
use std::time::Duration;

use worker_metrics::histogram::{Histogram, HistogramWriter, Scale};

use crate::atomic::AtomicU64;
use crate::thread::Thread;

/// The histograms of one set of tasks.
#[derive(Debug)]
pub(super) struct Pair<H> {
    pub(super) poll: H,
    pub(super) schedule: H,
}

/// What readers see.
///
/// **Ordering**: all relaxed. The times and the group are right by themselves; a reader may see
/// those of two neighbouring polls.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Block {
    worker: Option<usize>,
    /// When the poll in progress began; 0 between two polls.
    poll_began_at_ns: AtomicU64,
    /// When the thread last began or ended a poll, parked or unparked.
    active_at_ns: AtomicU64,
    /// Index of the group of the poll that began last, plus 1; 0 for none.
    group: AtomicU64,
    pub(super) all: Pair<Arc<Histogram>>,
    pub(super) groups: Box<[Pair<Arc<Histogram>>]>,
    /// Written when the block changes hands.
    thread: Mutex<Option<Thread>>,
}

impl Block {
    /// The worker that the thread runs; `None` for a thread that runs none.
    pub(super) fn worker(&self) -> Option<usize> {
        self.worker
    }

    pub(super) fn active_at_ns(&self) -> u64 {
        self.active_at_ns.load(Relaxed)
    }

    /// When the poll in progress began.
    ///
    /// **Absent when** there is none.
    pub(super) fn poll_began_at_ns(&self) -> Option<u64> {
        Some(self.poll_began_at_ns.load(Relaxed)).filter(|began_at_ns| *began_at_ns > 0)
    }

    /// Index of the group of the poll in progress.
    pub(super) fn group(&self) -> Option<usize> {
        let group = usize::try_from(self.group.load(Relaxed)).ok()?;
        self.poll_began_at_ns().and(group.checked_sub(1))
    }

    /// The thread that has the writer, or had it last.
    pub(super) fn thread(&self) -> Option<Thread> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn is_of(&self, thread: ThreadId) -> bool {
        let ours = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        ours.as_ref().is_some_and(|ours| ours.id == thread)
    }

    pub(super) fn set_thread(&self, thread: Option<Thread>) {
        *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = thread;
    }
}

/// The right to write a block. It goes from a thread that has ended to the next that runs the same
/// worker.
#[derive(Debug)]
pub(super) struct Writer {
    block: Arc<Block>,
    all: Pair<HistogramWriter>,
    groups: Box<[Pair<HistogramWriter>]>,
    /// How many instrumented polls are under way on this thread, one within another.
    depth: u32,
}

impl Writer {
    pub(super) fn new(worker: Option<usize>, scale: &Scale, groups: usize) -> Self {
        let pair = || Pair {
            poll: HistogramWriter::new(Histogram::new(scale)),
            schedule: HistogramWriter::new(Histogram::new(scale)),
        };
        let shared = |pair: &Pair<HistogramWriter>| Pair {
            poll: pair.poll.histogram().clone(),
            schedule: pair.schedule.histogram().clone(),
        };
        let all = pair();
        let groups: Box<[_]> = std::iter::repeat_with(pair).take(groups).collect();
        let block = Block {
            worker,
            poll_began_at_ns: AtomicU64::new(0),
            active_at_ns: AtomicU64::new(0),
            group: AtomicU64::new(0),
            all: shared(&all),
            groups: groups.iter().map(shared).collect(),
            thread: Mutex::default(),
        };
        Self { block: Arc::new(block), all, groups, depth: 0 }
    }

    pub(super) fn block(&self) -> &Arc<Block> {
        &self.block
    }

    /// Whether a poll is under way.
    pub(super) fn is_polling(&self) -> bool {
        self.depth > 0
    }

    /// The thread is at work, or about to park.
    #[inline]
    pub(super) fn active(&mut self, now_ns: u64) {
        self.block.active_at_ns.store(now_ns, Relaxed);
    }

    /// A poll begins. One within another is part of that one, and is not counted.
    #[inline]
    pub(super) fn begin_poll(&mut self, poll: &Measured) {
        self.depth += 1;
        if self.depth > 1 {
            return;
        }
        self.block.group.store(poll.group.map_or(0, |group| group as u64 + 1), Relaxed);
        self.block.poll_began_at_ns.store(poll.began_at_ns.max(1), Relaxed);
        self.active(poll.began_at_ns);
        if let Some(delay) = poll.delay_ns {
            if poll.counts_schedules {
                self.all.schedule.measure(delay);
            }
            if let Some(group) = poll.group.and_then(|group| self.groups.get_mut(group)) {
                group.schedule.measure(delay);
            }
        }
    }

    #[inline]
    pub(super) fn end_poll(&mut self, poll: &Measured, ended_at_ns: u64) {
        self.depth = self.depth.saturating_sub(1);
        if self.depth > 0 {
            return;
        }
        let duration_ns = ended_at_ns.saturating_sub(poll.began_at_ns);
        if poll.counts_polls {
            self.all.poll.measure(duration_ns);
        }
        if let Some(group) = poll.group.and_then(|group| self.groups.get_mut(group)) {
            group.poll.measure(duration_ns);
        }
        self.active(ended_at_ns);
        self.block.poll_began_at_ns.store(0, Relaxed);
    }
}

/// One poll, as it is measured.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) group: Option<usize>,
    pub(super) began_at_ns: u64,
    /// For how long the task had been scheduled; `None` where it was polled without that, or nobody
    /// knows.
    pub(super) delay_ns: Option<u64>,
    /// Whether the totals are wanted: Tokio's own win where it keeps them.
    pub(super) counts_polls: bool,
    pub(super) counts_schedules: bool,
}

/// What a worker is doing, as far as its block tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Activity {
    /// For how long the poll in progress has lasted.
    pub(crate) poll_age: Option<Duration>,
    /// For how long nothing has happened: no poll began or ended, no park, no unpark.
    pub(crate) quiet_for: Option<Duration>,
    /// Whether hooks, or Tokio itself, tell who runs the worker, so that one look is enough.
    pub(crate) is_settled: bool,
}

/// What a reader may see of a block while its thread polls, in every order that the memory model
/// allows.
#[cfg(all(test, worker_metrics_loom))]
mod models {
    use loom::thread;

    use super::*;

    fn poll(group: usize, began_at_ns: u64) -> Measured {
        Measured {
            group: Some(group),
            began_at_ns,
            delay_ns: None,
            counts_polls: false,
            counts_schedules: false,
        }
    }

    #[test]
    fn a_poll_in_progress_is_one_that_has_begun_and_activity_never_goes_back() {
        loom::model(|| {
            let mut writer = Writer::new(Some(0), &Scale::preset(), 0);
            let block = writer.block().clone();
            let polling = thread::spawn(move || {
                for (group, began_at_ns) in [(0, 10), (1, 30)] {
                    let poll = poll(group, began_at_ns);
                    writer.begin_poll(&poll);
                    writer.end_poll(&poll, began_at_ns + 10);
                }
            });
            let seen = [0, 1].map(|_| (block.poll_began_at_ns(), block.active_at_ns()));
            assert!(seen.iter().all(|(began_at_ns, _)| matches!(began_at_ns, None | Some(10 | 30))));
            assert!(!matches!(seen, [(Some(30), _), (Some(10), _)]), "a poll that ended came back");
            assert!(seen[0].1 <= seen[1].1);
            polling.join().expect("the writer does not panic");
            assert_eq!((block.poll_began_at_ns(), block.active_at_ns(), block.group()), (None, 40, None));
        });
    }
}
