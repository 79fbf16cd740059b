//! A source whose values a test sets.

use std::sync::{Arc, Mutex, PoisonError};

use worker_metrics::{Coverage, Identity, Metric, Namespace, Row, Snapshot, Source};

/// A source that says what it was told to.
pub(super) struct TestSource {
    identity: Identity,
    rows: Vec<Row>,
    state: Mutex<State>,
}

struct State {
    snapshot: Snapshot,
    is_panicking: bool,
}

impl TestSource {
    /// A source of that name with these metrics, which knows no value yet.
    pub(super) fn new(name: &str, workers: usize, metrics: &[Metric]) -> Arc<Self> {
        let mut snapshot = Snapshot::with_histograms();
        snapshot.begin(workers);
        Arc::new(Self {
            identity: Identity::new(Namespace::WORKER_POOL, name).with_name(name).with_workers(workers),
            rows: metrics.iter().map(|metric| Row::new(*metric, Coverage::Covered)).collect(),
            state: Mutex::new(State { snapshot, is_panicking: false }),
        })
    }

    /// Changes what it says.
    pub(super) fn set(&self, change: impl FnOnce(&mut Snapshot)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner).snapshot);
    }

    /// Panics whenever it is asked, from now on.
    pub(super) fn break_down(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).is_panicking = true;
    }
}

impl Source for TestSource {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn definitions(&self) -> &[Row] {
        &self.rows
    }

    fn collect(&self, snapshot: &mut Snapshot) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.is_panicking {
            // Without the message on standard error.
            std::panic::resume_unwind(Box::new("the source is broken"));
        }
        snapshot.clone_from(&state.snapshot);
    }
}
