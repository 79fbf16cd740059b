//! The histograms of one row of one attached source.
//!
//! Kept by a block of their metric. The cost follows the number of buckets, never what they count.

use std::sync::Arc;

use bytes::BytesMut;
use opentelemetry::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality;
use worker_metrics::histogram::HistogramSnapshot;

use super::buckets::Layout;
use super::histogram_point::{Point, Value, attributes_field};
use super::series::{Due, Series};
use super::totals::Totals;
use crate::options::Sum;
use crate::otlp::wire::{self, Descriptor, Entry, Moment};

/// Histograms of one row, by index of the series.
#[derive(Debug, Default)]
pub(super) struct Histograms {
    series: Vec<Option<HistogramSeries>>,
    /// Series whose scale has changed, with what they still have to send.
    superseded: Vec<HistogramSeries>,
}

/// What a new series begins with.
pub(super) struct Beginning<'a> {
    pub(super) start_ns: u64,
    pub(super) attributes: &'a [KeyValue],
    /// The values at the attachment.
    pub(super) base: Totals,
    pub(super) sum: Sum,
}

/// One series: its life and its totals, on the buckets of the source.
#[derive(Debug)]
pub(super) struct HistogramSeries {
    life: Series,
    layout: Arc<Layout>,
    /// Encoded attributes.
    attributes: Box<[u8]>,
    sum: SumSource,
    recorded: Totals,
    /// Whether the last recording had a measured sum.
    sum_is_known: bool,
    sent: Totals,
    /// What points count from: the values at the attachment; of deltas, the last that were taken.
    base: Totals,
    due: Due,
    staged: Staged,
}

/// The value of the next point.
#[derive(Debug, Default)]
struct Staged {
    /// Counts since the base, by bucket of the source; empty where the base is.
    since: Vec<u64>,
    /// Counts by bucket of OTLP; empty where these are the buckets of the source.
    merged: Vec<u64>,
    count: u64,
    sum_s: Option<f64>,
}

/// Where the sum comes from, for the life of the series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SumSource {
    Measured,
    Estimated,
    Absent,
}

impl Histograms {
    /// Records what a source holds of a series on this layout. Another scale than before begins a
    /// new series under the same attributes.
    pub(super) fn record<'a>(
        &mut self,
        index: usize,
        now: Moment,
        layout: &Arc<Layout>,
        snapshot: &HistogramSnapshot,
        is_delta: bool,
        begin: impl FnOnce() -> Beginning<'a>,
    ) {
        if self.series.len() <= index {
            self.series.resize_with(index + 1, || None);
        }
        let slot = &mut self.series[index];
        match slot {
            Some(series) if Arc::ptr_eq(&series.layout, layout) => series.record(now, snapshot),
            _ => {
                let mut next = HistogramSeries::new(layout.clone(), begin(), snapshot);
                if let Some(mut before) = slot.take() {
                    before.supersede_by(&mut next, is_delta);
                    self.superseded.push(before);
                }
                next.record(now, snapshot);
                *slot = Some(next);
            }
        }
    }

    /// Notes that a series goes on elsewhere under the same attributes.
    pub(super) fn supersede(&mut self, index: usize) {
        if let Some(mut series) = self.series.get_mut(index).and_then(Option::take) {
            let mut elsewhere = Series::new(0);
            series.life.supersede_by(&mut elsewhere, true);
            self.superseded.push(series);
        }
    }

    fn all(&self) -> impl Iterator<Item = &HistogramSeries> {
        self.superseded.iter().chain(self.series.iter().flatten())
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut HistogramSeries> {
        self.superseded.iter_mut().chain(self.series.iter_mut().flatten())
    }

    /// Settles what is due; whatever was sent before and has no outcome has failed. Returns whether
    /// a sum is estimated.
    pub(super) fn decide(&mut self, is_delta: bool, has_ended: bool) -> bool {
        let mut is_estimated = false;
        for series in self.all_mut() {
            series.life.failed();
            if has_ended {
                series.life.end();
            }
            series.decide(is_delta);
            is_estimated |= series.sum == SumSource::Estimated;
        }
        is_estimated
    }

    /// Lists the points of each series that has any due.
    pub(super) fn entries(&self, entries: &mut Vec<Entry>) {
        for series in self.all().filter(|series| series.due != Due::Nothing) {
            let len = |point: Point<'_>| Descriptor::point_field_len(point.len());
            entries.push(Entry { points: series.due.points(), len: series.points().map(len).sum() });
        }
    }

    /// Writes the points of the next series that has any due, from `from` on; returns where to go
    /// on.
    pub(super) fn put_next(
        &mut self,
        is_delta: bool,
        from: usize,
        request: usize,
        to: &mut BytesMut,
    ) -> Option<usize> {
        let is_due = |series: &HistogramSeries| series.due != Due::Nothing;
        let superseded = self.superseded.len();
        let rest = self.superseded.iter().map(Some).chain(self.series.iter().map(Option::as_ref)).skip(from);
        let place = from + rest.into_iter().position(|series| series.is_some_and(is_due))?;
        let series = match place.checked_sub(superseded) {
            Some(index) => self.series.get_mut(index)?.as_mut()?,
            None => self.superseded.get_mut(place)?,
        };
        for point in series.points() {
            Descriptor::put_before_point(to, point.len());
            point.put(to);
        }
        series.sent_in(request, is_delta);
        Some(place + 1)
    }

    pub(super) fn settle(&mut self, is_delta: bool, request: usize, is_taken: bool) {
        for series in self.all_mut().filter(|series| series.life.is_in(request)) {
            if is_taken { series.taken(is_delta) } else { series.life.failed() }
        }
        self.forget_superseded();
    }

    /// Forgets superseded series that have nothing left to send.
    pub(super) fn forget_superseded(&mut self) {
        self.superseded.retain(|series| !series.life.is_through(series.due));
    }

    pub(super) fn len(&self) -> usize {
        self.all().count()
    }

    /// Whether there is nothing left to send, now or later.
    pub(super) fn is_through(&self) -> bool {
        self.all().all(|series| series.life.is_through(series.due))
    }
}

