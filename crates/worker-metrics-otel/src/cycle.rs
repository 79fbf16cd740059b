//! One snapshot of every source for each collection cycle of one meter.
//!
//! The SDK runs the callbacks of a cycle one after another on one thread, and tells nobody when a cycle begins. A callback that
//! is run for the second time begins the next one: whichever it is, since a view may have dropped any of them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, ThreadId};

use worker_metrics::Snapshot;

use crate::registry::{Attached, Registry};

/// The cycles under way, one for each thread that collects: two readers may collect at the same time.
#[derive(Default)]
pub(crate) struct Cycles {
    by_thread: Mutex<Vec<(ThreadId, Arc<Mutex<Frame>>)>>,
}

/// How many threads' snapshots are kept for their next cycle. A reader has one thread of its own; more than these are programs
/// that collect by hand from changing threads.
const KEPT_THREADS: usize = 8;

impl Cycles {
    /// Runs `observe` for every source with its snapshot of this cycle, on behalf of one callback.
    pub(crate) fn observe(
        &self,
        registry: &Registry,
        callback: usize,
        observe: impl FnMut(&Attached, &Snapshot),
    ) {
        lock(&self.frame()).observe(registry, callback, observe);
    }

    fn frame(&self) -> Arc<Mutex<Frame>> {
        let this_thread = thread::current().id();
        let mut by_thread = lock(&self.by_thread);
        if let Some((_, frame)) = by_thread.iter().find(|(thread, _)| *thread == this_thread) {
            return frame.clone();
        }
        if by_thread.len() == KEPT_THREADS {
            by_thread.remove(0);
        }
        let frame = Arc::default();
        by_thread.push((this_thread, Arc::clone(&frame)));
        frame
    }
}

/// The snapshots of one cycle, and the buffers for the next.
#[derive(Default)]
struct Frame {
    /// By callback: whether it has run in this cycle.
    has_run: Vec<bool>,
    version: u64,
    sources: Vec<Observed>,
}

/// One source in a frame, which does not keep it alive: a source that is detached must be let go at once.
struct Observed {
    attached: Weak<Attached>,
    snapshot: Snapshot,
    collected: bool,
}

impl Frame {
    fn observe(
        &mut self,
        registry: &Registry,
        callback: usize,
        mut observe: impl FnMut(&Attached, &Snapshot),
    ) {
        if self.has_run.len() <= callback {
            self.has_run.resize(callback + 1, false);
        }
        if self.has_run.iter().all(|has_run| !has_run) || self.has_run[callback] {
            self.has_run.fill(false);
            self.refresh(registry);
        }
        self.has_run[callback] = true;
        for source in self.sources.iter().filter(|source| source.collected) {
            if let Some(attached) = source.attached.upgrade() {
                observe(&attached, &source.snapshot);
            }
        }
    }

    fn refresh(&mut self, registry: &Registry) {
        if let Some(attached) = registry.changed_since(&mut self.version) {
            let mut before = std::mem::take(&mut self.sources);
            self.sources = attached
                .iter()
                .map(|attached| {
                    let known =
                        before.iter().position(|source| source.attached.as_ptr() == Arc::as_ptr(attached));
                    known.map(|known| before.swap_remove(known)).unwrap_or_else(|| Observed {
                        attached: Arc::downgrade(attached),
                        snapshot: Snapshot::new(),
                        collected: false,
                    })
                })
                .collect();
        }
        for source in &mut self.sources {
            let attached = source.attached.upgrade();
            source.collected = attached.is_some_and(|attached| attached.collect(&mut source.snapshot));
        }
    }
}

/// A panic in one cycle must not end the next: whatever it left is overwritten.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
