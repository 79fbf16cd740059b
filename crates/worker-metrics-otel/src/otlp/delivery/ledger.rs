//! The ledger of one destination: what was recorded, sent and taken of every series.
//!
//! Never counts anything twice, and loses nothing but what the receiver loses.

use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry_sdk::metrics::Temporality;
use worker_metrics::histogram::{HistogramSnapshot, Scale};
use worker_metrics::{Definition, Identity, Snapshot};

use super::block::{Block, Values};
use super::buckets::Layout;
use super::histograms::{Beginning, Histograms, is_delta};
use super::kind::{Kind, temporality_of_histograms};
use super::metric::Metric;
use super::numbers::{Numbers, Rule};
use super::series::END_AFTER_NS;
use super::totals::Totals;
use crate::options::HistogramOptions;
use crate::otlp::wire::{Entry, MetricInfo, Moment, RequestId, Requests, unix_ns};
use crate::source::{Attached, Row};

/// What a destination has of every series.
///
/// An export is [`begin`](Self::begin), [`record`](Self::record) for every attached source,
/// [`finish`](Self::finish), [`settle`](Self::settle) for each request that has an outcome, and
/// [`export_is_over`](Self::export_is_over).
///
/// Cumulative points carry the totals since the source was attached. Deltas carry what has come
/// since the last point that was *taken*: a series without change has no point, and its next begins
/// where the last one ended, so that intervals neither overlap nor leave a gap. Up-down counters
/// and gauges are what was recorded last.
///
/// A source that was detached is [ended](Self::end): its last values and the ends of its series go
/// with the next export, and again until they are taken, or given up after [many failed
/// exports](super::block).
///
/// **Cost**: in a steady state nothing is allocated (test `a_steady_cycle_allocates_nothing`); the
/// work follows the number of series and buckets, never what they count.
#[derive(Debug)]
pub(crate) struct Ledger {
    temporality: Temporality,
    options: HistogramOptions,
    now: Moment,
    /// The sources that were detached since the last export, or a moment before it, and when their
    /// series end: those that are attached again begin there.
    ended: Vec<(Identity, u64)>,
    metrics: Vec<Metric>,
    /// The metric that was recorded last. The next row is expected in it or behind it: sources are
    /// read in one order.
    next: usize,
    /// Shared by series, as long as there are any.
    layouts: Vec<Arc<Layout>>,
    /// The points of one metric; a buffer.
    entries: Vec<Entry>,
    /// The sum of all workers; a buffer.
    merged: HistogramSnapshot,
}

impl Ledger {
    pub(crate) fn new(temporality: Temporality, options: HistogramOptions) -> Self {
        Self {
            temporality,
            options,
            now: Moment::default(),
            ended: Vec::new(),
            metrics: Vec::new(),
            next: 0,
            layouts: Vec::new(),
            entries: Vec::new(),
            merged: HistogramSnapshot::default(),
        }
    }

    /// Begins an export; returns its number.
    pub(crate) fn begin(&mut self, time: SystemTime) -> u64 {
        self.now = self.now.next(time);
        self.next = 0;
        self.metrics.iter_mut().for_each(Metric::begin);
        self.now.export
    }

    /// Records what a source holds: its histograms, and its numbers if they go this way.
    ///
    /// A histogram without buckets is not known, and has no point. A total that is smaller than it
    /// was counts as unchanged.
    pub(crate) fn record(&mut self, attached: &Attached, snapshot: &Snapshot, with_numbers: bool) {
        let start_ns = self.start_ns(attached);
        for row in attached.rows() {
            if row.is_histogram() {
                let mut merged = std::mem::take(&mut self.merged);
                row.for_each_histogram(snapshot, &mut merged, |index, histogram| {
                    self.record_histogram(attached, row, index, histogram, start_ns);
                });
                self.merged = merged;
            } else if with_numbers {
                self.record_numbers(attached, row, snapshot, start_ns);
            }
        }
    }

    /// Records the last values of a source that was detached at `time`, and ends its series. They
    /// may be recorded while requests travel.
    pub(crate) fn end(&mut self, attached: &Attached, last: &Snapshot, with_numbers: bool, time: SystemTime) {
        self.now.time_ns = unix_ns(time);
        let end_ns = self.now.time_ns.saturating_add(END_AFTER_NS);
        self.ended.push((attached.identity().clone(), end_ns));
        self.record(attached, last, with_numbers);
        self.end_without_values(attached);
    }

    /// Ends the series of a source of which nothing more is known.
    pub(crate) fn end_without_values(&mut self, attached: &Attached) {
        for block in self.metrics.iter_mut().filter_map(|metric| metric.existing_block(attached.number())) {
            block.end();
        }
    }

    fn record_numbers(&mut self, attached: &Attached, row: &Row, snapshot: &Snapshot, start_ns: u64) {
        let now = self.now;
        let kind = Kind::of(row.definition);
        let rule = Rule { kind, temporality: kind.temporality(self.temporality) };
        let metric = self.metric(
            row,
            |info| Metric::new(info, kind.data(), rule),
            |metric, info| metric.is_of(info, kind.data()),
        );
        let block = metric.block(attached.number(), |rule| {
            let attributes = row.attributes.iter().map(|attributes| &**attributes);
            let base = |take: &mut dyn FnMut(usize, _)| row.for_each_number(attached.base(), take);
            let numbers = Numbers::new(rule, start_ns, attributes, base);
            Block::new(attached.number(), Values::Numbers(numbers))
        });
        if let Some(numbers) = block.numbers() {
            row.for_each_number(snapshot, |index, number| numbers.record(rule, now, index, number));
        }
    }

