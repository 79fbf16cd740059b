//! When the watchdog looked: a source whose worker is idle, asked once at each look.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use worker_metrics::{Evidence, Identity, Namespace, Row, Snapshot, Source};

/// The looks of one watchdog.
#[derive(Debug)]
pub(crate) struct Looks {
    identity: Identity,
    at: Mutex<Vec<Instant>>,
    another: Condvar,
    /// Whether its worker is stalled now.
    is_stalled: AtomicBool,
}

impl Looks {
    /// A watchdog that does not look for so long is broken, however busy the machine is.
    pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

    pub(crate) fn namespace() -> Namespace {
        Namespace::new("looks").unwrap()
    }

    pub(crate) fn new() -> Arc<Self> {
        let identity = Identity::new(Self::namespace(), "0").with_workers(1);
        Arc::new(Self {
            identity,
            at: Mutex::new(Vec::new()),
            another: Condvar::new(),
            is_stalled: AtomicBool::new(false),
        })
    }

    /// Waits until there were `count` looks after this moment.
    pub(crate) fn wait_for(&self, count: usize, after: Instant) {
        let at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        let too_few = |at: &mut Vec<Instant>| at.iter().filter(|at| **at > after).count() < count;
        let (_at, timeout) = self
            .another
            .wait_timeout_while(at, Self::PATIENCE, too_few)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!timeout.timed_out(), "the watchdog does not look");
    }

    /// Has a stall from now on, which is reported after all that were before.
    pub(crate) fn stall(&self) {
        self.is_stalled.store(true, Relaxed);
    }

    pub(crate) fn all(&self) -> Vec<Instant> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Source for Looks {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn definitions(&self) -> &[Row] {
        &[]
    }

    fn collect(&self, snapshot: &mut Snapshot) {
        snapshot.begin(1);
    }

    fn evidence(&self, _: usize) -> Option<Evidence> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
        self.another.notify_all();
        let mut evidence = Evidence::default();
        if self.is_stalled.load(Relaxed) {
            evidence.is_running = true;
            evidence.is_driven = Some(true);
            evidence.poll_age = Some(Self::PATIENCE);
        }
        Some(evidence)
    }
}