impl HistogramSeries {
    fn new(layout: Arc<Layout>, begin: Beginning<'_>, snapshot: &HistogramSnapshot) -> Self {
        let sum = match (snapshot.sum_ns, begin.sum) {
            (Some(_), _) => SumSource::Measured,
            (None, Sum::Estimated) => SumSource::Estimated,
            (None, _) => SumSource::Absent,
        };
        Self {
            life: Series::new(begin.start_ns),
            attributes: wire::attributes(attributes_field(layout.buckets()), begin.attributes),
            layout,
            sum,
            recorded: begin.base.clone(),
            sum_is_known: false,
            sent: Totals::default(),
            base: begin.base,
            due: Due::Nothing,
            staged: Staged::default(),
        }
    }

    fn supersede_by(&mut self, next: &mut Self, is_delta: bool) {
        let counts_from_here = !is_delta || self.life.due(self.has_changed()).has_value();
        self.life.supersede_by(&mut next.life, counts_from_here);
    }

    fn record(&mut self, now: Moment, snapshot: &HistogramSnapshot) {
        self.recorded.raise(snapshot);
        self.sum_is_known = snapshot.sum_ns.is_some();
        self.life.record(now.time_ns);
    }

    /// Whether anything was counted since the base. A sum that grew alone was read ahead of its
    /// counts, and is sent with them.
    fn has_changed(&self) -> bool {
        self.recorded.counts_since(&self.base).any(|count| count > 0)
    }

    fn decide(&mut self, is_delta: bool) {
        self.due = self.life.due(!is_delta || self.has_changed());
        if self.due.has_value() {
            self.stage();
        }
    }

    fn stage(&mut self) {
        let Self { recorded, base, layout, staged, .. } = self;
        if !base.is_empty() {
            staged.since.clear();
            staged.since.extend(recorded.counts_since(base));
        }
        let since = if base.is_empty() { recorded.counts() } else { &staged.since };
        if !layout.is_one_to_one() {
            layout.merge(since, &mut staged.merged);
        }
        staged.count = total(since);
        let sum_ns: Option<u128> = match self.sum {
            SumSource::Measured if staged.count == 0 => Some(0),
            SumSource::Measured => self.sum_is_known.then(|| recorded.sum_ns_since(base).into()),
            SumSource::Estimated => Some(layout.estimate_ns(since, staged.count)),
            SumSource::Absent => None,
        };
        staged.sum_s = sum_ns.map(|sum_ns| sum_ns as f64 / 1e9);
    }

    /// The points that are due.
    fn points(&self) -> impl Iterator<Item = Point<'_>> {
        let (start_ns, time_ns) = self.life.interval_ns();
        let point = move |time_ns, value| Point {
            layout: &self.layout,
            attributes: &self.attributes,
            start_ns,
            time_ns,
            value,
        };
        let value = self.due.has_value().then(|| point(time_ns, Some(self.value())));
        let end = self.due.has_end().then(|| point(self.life.end_ns(), None));
        value.into_iter().chain(end)
    }

    fn value(&self) -> Value<'_> {
        let Self { recorded, base, layout, staged, .. } = self;
        let counts = match (layout.is_one_to_one(), base.is_empty()) {
            (false, _) => &staged.merged,
            (true, false) => &staged.since,
            (true, true) => recorded.counts(),
        };
        Value { counts, count: staged.count, sum_s: staged.sum_s }
    }

    fn sent_in(&mut self, request: usize, is_delta: bool) {
        if is_delta && self.due.has_value() {
            self.sent.copy_from(&self.recorded);
            if !self.sum_is_known {
                self.sent.keep_sum_of(&self.base);
            }
        }
        self.life.sent(request, self.due);
    }

    fn taken(&mut self, is_delta: bool) {
        let taken = self.life.taken(is_delta);
        if taken.value && is_delta {
            std::mem::swap(&mut self.base, &mut self.sent);
        }
        if taken.everything {
            self.due = Due::Nothing;
        }
    }
}

/// Whether points of this temporality count from what was taken last.
pub(super) fn is_delta(temporality: AggregationTemporality) -> bool {
    temporality == AggregationTemporality::Delta
}

/// The sum of the counts, at most `u64::MAX`.
fn total(counts: &[u64]) -> u64 {
    // In two halves, which cannot overflow: without a branch for each count.
    let (low, high) = counts
        .iter()
        .fold((0_u64, 0_u64), |(low, high), count| (low + (count & 0xFFFF_FFFF), high + (count >> 32)));
    u64::try_from(u128::from(low) + (u128::from(high) << 32)).unwrap_or(u64::MAX)
}
