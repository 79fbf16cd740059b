//! A snapshot of every attached source, and the buffers for the next.
//!
//! Kept by each meter for each thread that collects, by each destination, and by the watchdog.
//! Keeps no source alive.

use std::sync::{Arc, Weak};

use worker_metrics::Snapshot;

use super::{Attached, Registry};

/// The last snapshot of every attached source.
#[derive(Default)]
pub(crate) struct Snapshots {
    version: u64,
    sources: Vec<SourceSnapshot>,
}

/// The last snapshot of one source.
struct SourceSnapshot {
    attached: Weak<Attached>,
    snapshot: Snapshot,
    collected: bool,
}

impl Snapshots {
    /// Collects every source that is attached now.
    pub(crate) fn refresh(&mut self, registry: &Registry, histograms: bool) {
        if let Some(attached) = registry.changed_since(&mut self.version) {
            let mut before = std::mem::take(&mut self.sources);
            self.sources = attached
                .iter()
                .map(|attached| {
                    let known =
                        before.iter().position(|known| known.attached.as_ptr() == Arc::as_ptr(attached));
                    known.map(|known| before.swap_remove(known)).unwrap_or_else(|| SourceSnapshot {
                        attached: Arc::downgrade(attached),
                        snapshot: if histograms { Snapshot::with_histograms() } else { Snapshot::new() },
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

    /// The snapshots of the sources that are still attached, and did not panic.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Arc<Attached>, &Snapshot)> {
        let collected = self.sources.iter().filter(|source| source.collected);
        collected.filter_map(|source| Some((source.attached.upgrade()?, &source.snapshot)))
    }

    /// The sources that have panicked.
    #[cfg(feature = "otlp")]
    pub(crate) fn panicked(&self) -> impl Iterator<Item = Arc<Attached>> {
        let failed = self.sources.iter().filter(|source| !source.collected);
        failed.filter_map(|source| source.attached.upgrade()).filter(|attached| attached.has_panicked())
    }
}
