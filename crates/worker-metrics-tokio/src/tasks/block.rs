//! What one thread has measured while it ran one worker.
//!
//! Written by that thread alone, through its [`Writer`]; read by collectors. Writing must not lock,
//! allocate or panic.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::ThreadId;
use std::time::Duration;

use worker_metrics::histogram::{Histogram, HistogramWriter, Scale};

use super::polled::Sequence;
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
/// **Ordering**: whoever sees the same odd sequence before and after reads a poll, with all of its
/// parts. As the sequence follows them, and those of the next poll follow the end of this one, each
/// store of them releases and each load acquires. Everything else is relaxed.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Block {
    worker: Option<usize>,
    /// Odd during a poll.
    sequence: AtomicU64,
    /// When the poll that began last did.
    poll_began_at_ns: AtomicU64,
    /// Its group, plus 1; 0 for none.
    group: AtomicU64,
    /// Its location.
    location: AtomicU64,
    /// When the thread last began or ended a poll, parked or unparked.
    active_at_ns: AtomicU64,
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

    /// The poll in progress.
    pub(super) fn poll(&self) -> Option<Poll> {
        let sequence = self.sequence.load(Acquire);
        let group = usize::try_from(self.group.load(Acquire)).ok();
        let poll = Poll {
            group: group.and_then(|group| group.checked_sub(1)),
            location: self.location.load(Acquire),
            began_at_ns: self.poll_began_at_ns.load(Acquire),
        };
        let is_one = !sequence.is_multiple_of(2) && self.sequence.load(Relaxed) == sequence;
        is_one.then_some(poll)
    }

    /// A number that changes with each event.
    pub(super) fn signs_of_life(&self) -> u64 {
        self.sequence.load(Relaxed).wrapping_add(self.active_at_ns.load(Relaxed))
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
            sequence: AtomicU64::new(0),
            poll_began_at_ns: AtomicU64::new(0),
            group: AtomicU64::new(0),
            location: AtomicU64::new(0),
            active_at_ns: AtomicU64::new(0),
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
    pub(super) fn begin_poll(&mut self, measured: &Measured) {
        self.depth += 1;
        if self.depth > 1 {
            return;
        }
        let Measured { poll, .. } = measured;
        self.block.group.store(poll.group.map_or(0, |group| group as u64 + 1), Release);
        self.block.location.store(poll.location, Release);
        self.block.poll_began_at_ns.store(poll.began_at_ns, Release);
        self.step();
        self.active(poll.began_at_ns);
        if let Some(delay) = measured.delay_ns {
            if measured.counts_schedules {
                self.all.schedule.measure(delay);
            }
            if let Some(group) = poll.group.and_then(|group| self.groups.get_mut(group)) {
                group.schedule.measure(delay);
            }
        }
    }

    #[inline]
    pub(super) fn end_poll(&mut self, measured: &Measured, ended_at_ns: u64) {
        self.depth = self.depth.saturating_sub(1);
        if self.depth > 0 {
            return;
        }
        let Measured { poll, .. } = measured;
        let duration_ns = ended_at_ns.saturating_sub(poll.began_at_ns);
        if measured.counts_polls {
            self.all.poll.measure(duration_ns);
        }
        if let Some(group) = poll.group.and_then(|group| self.groups.get_mut(group)) {
            group.poll.measure(duration_ns);
        }
        self.active(ended_at_ns);
        self.step();
    }

    /// From a pause to a poll, or back.
    #[inline]
    fn step(&mut self) {
        let sequence = self.block.sequence.load(Relaxed);
        self.block.sequence.store(sequence.wrapping_add(1), Release);
    }
}

/// A poll while it is in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Poll {
    pub(super) group: Option<usize>,
    /// Address of the place where the task was spawned, or its future instrumented.
    pub(super) location: u64,
    pub(super) began_at_ns: u64,
}

/// One poll, as it is measured.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) poll: Poll,
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
    /// For how long the measured poll in progress has lasted.
    pub(crate) poll_age: Option<Duration>,
    /// The thread that polls and the poll that it is in, where hooks tell of every poll.
    pub(crate) sequence: Option<(ThreadId, Sequence)>,
    /// For how long nothing has happened: no poll began or ended, no park, no unpark.
    pub(crate) quiet_for: Option<Duration>,
    /// Whether hooks, or Tokio itself, tell who runs the worker, so that one look is enough.
    pub(crate) is_settled: bool,
}

impl Activity {
    /// Whether a poll is in progress.
    pub(crate) fn is_polling(&self) -> bool {
        self.poll_age.is_some() || self.sequence.is_some_and(|(_, sequence)| sequence.is_poll())
    }
}

/// What a reader may see of a block while its thread polls, in every order that the memory model
/// allows.
#[cfg(all(test, worker_metrics_loom))]
mod models {
    use loom::thread;

    use super::*;

    /// A poll whose parts all say which it is.
    fn poll(began_at_ns: u64) -> Poll {
        Poll { group: usize::try_from(began_at_ns).ok(), location: began_at_ns, began_at_ns }
    }

    /// A thread that makes two polls, from 10 to 20 and from 30 to 40.
    fn polling() -> (Arc<Block>, thread::JoinHandle<()>) {
        let mut writer = Writer::new(Some(0), &Scale::preset(), 0);
        let block = writer.block().clone();
        let polling = thread::spawn(move || {
            for began_at_ns in [10, 30] {
                let poll = poll(began_at_ns);
                let measured =
                    Measured { poll, delay_ns: None, counts_polls: false, counts_schedules: false };
                writer.begin_poll(&measured);
                writer.end_poll(&measured, began_at_ns + 10);
            }
        });
        (block, polling)
    }

    #[test]
    fn a_poll_is_read_whole_or_not_at_all() {
        loom::model(|| {
            let (block, polling) = polling();
            let seen = block.poll();
            assert!(seen.is_none_or(|seen| seen == poll(10) || seen == poll(30)), "torn: {seen:?}");
            polling.join().expect("the writer does not panic");
            assert_eq!((block.poll(), block.active_at_ns()), (None, 40));
        });
    }

    #[test]
    fn neither_activity_nor_a_poll_that_ended_comes_back() {
        loom::model(|| {
            let (block, polling) = polling();
            let seen = [0, 1].map(|_| (block.sequence.load(Acquire), block.active_at_ns()));
            assert!(seen[0].0 <= seen[1].0 && seen[0].1 <= seen[1].1, "{seen:?}");
            polling.join().expect("the writer does not panic");
        });
    }
}
