//! The sources that a watchdog observes.

use std::sync::{Arc, Mutex, Weak};

use worker_metrics::Snapshot;

use super::event::Event;
use super::source::WatchedSource;
use super::witness::Witness;
use crate::lock::lock;
use crate::source::follow;

/// The sources that a watchdog observes. Keeps none of them alive.
#[derive(Default)]
pub(crate) struct WatchedSources {
    sources: Mutex<Vec<Weak<WatchedSource>>>,
}

impl WatchedSources {
    pub(crate) fn add(&self, source: &Arc<WatchedSource>) {
        lock(&self.sources).push(Arc::downgrade(source));
    }

    /// Observes every source. Returns what is to be reported: all sources are counted before any is
    /// reported, since a callback may take its time.
    pub(super) fn observe(&self, observations: &mut Observations, witness: &mut Witness) -> Vec<Event> {
        observations.follow(&mut lock(&self.sources));
        let Observations { sources, threads } = observations;
        let mut events = Vec::new();
        for (source, snapshot) in &mut *sources {
            if let Some(source) = source.upgrade() {
                source.observe(snapshot, threads, witness, &mut events);
            }
        }
        threads.clear();
        sources.iter().filter_map(|(source, _)| source.upgrade()).for_each(|source| source.threads(threads));
        events
    }
}

/// What is kept from one look to the next.
#[derive(Default)]
pub(super) struct Observations {
    /// A snapshot without histograms for each source.
    sources: Vec<(Weak<WatchedSource>, Snapshot)>,
    /// The threads of all workers, as of the last look.
    threads: Vec<u32>,
}

impl Observations {
    /// Forgets the sources that are gone, and takes in those that are new.
    fn follow(&mut self, sources: &mut Vec<Weak<WatchedSource>>) {
        sources.retain(|source| source.strong_count() > 0);
        let is_known = |(source, (known, _)): (&Weak<_>, &(Weak<_>, _))| source.ptr_eq(known);
        if sources.len() != self.sources.len() || !sources.iter().zip(&self.sources).all(is_known) {
            follow(&mut self.sources, sources.iter().cloned(), Snapshot::new);
        }
    }
}

#[cfg(test)]
mod tests {
    use worker_metrics::Pool;

    use super::*;
    use crate::options::Watchdog;

    #[test]
    fn a_steady_observation_allocates_nothing() {
        let watched = WatchedSources::default();
        let sources: Vec<_> = ["render", "audio"]
            .into_iter()
            .map(|name| {
                let (pool, batches) = Pool::builder(name).workers(8).build().unwrap();
                // Looked at as if all of them ran here.
                batches.iter().for_each(|batch| batch.metrics().set_thread(&std::thread::current()));
                let source = Arc::new(WatchedSource::new(Arc::new(pool), Watchdog::DEFAULT_INTERVAL));
                watched.add(&source);
                (source, batches)
            })
            .collect();
        let (mut observations, mut witness) = (Observations::default(), Witness::new(false));
        watched.observe(&mut observations, &mut witness);
        watched.observe(&mut observations, &mut witness);
        assert_eq!(observations.sources.len(), sources.len());
        let allocations =
            allocation_counter::measure(|| drop(watched.observe(&mut observations, &mut witness)));
        assert_eq!(allocations.count_total, 0);
    }
}
