//! The polls of one thread, as Tokio's hooks tell them: of every task, measured or not.
//!
//! Written by that thread alone, twice a poll; read by collectors. Writing must not read a clock,
//! lock, allocate or panic.

use std::cell::{OnceCell, RefCell};
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::{Arc, Weak};

use super::shared::Shared;
use crate::atomic::AtomicU64;
use crate::thread::Thread;

thread_local! {
    /// Of the first runtime that this thread polls for, which is the only one in nearly every case.
    static FIRST: OnceCell<Entry> = const { OnceCell::new() };
    static OTHERS: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
}

/// What readers see.
///
/// **Ordering**: whoever sees the same odd sequence before and after reads the location of that
/// poll. As the sequence follows the location, and the location of the next poll follows the end of
/// this one, each store releases and each load acquires.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Polled {
    pub(super) thread: Thread,
    /// Odd during a poll. No two threads have the same.
    sequence: AtomicU64,
    /// Where the task of the poll that began last was spawned.
    location: AtomicU64,
}

/// A poll in progress, or the pause after one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sequence(u64);

impl Sequence {
    #[cfg(test)]
    pub(crate) const fn new(number: u64) -> Self {
        Self(number)
    }

    pub(crate) fn is_poll(self) -> bool {
        !self.0.is_multiple_of(2)
    }

    pub(crate) fn number(self) -> u64 {
        self.0
    }
}

impl Polled {
    fn new(thread: Thread) -> Self {
        static THREADS: AtomicU32 = AtomicU32::new(0);
        // Room for 2^40 events of each thread.
        let first = u64::from(THREADS.fetch_add(1, Relaxed)) << 41;
        Self { thread, sequence: AtomicU64::new(first), location: AtomicU64::new(0) }
    }

    #[inline]
    fn begin(&self, location: u64) {
        let sequence = self.sequence.load(Relaxed);
        self.location.store(location, Release);
        self.sequence.store(sequence.wrapping_add(1) | 1, Release);
    }

    #[inline]
    fn end(&self) {
        let sequence = self.sequence.load(Relaxed);
        self.sequence.store((sequence | 1).wrapping_add(1), Release);
    }

    pub(super) fn sequence(&self) -> Sequence {
        Sequence(self.sequence.load(Acquire))
    }

    /// The address of the location of the poll `sequence`.
    ///
    /// **Absent when** it is not in progress, or not any more.
    pub(super) fn location_in(&self, sequence: Sequence) -> Option<u64> {
        let location = self.location.load(Acquire);
        (sequence.is_poll() && self.sequence() == sequence).then_some(location)
    }
}

/// A thread's polls while it lives.
struct Entry {
    of: Weak<Shared>,
    /// [`Runtime::key`], which is no other's while `of` exists.
    key: usize,
    polled: Arc<Polled>,
}

/// A runtime that polls are told of.
#[derive(Clone)]
pub(super) struct Runtime {
    shared: Arc<Shared>,
    key: usize,
}

impl Runtime {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { key: Arc::as_ptr(&shared).addr(), shared }
    }

    #[inline]
    pub(super) fn begin(&self, location: u64) {
        self.with(|polled| polled.begin(location));
    }

    #[inline]
    pub(super) fn end(&self) {
        self.with(Polled::end);
    }

    /// Nothing happens while the thread is ending.
    #[inline]
    fn with(&self, run: impl Fn(&Polled)) {
        let is_first = FIRST.try_with(|first| match first.get() {
            Some(entry) if entry.key == self.key => {
                run(&entry.polled);
                true
            }
            _ => false,
        });
        if is_first == Ok(false) {
            self.with_other(run);
        }
    }

    #[cold]
    #[inline(never)]
    fn with_other(&self, run: impl Fn(&Polled)) {
        let is_first = FIRST.try_with(|first| {
            let is_empty = first.get().is_none();
            if is_empty && let Some(entry) = Entry::new(self) {
                run(&entry.polled);
                let _ = first.set(entry);
            }
            is_empty
        });
        if is_first == Ok(false) {
            let _ = OTHERS.try_with(|others| {
                let Ok(mut others) = others.try_borrow_mut() else { return };
                if !others.iter().any(|entry| entry.key == self.key) {
                    others.retain(|entry| entry.of.strong_count() > 0);
                    others.extend(Entry::new(self));
                }
                if let Some(entry) = others.iter().find(|entry| entry.key == self.key) {
                    run(&entry.polled);
                }
            });
        }
    }
}

