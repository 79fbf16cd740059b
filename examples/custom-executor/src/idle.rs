//! The workers that sleep, and who wakes them.
//!
//! A worker that found nothing goes through [`Idle::park`], whoever queues something calls
//! [`Idle::notify_one`]. Between the two no wake may be lost.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::fence;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crossbeam_utils::sync::{Parker, Unparker};
use worker_metrics::Batch;

/// The sleeping workers of one pool.
#[derive(Debug)]
pub(crate) struct Idle {
    sleepers: Mutex<Vec<usize>>,
    /// How many there are, for a look without the lock.
    sleeping: AtomicUsize,
    unparkers: Vec<Unparker>,
}

/// A worker's own end: what it sleeps on.
#[derive(Debug)]
pub(crate) struct Bed {
    index: usize,
    parker: Parker,
}

impl Idle {
    /// One bed for each worker, in the order of their index.
    pub(crate) fn new(workers: usize) -> (Self, Vec<Bed>) {
        let beds: Vec<_> = (0..workers).map(|index| Bed { index, parker: Parker::new() }).collect();
        let unparkers = beds.iter().map(|bed| bed.parker.unparker().clone()).collect();
        (Self { sleepers: Mutex::new(Vec::new()), sleeping: AtomicUsize::new(0), unparkers }, beds)
    }

    /// Sleeps until it is notified, unless there is something to do.
    ///
    /// Nothing is recorded under a lock: the batch is submitted after the worker said that it
    /// sleeps, and again when it woke.
    pub(crate) fn park(&self, bed: &Bed, batch: &mut Batch, something_to_do: impl FnOnce() -> bool) {
        self.enter(bed.index);
        // One of the two sees the other: this worker what was queued before, or whoever queues it
        // this worker.
        fence(SeqCst);
        if something_to_do() {
            if !self.leave(bed.index) {
                // Notified in between: what woke it would else wake it from its next sleep, for
                // nothing.
                bed.parker.park();
            }
            return;
        }
        batch.about_to_park();
        batch.submit();
        bed.parker.park();
        batch.unparked();
        batch.submit();
    }

    /// Wakes one sleeper, if there is any. Called after something was queued.
    pub(crate) fn notify_one(&self) {
        fence(SeqCst);
        if self.sleeping.load(Relaxed) == 0 {
            return;
        }
        let mut sleepers = self.lock();
        let woken = sleepers.pop();
        self.publish(&sleepers);
        drop(sleepers);
        self.unpark(woken);
    }

    /// Wakes all sleepers. Called after something was changed that each must see.
    pub(crate) fn notify_all(&self) {
        fence(SeqCst);
        let mut sleepers = self.lock();
        let woken = std::mem::take(&mut *sleepers);
        self.publish(&sleepers);
        drop(sleepers);
        self.unpark(woken);
    }

    fn enter(&self, index: usize) {
        let mut sleepers = self.lock();
        sleepers.push(index);
        self.publish(&sleepers);
    }

    /// Whether the worker was still there: if not, a notification is on its way.
    fn leave(&self, index: usize) -> bool {
        let mut sleepers = self.lock();
        let place = sleepers.iter().position(|&sleeper| sleeper == index);
        if let Some(place) = place {
            sleepers.swap_remove(place);
            self.publish(&sleepers);
        }
        place.is_some()
    }

    fn unpark(&self, woken: impl IntoIterator<Item = usize>) {
        for unparker in woken.into_iter().filter_map(|index| self.unparkers.get(index)) {
            unparker.unpark();
        }
    }

    fn publish(&self, sleepers: &[usize]) {
        self.sleeping.store(sleepers.len(), Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<usize>> {
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
