//! What the handles, the futures and the threads of one [`TaskMetrics`](super::TaskMetrics) share.
//!
//! Its lock is taken when a thread begins or ends to run a worker, and for a moment at each
//! collection; never around a poll.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use worker_metrics::Clock;
use worker_metrics::histogram::Scale;

use super::block::{Block, Measured, Poll, Writer};
use super::polled::Polled;
use crate::thread::Thread;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) clock: Clock,
    pub(super) scale: Scale,
    pub(super) groups: Vec<Arc<str>>,
    counts_polls: AtomicBool,
    counts_schedules: AtomicBool,
    /// Whether the hooks were installed on a builder.
    is_hooked: AtomicBool,
    blocks: Mutex<Blocks>,
    polled: Mutex<PolledThreads>,
}

/// The threads that poll the runtime's tasks, where hooks tell.
#[derive(Debug, Default)]
pub(super) struct PolledThreads {
    /// Counts the changes.
    version: u64,
    all: Vec<Arc<Polled>>,
}

impl PolledThreads {
    pub(super) fn all(&self) -> &[Arc<Polled>] {
        &self.all
    }
}

#[derive(Debug, Default)]
struct Blocks {
    /// Every block that was ever made: they hold totals, and are reused.
    all: Vec<Arc<Block>>,
    /// Writers that no thread has at the moment.
    spare: Vec<Writer>,
}

impl Shared {
    pub(super) fn new(scale: Scale, groups: Vec<Arc<str>>) -> Self {
        Self {
            clock: Clock::new(),
            scale,
            groups,
            counts_polls: AtomicBool::new(true),
            counts_schedules: AtomicBool::new(true),
            is_hooked: AtomicBool::new(false),
            blocks: Mutex::default(),
            polled: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Blocks> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A poll that begins now, after `scheduled_at_ns`.
    #[inline]
    pub(super) fn measure(
        &self,
        group: Option<usize>,
        location: u64,
        scheduled_at_ns: Option<u64>,
    ) -> Measured {
        let began_at_ns = self.clock.now_ns();
        Measured {
            poll: Poll { group, location, began_at_ns },
            delay_ns: scheduled_at_ns.map(|at_ns| began_at_ns.saturating_sub(at_ns)),
            counts_polls: self.counts_polls.load(Relaxed),
            counts_schedules: self.counts_schedules.load(Relaxed),
        }
    }

    /// Leaves the totals to Tokio where it keeps them.
    pub(super) fn leave_to_tokio(&self, polls: bool, schedules: bool) {
        self.counts_polls.store(!polls, Relaxed);
        self.counts_schedules.store(!schedules, Relaxed);
    }

    pub(super) fn hooked(&self) {
        self.is_hooked.store(true, Relaxed);
    }

    pub(super) fn is_hooked(&self) -> bool {
        self.is_hooked.load(Relaxed)
    }

    /// The right to write for a worker, on this thread.
    pub(super) fn take_writer(&self, worker: Option<usize>) -> Writer {
        let writer = {
            let mut blocks = self.lock();
            let spare = blocks.spare.iter().position(|spare| spare.block().worker() == worker);
            spare.map(|spare| blocks.spare.swap_remove(spare)).unwrap_or_else(|| {
                let writer = Writer::new(worker, &self.scale, self.groups.len());
                blocks.all.push(writer.block().clone());
                writer
            })
        };
        writer.block().set_thread(Thread::current());
        writer
    }

    pub(super) fn give_back(&self, writer: Writer) {
        self.lock().spare.push(writer);
    }

    fn lock_polled(&self) -> MutexGuard<'_, PolledThreads> {
        self.polled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add_polled(&self, polled: Arc<Polled>) {
        let mut threads = self.lock_polled();
        threads.version += 1;
        threads.all.push(polled);
    }

    pub(super) fn remove_polled(&self, polled: &Arc<Polled>) {
        let mut threads = self.lock_polled();
        threads.version += 1;
        threads.all.retain(|other| !Arc::ptr_eq(other, polled));
    }

    /// Brings the threads that are known up to date.
    pub(super) fn polled_into(&self, known: &mut PolledThreads) {
        let threads = self.lock_polled();
        if threads.version != known.version {
            known.version = threads.version;
            known.all.clone_from(&threads.all);
        }
    }

    /// Adds the blocks that were made since to those that are known.
    pub(super) fn extend(&self, known: &mut Vec<Arc<Block>>) {
        let blocks = self.lock();
        known.extend(blocks.all.iter().skip(known.len()).cloned());
    }
}

#[cfg(test)]
mod tests {
    use super::super::thread::Current;
    use super::*;

    #[test]
    fn the_writer_of_a_thread_that_has_ended_goes_to_the_next_that_runs_the_worker() {
        let shared = Arc::new(Shared::new(Scale::preset(), Vec::new()));
        let block = |worker: Option<usize>| {
            let writer = shared.take_writer(worker);
            let block = Arc::as_ptr(writer.block());
            shared.give_back(writer);
            block
        };
        let first = block(Some(0));
        assert_eq!(block(Some(0)), first);
        assert_ne!(block(Some(1)), first);
        assert_ne!(block(None), first);
        let held = shared.take_writer(Some(0));
        assert_ne!(block(Some(0)), first, "two threads that run one worker have a block each");
        let mut known = Vec::new();
        shared.extend(&mut known);
        shared.extend(&mut known);
        assert_eq!(known.len(), 4);
        drop(held);
    }

    #[test]
    fn a_thread_that_ends_gives_its_writer_back() {
        let shared = Arc::new(Shared::new(Scale::preset(), Vec::new()));
        for _ in 0..10 {
            let shared = shared.clone();
            let bound = std::thread::spawn(move || Current::of(&shared).is_some());
            assert!(bound.join().unwrap());
        }
        assert_eq!(shared.lock().all.len(), 1);
    }
}
