//! The ledger of one destination: what was recorded, sent and taken of every series.
//!
//! Never counts anything twice, and loses nothing but what the receiver loses.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry_sdk::metrics::Temporality;
use worker_metrics::histogram::{HistogramSnapshot, Scale};
use worker_metrics::{Identity, Snapshot};

use super::buckets::Layout;
use super::life::END_AFTER_NS;
use super::metric::Metric;
use super::rule::Rule;
use super::series::Series;
use super::totals::Totals;
use crate::options::HistogramOptions;
use crate::otlp::wire::{DataKind, Descriptor, RequestId, Requests};
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
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    temporality: Temporality,
    options: HistogramOptions,
    /// The number of the export.
    export: u64,
    time_ns: u64,
    /// The sources that were detached since the last export, or a moment before it, and when their
    /// series end: those that are attached again begin there.
    ended: Vec<(Identity, u64)>,
    metrics: Vec<Metric>,
    /// The metric that was recorded last. The next row is expected in it or behind it: sources are
    /// read in one order.
    next: usize,
    /// Shared by series, as long as there are any.
    layouts: Vec<Arc<Layout>>,
    /// The sum of all workers; a buffer.
    merged: HistogramSnapshot,
}

impl Ledger {
    pub(crate) fn new(temporality: Temporality, options: HistogramOptions) -> Self {
        Self { temporality, options, ..Self::default() }
    }

    /// Begins an export; returns its number.
    pub(crate) fn begin(&mut self, time: SystemTime) -> u64 {
        self.export += 1;
        self.time_ns = unix_ns(time);
        self.next = 0;
        self.metrics.iter_mut().for_each(Metric::begin);
        self.export
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
        self.time_ns = unix_ns(time);
        let end_ns = self.time_ns.saturating_add(END_AFTER_NS);
        self.ended.push((attached.identity().clone(), end_ns));
        self.record(attached, last, with_numbers);
        self.end_without_values(attached);
    }

    /// Ends the series of a source of which nothing more is known.
    pub(crate) fn end_without_values(&mut self, attached: &Attached) {
        for block in self.metrics.iter_mut().filter_map(|metric| metric.existing_block(attached.number())) {
            block.has_ended = true;
        }
    }

    fn record_numbers(&mut self, attached: &Attached, row: &Row, snapshot: &Snapshot, start_ns: u64) {
        let (time_ns, rule) = (self.time_ns, Rule::of(row.definition, self.temporality));
        let kind = rule.data();
        let block = self.metric(row, kind, rule).block(attached.number());
        row.for_each_number(snapshot, |index, number| {
            let Some(attributes) = row.attributes.get(index) else { return };
            let base = || row.base().get(index).map_or(0, |base| rule.bits(*base));
            let begin = || Series::number(kind, start_ns, attributes, base());
            block.series(rule, index, |_| true, begin).record_number(rule, time_ns, rule.bits(number));
        });
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
        let (time_ns, sum) = (self.time_ns, self.options.sum());
        let rule = Rule::of(row.definition, self.temporality);
        let block = self.metric(row, layout.kind(), rule).block(attached.number());
        let mut is_new = false;
        let begin = || {
            is_new = true;
            let base = row.histogram_at(attached.base(), index, scale);
            let base = base.map_or_else(Totals::default, |base| Totals::of(&base));
            Series::histogram(&layout, start_ns, attributes, base, sum)
        };
        let series = block.series(rule, index, |series| series.is_on(&layout), begin);
        series.record_histogram(time_ns, snapshot);
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
        let is_other = |descriptor: &Descriptor| {
            descriptor.name() == &*row.name && !descriptor.is_of(&row.name, row.definition, layout.kind())
        };
        for metric in self.metrics.iter_mut().filter(|metric| is_other(&metric.descriptor)) {
            if let Some(block) = metric.existing_block(attached.number()) {
                block.supersede(index);
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
    fn metric(&mut self, row: &Row, kind: DataKind, rule: Rule) -> &mut Metric {
        let is_it = |metric: &Metric| metric.descriptor.is_of(&row.name, row.definition, kind);
        let is_expected = |place: &usize| self.metrics.get(*place).is_some_and(is_it);
        let expected = [self.next, self.next + 1].into_iter().find(is_expected);
        let place = expected.or_else(|| self.metrics.iter().position(is_it)).unwrap_or_else(|| {
            let descriptor = Descriptor::new(&row.name, row.definition, kind, rule.is_delta);
            self.metrics.push(Metric::new(descriptor, rule));
            self.metrics.len() - 1
        });
        self.next = place;
        &mut self.metrics[place]
    }

    /// Adds what is due to `requests`. Whatever was sent before and has no outcome has failed.
    pub(crate) fn finish(&mut self, requests: &mut Requests) {
        self.metrics.iter_mut().for_each(|metric| metric.finish(requests));
        // Whatever was attached again by now has its series.
        let moment = self.time_ns..=self.time_ns.saturating_add(END_AFTER_NS);
        self.ended.retain(|(_, end_ns)| moment.contains(end_ns));
    }

    /// Notes what became of a request. One of an earlier export is settled already: it has failed.
    pub(crate) fn settle(&mut self, request: RequestId, is_taken: bool) {
        if request.export == self.export {
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

/// Nanoseconds since 1970: 0 for an earlier time, `u64::MAX` for one that does not fit.
pub(super) fn unix_ns(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