impl Entry {
    #[cold]
    fn new(runtime: &Runtime) -> Option<Self> {
        let polled = Arc::new(Polled::new(Thread::current()?));
        runtime.shared.add_polled(polled.clone());
        Some(Self { of: Arc::downgrade(&runtime.shared), key: runtime.key, polled })
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(shared) = self.of.upgrade() {
            shared.remove_polled(&self.polled);
        }
    }
}

/// What a reader may see of a thread that polls, in every order that the memory model allows.
#[cfg(all(test, worker_metrics_loom))]
mod models {
    use loom::thread;

    use super::*;

    #[test]
    fn a_location_is_that_of_the_poll_that_is_in_progress_before_and_after() {
        loom::model(|| {
            let polled = Arc::new(Polled::new(Thread::current().expect("this thread is not ending")));
            let first = polled.sequence().number();
            let polling = thread::spawn({
                let polled = polled.clone();
                move || {
                    for location in [10, 20] {
                        polled.begin(location);
                        polled.end();
                    }
                }
            });
            let sequence = polled.sequence();
            if let Some(location) = polled.location_in(sequence) {
                assert_eq!(location, 10 * (sequence.number() - first).div_ceil(2));
            }
            polling.join().expect("the writer does not panic");
            assert_eq!(polled.sequence().number(), first + 4);
        });
    }
}

#[cfg(all(test, not(worker_metrics_loom)))]
mod tests {
    use worker_metrics::histogram::Scale;

    use super::*;

    fn runtime() -> Runtime {
        Runtime::new(Arc::new(Shared::new(Scale::preset(), Vec::new())))
    }

    #[test]
    fn a_poll_is_odd_and_its_location_is_gone_with_it() {
        let polled = Polled::new(Thread::current().unwrap());
        let before = polled.sequence();
        assert!(!before.is_poll());
        polled.begin(7);
        let during = polled.sequence();
        assert_eq!(polled.location_in(during), Some(7));
        assert_eq!(polled.location_in(before), None);
        polled.end();
        assert_eq!(polled.location_in(during), None);
        assert!(!polled.sequence().is_poll());
        // Whatever is missing: no number comes twice.
        polled.end();
        polled.begin(7);
        let one = polled.sequence();
        polled.begin(8);
        assert!(polled.sequence().is_poll() && polled.sequence() != one);
    }

    #[test]
    fn a_thread_is_listed_for_each_runtime_that_it_polls_for_until_it_ends() {
        let runtimes = [runtime(), runtime(), runtime()];
        let listed = |runtime: &Runtime| {
            let mut listed = super::super::shared::PolledThreads::default();
            runtime.shared.polled_into(&mut listed);
            listed.all().len()
        };
        let polled_for = runtimes.clone();
        let polling = std::thread::spawn(move || {
            for _ in 0..3 {
                polled_for.iter().for_each(|runtime| runtime.begin(1));
                polled_for.iter().for_each(Runtime::end);
            }
            polled_for.each_ref().map(listed)
        });
        assert_eq!(polling.join().unwrap(), [1, 1, 1]);
        assert_eq!(runtimes.each_ref().map(listed), [0, 0, 0]);
    }

    #[test]
    fn a_poll_allocates_nothing_after_the_first() {
        let runtimes = [runtime(), runtime()];
        runtimes.iter().for_each(|runtime| runtime.begin(1));
        let polls = || {
            runtimes.iter().for_each(|runtime| runtime.begin(1));
            runtimes.iter().for_each(Runtime::end);
        };
        assert_eq!(allocation_counter::measure(polls).count_total, 0);
    }
}
