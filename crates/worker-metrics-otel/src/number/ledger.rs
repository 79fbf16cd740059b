//! What was recorded, what was acknowledged, and what each export carries.
//!
//! Driven by the exporter, one ledger for each, in step with that of the histograms.

use std::time::SystemTime;

use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality;
use opentelemetry_sdk::metrics::Temporality;

use super::Kind;
use super::metric::Metric;
use crate::attributes::AttributeSet;
use crate::otlp::{MetricInfo, Moment, Outcome, PartId, Requests, aggregation_temporality};
use crate::reading::Number;

/// The numbers of one exporter, and what its receiver has of each.
///
/// A cycle is as that of [`histogram::Ledger`](crate::histogram::Ledger), and so are temporality, deltas against what was acknowledged, and
/// the ends of series. Up-down counters and gauges are what was recorded last.
///
/// **Cost**: in a steady state nothing is allocated (test `a_steady_cycle_allocates_nothing`).
#[derive(Debug)]
pub(crate) struct Ledger {
    temporality: AggregationTemporality,
    now: Moment,
    metrics: Vec<Metric>,
    /// Where the metric is expected of which a row is recorded: sources are read in the same order each time.
    next: usize,
    /// Lengths of the points of one metric.
    lens: Vec<usize>,
}

/// A row of an attached source.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    /// Number of the attachment, never used twice.
    pub(crate) attachment: u64,
    pub(crate) start: SystemTime,
    /// Of each series.
    pub(crate) attributes: &'a [AttributeSet],
}

impl Ledger {
    pub(crate) fn new(temporality: Temporality) -> Self {
        Self {
            temporality: aggregation_temporality(temporality),
            now: Moment::default(),
            metrics: Vec::new(),
            next: 0,
            lens: Vec::new(),
        }
    }

    pub(crate) fn begin(&mut self, time: SystemTime) {
        self.now = self.now.next(time);
        self.next = 0;
        self.metrics.iter_mut().for_each(Metric::begin);
    }

    /// Records the numbers of a row, which `read` gives with the index of each series.
    pub(crate) fn record(
        &mut self,
        info: &MetricInfo<'_>,
        kind: Kind,
        source: &Source<'_>,
        read: impl FnOnce(&mut dyn FnMut(usize, Number)),
    ) {
        let now = self.now;
        let is_it = |metric: &Metric| metric.is_of(info, kind);
        let place = match self.metrics.get(self.next) {
            Some(expected) if is_it(expected) => Some(self.next),
            _ => self.metrics.iter().position(is_it),
        };
        let place = place.unwrap_or_else(|| {
            self.metrics.push(Metric::new(info, kind, self.temporality));
            self.metrics.len() - 1
        });
        // After the last row of a source comes the first of the next.
        self.next = if place + 1 == self.metrics.len() { 0 } else { place + 1 };
        let metric = &mut self.metrics[place];
        let rule = metric.rule();
        let attributes = source.attributes.iter().map(|attributes| &**attributes);
        let block = metric.block(source.attachment, now.began_ns(source.start), attributes);
        block.see(now);
        read(&mut |series, number| block.record(rule, now, series, number));
    }

    /// Ends the cycle: adds what there is to send to `requests`. What is not settled counts as failed.
    pub(crate) fn finish(&mut self, requests: &mut Requests) {
        let Self { now, metrics, lens, .. } = self;
        metrics.iter_mut().for_each(|metric| metric.finish(*now, lens, requests));
        metrics.retain(|metric| !metric.is_empty());
    }

    /// Forgets the oldest of the series that have ended and are not through, but for `most` of them, by whole sources; returns how many
    /// it forgot.
    pub(crate) fn forget_ended_beyond(&mut self, most: usize) -> usize {
        let now = self.now;
        let ended: usize = self.metrics.iter().map(|metric| metric.ended(now)).sum();
        let surplus = ended.saturating_sub(most);
        let mut gone = 0;
        for metric in &mut self.metrics {
            gone += metric.forget(surplus.saturating_sub(gone), now);
        }
        self.metrics.retain(|metric| !metric.is_empty());
        gone
    }

    /// Takes note of what became of a part. A part of an earlier cycle is settled already: it has failed.
    pub(crate) fn settle(&mut self, part: PartId, outcome: Outcome) {
        if part.cycle != self.now.cycle {
            return;
        }
        let is_delivered = outcome.is_delivered(part);
        let now = self.now;
        self.metrics.iter_mut().for_each(|metric| metric.settle(part.index, is_delivered, now));
        self.metrics.retain(|metric| !metric.is_empty());
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.metrics.is_empty()
    }
}
