//! A histogram that is exported of a source, and how its series are read from a snapshot.
//!
//! Made when a source is attached; read by the exporter and by the replay. It must give the series in the order of their attributes.

use std::sync::Arc;

use worker_metrics::catalogue::{CATALOGUE, Reading};
use worker_metrics::histogram::HistogramSnapshot;
use worker_metrics::{Definition, Identity, Snapshot};

use crate::options::{Detail, Options};

/// A histogram that is exported of a source.
#[derive(Clone)]
pub(crate) struct HistogramRow {
    /// In the catalogue.
    pub(crate) index: usize,
    pub(crate) definition: &'static Definition,
    pub(crate) name: Arc<str>,
    /// Whether each worker has a series, or their sum; means nothing for a histogram that is not of workers.
    per_worker: bool,
}

impl HistogramRow {
    /// `None` for a row of the catalogue that is no histogram.
    pub(crate) fn new(index: usize, identity: &Identity, options: &Options) -> Option<Self> {
        let definition = CATALOGUE.get(index)?;
        is_histogram(definition).then(|| Self {
            index,
            definition,
            name: identity.namespace.metric(definition).into(),
            per_worker: options.detail_of(definition) == Detail::Worker,
        })
    }

    /// Runs `take` for each series with its index; `merged` is a buffer for the sum of all workers.
    pub(crate) fn for_each_series(
        &self,
        snapshot: &Snapshot,
        merged: &mut HistogramSnapshot,
        mut take: impl FnMut(usize, &HistogramSnapshot),
    ) {
        match self.definition.reading {
            Reading::Histogram(read) => take(0, read(snapshot)),
            Reading::TaskGroupHistogram(read) => {
                let groups = snapshot.task_groups().iter().map(read);
                groups.enumerate().for_each(|(group, histogram)| take(group, histogram));
            }
            Reading::WorkerHistogram(read) => {
                let workers = snapshot.workers().iter().map(read);
                if self.per_worker {
                    workers.enumerate().for_each(|(worker, histogram)| take(worker, histogram));
                } else {
                    merged.clear();
                    // Sources give all workers one scale; of one that does not, the odd ones are left out.
                    workers.for_each(|histogram| drop(merged.merge(histogram)));
                    take(0, merged);
                }
            }
            _ => {}
        }
    }
}

fn is_histogram(definition: &Definition) -> bool {
    matches!(
        definition.reading,
        Reading::Histogram(_) | Reading::TaskGroupHistogram(_) | Reading::WorkerHistogram(_)
    )
}
