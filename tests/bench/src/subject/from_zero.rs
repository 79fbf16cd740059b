//! A source that counts from its own beginning, not from the attachment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use worker_metrics::{Identity, Row, Snapshot, Source, WorkerInfo};

/// Holds nothing when it is attached, so that what was counted before is exported as well: nobody
/// waits for 10^9 polls.
pub(super) struct FromZero {
    source: Arc<dyn Source>,
    is_attached: AtomicBool,
}

impl FromZero {
    pub(super) fn new(source: Arc<dyn Source>) -> Self {
        Self { source, is_attached: AtomicBool::new(false) }
    }
}

impl Source for FromZero {
    fn identity(&self) -> &Identity {
        self.source.identity()
    }

    fn definitions(&self) -> &[Row] {
        self.source.definitions()
    }

    fn collect(&self, snapshot: &mut Snapshot) {
        if self.is_attached.load(Relaxed) {
            self.source.collect(snapshot);
        } else {
            // The attachment takes its base before anybody else collects.
            self.is_attached.store(true, Relaxed);
            let _ = snapshot.begin(0);
        }
    }

    fn worker_info(&self, worker: usize) -> WorkerInfo {
        self.source.worker_info(worker)
    }
}
