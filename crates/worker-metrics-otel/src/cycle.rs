//! One snapshot of every source for each collection cycle of one meter.
//!
//! The SDK runs the callbacks of a cycle one after another on one thread, and tells nobody when a cycle begins. A callback that
//! is run for the second time begins the next one: whichever it is, since a view may have dropped any of them.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use worker_metrics::Snapshot;

use crate::looks::Looks;
use crate::registry::{Attached, Registry};
use crate::replay::{Replay, Replayed};

/// The cycles under way, one for each thread that collects: two readers may collect at the same time.
#[derive(Default)]
pub(crate) struct Cycles {
    by_thread: Mutex<Vec<(ThreadId, Arc<Mutex<Cycle>>)>>,
    replay: Option<Mutex<Replay>>,
}

/// How many threads' snapshots are kept for their next cycle. A reader has one thread of its own; more than these are programs
/// that collect by hand from changing threads.
const KEPT_THREADS: usize = 8;

impl Cycles {
    /// With histograms replayed once a cycle, if there is a limit for it.
    pub(crate) fn new(replay: Option<NonZeroU32>) -> Self {
        Self { replay: replay.map(|at_most| Mutex::new(Replay::new(at_most))), ..Self::default() }
    }

    /// Whether histograms are replayed.
    pub(crate) fn replays(&self) -> bool {
        self.replay.is_some()
    }

    /// Replays a row through one more instrument.
    pub(crate) fn replay_through(&self, instrument: Replayed) {
        if let Some(replay) = &self.replay {
            lock(replay).add(instrument);
        }
    }

    /// Runs `observe` for every source with its snapshot of this cycle, on behalf of one callback.
    pub(crate) fn observe(
        &self,
        registry: &Registry,
        callback: usize,
        mut observe: impl FnMut(&Attached, &Snapshot),
    ) {
        let cycle = self.of_this_thread();
        let mut cycle = lock(&cycle);
        if cycle.begins_with(callback) {
            cycle.looks.refresh(registry, self.replay.is_some());
            if let Some(replay) = &self.replay {
                lock(replay).run(&cycle.looks);
            }
        }
        cycle.looks.iter().for_each(|(attached, snapshot)| observe(&attached, snapshot));
    }

    fn of_this_thread(&self) -> Arc<Mutex<Cycle>> {
        let this_thread = thread::current().id();
        let mut by_thread = lock(&self.by_thread);
        if let Some((_, cycle)) = by_thread.iter().find(|(thread, _)| *thread == this_thread) {
            return cycle.clone();
        }
        if by_thread.len() == KEPT_THREADS {
            by_thread.remove(0);
        }
        let cycle = Arc::default();
        by_thread.push((this_thread, Arc::clone(&cycle)));
        cycle
    }
}

/// What one cycle sees, and which callbacks it has run.
#[derive(Default)]
struct Cycle {
    has_run: Vec<bool>,
    looks: Looks,
}

impl Cycle {
    /// Whether the next cycle begins with this callback, which runs now.
    fn begins_with(&mut self, callback: usize) -> bool {
        let is_first = self.has_run.is_empty();
        if self.has_run.len() <= callback {
            self.has_run.resize(callback + 1, false);
        }
        let begins = is_first || self.has_run[callback];
        if begins {
            self.has_run.fill(false);
        }
        self.has_run[callback] = true;
        begins
    }
}

/// A panic in one cycle must not end the next: whatever it left is overwritten.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
