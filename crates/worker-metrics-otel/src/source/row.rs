//! A metric that is exported of a source, and its series in a snapshot.
//!
//! Made when the source is attached; read by every way out. The series are in the order of their
//! attributes.

use std::sync::Arc;

use worker_metrics::catalogue::{Instrument, Reading};
use worker_metrics::histogram::{HistogramSnapshot, Scale};
use worker_metrics::{Definition, Identity, Metric, Snapshot, StallCause};

use super::AttributeSet;
use super::number::{Number, for_each_number};
use crate::options::{Detail, Options};

/// A metric that is exported of a source.
pub(crate) struct Row {
    pub(crate) metric: Metric,
    pub(crate) definition: &'static Definition,
    pub(crate) name: Arc<str>,
    /// The attributes of each series.
    pub(crate) attributes: Arc<[AttributeSet]>,
    /// Whether each worker has a series of its own.
    per_worker: bool,
    /// The values of a counter at the attachment; empty where all are 0.
    base: Box<[Number]>,
}

impl Row {
    pub(super) fn new(
        metric: Metric,
        identity: &Identity,
        attributes: Arc<[AttributeSet]>,
        options: &Options,
        base: &Snapshot,
    ) -> Self {
        let definition = metric.definition();
        let mut row = Self {
            metric,
            definition,
            name: identity.namespace.metric(definition).into(),
            attributes,
            per_worker: options.detail_of(definition) == Detail::Worker,
            base: Box::default(),
        };
        row.base = row.counts_at(base);
        row
    }

    /// The number of series that there are without any stall: a cause has one from its first stall
    /// on, but for the unknown one.
    pub(crate) fn expected_series(&self) -> usize {
        match self.definition.reading {
            Reading::WorkerCountByCause(_) | Reading::WorkerHistogramByCause(_) => {
                self.attributes.len() / StallCause::ALL.len()
            }
            _ => self.attributes.len(),
        }
    }

    pub(crate) fn is_histogram(&self) -> bool {
        self.definition.instrument == Instrument::Histogram
    }

    /// The values of a counter in a snapshot, by series; empty where all are 0, and for what is no
    /// counter.
    pub(crate) fn counts_at(&self, snapshot: &Snapshot) -> Box<[Number]> {
        if self.definition.instrument != Instrument::Counter {
            return Box::default();
        }
        let mut counts = vec![Number::Count(0); self.attributes.len()];
        self.for_each_number(snapshot, |series, number| {
            if let Some(count) = counts.get_mut(series) {
                *count = number;
            }
        });
        if counts.iter().all(|count| count.is_zero()) { Box::default() } else { counts.into() }
    }

    /// The values of a counter at the attachment, by series; empty where all are 0, and for what is
    /// no counter.
    pub(crate) fn base(&self) -> &[Number] {
        &self.base
    }

    /// Runs `take` for each series whose number is known, with its index. Does nothing for a
    /// histogram.
    pub(crate) fn for_each_number(&self, snapshot: &Snapshot, take: impl FnMut(usize, Number)) {
        for_each_number(self.definition.reading, snapshot, self.attributes.len(), take);
    }

    /// The histogram of a series in a snapshot, if it is on this scale.
    pub(crate) fn histogram_at(
        &self,
        snapshot: &Snapshot,
        index: usize,
        scale: &Scale,
    ) -> Option<HistogramSnapshot> {
        let mut found = None;
        self.for_each_histogram(snapshot, &mut HistogramSnapshot::default(), |series, histogram| {
            if series == index && histogram.scale.as_ref() == Some(scale) {
                found = Some(histogram.clone());
            }
        });
        found
    }

    /// Runs `take` for each series with its index; `merged` is a buffer for the sum of all workers.
    /// Does nothing for a number.
    pub(crate) fn for_each_histogram(
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
                    // Sources give all workers one scale; of one that does not, the odd ones are
                    // left out.
                    workers.for_each(|histogram| drop(merged.merge(histogram)));
                    take(0, merged);
                }
            }
            Reading::WorkerHistogramByCause(read) => {
                for cause in snapshot.stall_causes() {
                    let workers = snapshot.workers().iter().map(|worker| read(worker, cause));
                    if self.per_worker {
                        let first = cause.index() * workers.len();
                        workers.enumerate().for_each(|(worker, histogram)| take(first + worker, histogram));
                    } else {
                        merged.clear();
                        workers.for_each(|histogram| drop(merged.merge(histogram)));
                        take(cause.index(), merged);
                    }
                }
            }
            _ => {}
        }
    }
}
