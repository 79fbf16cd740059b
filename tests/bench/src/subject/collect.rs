//! What a source alone takes: its values, read into a snapshot.

use std::sync::Arc;

use worker_metrics::{Snapshot, Source};

use super::{Delivered, Export, Steps};

/// [`Source::collect`] into a snapshot that is kept.
pub(super) struct Collect {
    source: Arc<dyn Source>,
    snapshot: Snapshot,
}

impl Collect {
    pub(super) fn new(source: Arc<dyn Source>) -> Self {
        Self { source, snapshot: Snapshot::with_histograms() }
    }
}

impl Export for Collect {
    fn steps(&self) -> Steps {
        Steps::CollectOnly
    }

    fn collect(&mut self) {
        self.source.collect(&mut self.snapshot);
    }

    fn encode(&mut self) {}

    fn delivered(&mut self) -> Delivered {
        Delivered::default()
    }
}