    fn record_histogram(
        &mut self,
        attached: &Attached,
        row: &Row,
        index: usize,
        snapshot: &HistogramSnapshot,
        start_ns: u64,
    ) {
        let filled = snapshot.scale.as_ref().filter(|scale| scale.buckets() == snapshot.buckets.len());
        let (Some(scale), Some(attributes)) = (filled, row.attributes.get(index)) else { return };
        let layout = self.layout(scale);
        let (now, sum) = (self.now, self.options.sum());
        let rule =
            Rule { kind: Kind::of(row.definition), temporality: temporality_of_histograms(self.temporality) };
        let kind = layout.kind();
        let metric =
            self.metric(row, |info| Metric::new(info, kind, rule), |metric, info| metric.is_of(info, kind));
        let block = metric.block(attached.number(), |_| {
            Block::new(attached.number(), Values::Histograms(Histograms::default()))
        });
        let Some(histograms) = block.histograms() else { return };
        let mut is_new = false;
        histograms.record(index, now, &layout, snapshot, is_delta(rule.temporality), || {
            is_new = true;
            Beginning { start_ns, attributes, base: base_of(row, attached.base(), index, scale), sum }
        });
        if is_new {
            self.supersede_other_kinds(attached, row, index, &layout);
        }
    }

    /// Start of the series of a source: its attachment. One that is attached again at once begins
    /// where its series ended.
    fn start_ns(&self, attached: &Attached) -> u64 {
        let attached_ns = unix_ns(attached.attached_at());
        let ends_then = attached_ns..=attached_ns.saturating_add(END_AFTER_NS);
        let ended = self.ended.iter().rev().find(|(source, end_ns)| {
            ends_then.contains(end_ns)
                && (source.namespace == attached.identity().namespace && source.id == attached.identity().id)
        });
        ended.map_or(attached_ns, |(_, end_ns)| *end_ns)
    }

    /// A histogram whose buckets are of another kind now goes on in another metric of the same
    /// name.
    fn supersede_other_kinds(&mut self, attached: &Attached, row: &Row, index: usize, layout: &Layout) {
        let info = info(&row.name, row.definition);
        let others = self.metrics.iter_mut();
        for metric in
            others.filter(|metric| metric.name() == &*row.name && !metric.is_of(&info, layout.kind()))
        {
            if let Some(histograms) = metric.existing_block(attached.number()).and_then(Block::histograms) {
                histograms.supersede(index);
            }
        }
    }

    fn layout(&mut self, scale: &Scale) -> Arc<Layout> {
        if let Some(known) = self.layouts.iter().find(|layout| layout.scale() == scale) {
            return known.clone();
        }
        let layout = Arc::new(Layout::new(scale, &self.options));
        self.layouts.push(layout.clone());
        layout
    }

    /// The metric of a row, made where there is none.
    fn metric(
        &mut self,
        row: &Row,
        new: impl FnOnce(&MetricInfo<'_>) -> Metric,
        is_it: impl Fn(&Metric, &MetricInfo<'_>) -> bool,
    ) -> &mut Metric {
        let info = info(&row.name, row.definition);
        let is_expected = |place: &usize| self.metrics.get(*place).is_some_and(|metric| is_it(metric, &info));
        let expected = [self.next, self.next + 1].into_iter().find(is_expected);
        let place = expected.or_else(|| self.metrics.iter().position(|metric| is_it(metric, &info)));
        let place = place.unwrap_or_else(|| {
            self.metrics.push(new(&info));
            self.metrics.len() - 1
        });
        self.next = place;
        &mut self.metrics[place]
    }

    /// Adds what is due to `requests`. Whatever was sent before and has no outcome has failed.
    pub(crate) fn finish(&mut self, requests: &mut Requests) {
        let Self { metrics, entries, .. } = self;
        metrics.iter_mut().for_each(|metric| metric.finish(entries, requests));
        // Whatever was attached again by now has its series.
        let moment = self.now.time_ns..=self.now.time_ns.saturating_add(END_AFTER_NS);
        self.ended.retain(|(_, end_ns)| moment.contains(end_ns));
    }

    /// Notes what became of a request. One of an earlier export is settled already: it has failed.
    pub(crate) fn settle(&mut self, request: RequestId, is_taken: bool) {
        if request.export == self.now.export {
            self.metrics.iter_mut().for_each(|metric| metric.settle(request.index, is_taken));
        }
    }

    /// Notes that an export is over, and forgets what has nothing left to send. Returns the number
    /// of series that were given up.
    pub(crate) fn export_is_over(&mut self) -> usize {
        let given_up = self.metrics.iter_mut().map(Metric::export_is_over).sum();
        self.forget_unused();
        given_up
    }

    /// Forgets everything that has ended, delivered or not; returns the number of its series.
    pub(crate) fn forget_ended(&mut self) -> usize {
        let forgotten = self.metrics.iter_mut().map(Metric::forget_ended).sum();
        self.forget_unused();
        forgotten
    }

    fn forget_unused(&mut self) {
        let before = self.metrics.len();
        self.metrics.retain(|metric| !metric.is_empty());
        if self.metrics.len() < before {
            self.layouts.retain(|layout| Arc::strong_count(layout) > 1);
        }
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.metrics.is_empty() && self.layouts.is_empty()
    }
}

/// The totals of a series at the attachment, if they are on this scale.
fn base_of(row: &Row, base: &Snapshot, index: usize, scale: &Scale) -> Totals {
    let (mut totals, mut merged) = (Totals::default(), HistogramSnapshot::default());
    row.for_each_histogram(base, &mut merged, |series, histogram| {
        if series == index && histogram.scale.as_ref() == Some(scale) {
            totals = Totals::of(histogram);
        }
    });
    totals
}

fn info<'a>(name: &'a str, definition: &'a Definition) -> MetricInfo<'a> {
    MetricInfo { name, description: definition.description, unit: definition.unit }
}
