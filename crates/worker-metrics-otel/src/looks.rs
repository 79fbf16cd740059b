//! A snapshot of every attached source, and the buffers for the next.
//!
//! Kept by each meter for each thread that collects, and by each exporter. It must keep no source alive.

use std::sync::{Arc, Weak};

use worker_metrics::Snapshot;

use crate::registry::{Attached, Registry};

/// The last look at every attached source.
#[derive(Default)]
pub(crate) struct Looks {
    version: u64,
    sources: Vec<Look>,
}

/// The last look at one source.
struct Look {
    attached: Weak<Attached>,
    snapshot: Snapshot,
    collected: bool,
}

impl Looks {
    /// Looks at every source that is attached now.
    pub(crate) fn refresh(&mut self, registry: &Registry, histograms: bool) {
        if let Some(attached) = registry.changed_since(&mut self.version) {
            let mut before = std::mem::take(&mut self.sources);
            self.sources = attached
                .iter()
                .map(|attached| {
                    let known =
                        before.iter().position(|look| look.attached.as_ptr() == Arc::as_ptr(attached));
                    known.map(|known| before.swap_remove(known)).unwrap_or_else(|| Look {
                        attached: Arc::downgrade(attached),
                        snapshot: if histograms { Snapshot::with_histograms() } else { Snapshot::new() },
                        collected: false,
                    })
                })
                .collect();
        }
        for look in &mut self.sources {
            let attached = look.attached.upgrade();
            look.collected = attached.is_some_and(|attached| attached.collect(&mut look.snapshot));
        }
    }

    /// Whether the sources that were looked at last are those that are attached now.
    pub(crate) fn is_current(&self, registry: &Registry) -> bool {
        self.version == registry.version()
    }

    /// What was seen of the sources that are still attached, and did not panic.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Arc<Attached>, &Snapshot)> {
        let collected = self.sources.iter().filter(|look| look.collected);
        collected.filter_map(|look| Some((look.attached.upgrade()?, &look.snapshot)))
    }
}
