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

/// The last snapshot of one source, and whether the source has filled it.
type SourceSnapshot = (Weak<Attached>, (Snapshot, bool));

/// Lets the buffers kept for sources follow the `sources` that there are.
pub(crate) fn follow<S, B>(
    kept: &mut Vec<(Weak<S>, B)>,
    sources: impl Iterator<Item = Weak<S>>,
    new: impl Fn() -> B,
) {
    let mut before = std::mem::take(kept);
    kept.extend(sources.map(|source| match before.iter().position(|(known, _)| known.ptr_eq(&source)) {
        Some(known) => before.swap_remove(known),
        None => (source, new()),
    }));
}

impl Snapshots {
    /// Collects every source that is attached now.
    pub(crate) fn refresh(&mut self, registry: &Registry, histograms: bool) {
        if let Some(attached) = registry.changed_since(&mut self.version) {
            let new = || if histograms { Snapshot::with_histograms() } else { Snapshot::new() };
            follow(&mut self.sources, attached.iter().map(Arc::downgrade), || (new(), false));
        }
        for (source, (snapshot, is_collected)) in &mut self.sources {
            *is_collected = source.upgrade().is_some_and(|attached| attached.collect(snapshot));
        }
    }

    /// The snapshots of the sources that are still attached, and did not panic.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Arc<Attached>, &Snapshot)> {
        let collected = self.sources.iter().filter(|(_, (_, is_collected))| *is_collected);
        collected.filter_map(|(source, (snapshot, _))| Some((source.upgrade()?, snapshot)))
    }

    /// The sources that have panicked.
    #[cfg(feature = "otlp")]
    pub(crate) fn panicked(&self) -> impl Iterator<Item = Arc<Attached>> {
        let failed = self.sources.iter().filter(|(_, (_, is_collected))| !is_collected);
        failed.filter_map(|(source, _)| source.upgrade()).filter(|attached| attached.has_panicked())
    }
}
