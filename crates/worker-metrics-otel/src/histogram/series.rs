//! One series: what was recorded, what of it was acknowledged, and what is due.
//!
//! Kept by the ledger. Never takes anything for delivered before it is acknowledged.

use std::sync::Arc;

use bytes::BytesMut;
use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality;
use worker_metrics::histogram::HistogramSnapshot;

use super::Sum;
use super::layout::Layout;
use super::point::{Point, Value};
use super::totals::Totals;
use crate::otlp::{Descriptor, Moment};

/// Which series of which attached source.
///
/// A series that has ended does not come back: a source that is attached again has a new number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SeriesId {
    /// Number of the attachment, never used twice.
    pub(crate) attachment: u64,
    /// Index in the catalogue.
    pub(crate) row: usize,
    /// Index among the series of the row.
    pub(crate) series: usize,
}

/// One series and its state at the receiver.
#[derive(Debug)]
pub(super) struct Series {
    descriptor: Arc<Descriptor>,
    layout: Arc<Layout>,
    /// As fields of a point.
    attributes: Box<[u8]>,
    sum: SumKind,
    recorded: Totals,
    recorded_ns: u64,
    /// Whether the last recording had what [`SumKind::Measured`] needs.
    sum_is_known: bool,
    /// What points count from: with delta temporality what was acknowledged last, otherwise nothing.
    base: Totals,
    /// When that was; at first, and with cumulative temporality always, when the attachment began.
    base_ns: u64,
    /// Whether the last recording was acknowledged.
    is_delivered: bool,
    /// Whether a point was ever sent: only then can a receiver know the series.
    is_known: bool,
    /// Last cycle in which the source had the series.
    seen: u64,
    /// Whether another series goes on under the same attributes.
    is_superseded: bool,
    in_flight: Option<InFlight>,
    staged: Staged,
}

/// What the next point says.
#[derive(Debug, Default)]
struct Staged {
    /// By bucket of the source what was counted since the base, and by bucket of OTLP; buffers that most series never need.
    since: Vec<u64>,
    merged: Vec<u64>,
    count: u64,
    sum_s: Option<f64>,
    start_ns: u64,
    time_ns: u64,
    is_end: bool,
    is_due: bool,
}

/// Where the sum comes from, for the life of the series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SumKind {
    Measured,
    Estimated,
    Absent,
}

/// A point that was sent and not settled.
#[derive(Clone, Copy, Debug)]
struct InFlight {
    part: usize,
    is_end: bool,
}

/// What there is to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Value,
    End,
    Nothing,
    /// Nothing, now and later.
    Forget,
}

impl Series {
    /// A series that nothing was recorded of yet; `sum` and `snapshot` decide where its sum comes from.
    pub(super) fn new(
        descriptor: Arc<Descriptor>,
        layout: Arc<Layout>,
        attributes: Box<[u8]>,
        start_ns: u64,
        sum: Sum,
        snapshot: &HistogramSnapshot,
    ) -> Self {
        let sum = match (snapshot.sum_ns, sum) {
            (Some(_), _) => SumKind::Measured,
            (None, Sum::Estimated) => SumKind::Estimated,
            (None, Sum::Measured) => SumKind::Absent,
        };
        Self {
            descriptor,
            layout,
            attributes,
            sum,
            recorded: Totals::default(),
            recorded_ns: start_ns,
            sum_is_known: false,
            base: Totals::default(),
            base_ns: start_ns,
            is_delivered: true,
            is_known: false,
            seen: 0,
            is_superseded: false,
            in_flight: None,
            staged: Staged::default(),
        }
    }

    /// Lets `next` go on under the same attributes from where this series ends; returns this one, which may have something to
    /// deliver.
    pub(super) fn supersede(&mut self, mut next: Self, temporality: AggregationTemporality) -> Self {
        let goes_on_from_here =
            self.is_value_due(temporality) || temporality != AggregationTemporality::Delta;
        next.base_ns = if goes_on_from_here { self.recorded_ns } else { self.base_ns };
        next.is_known = self.is_known;
        let mut superseded = std::mem::replace(self, next);
        superseded.is_superseded = true;
        superseded
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(super) fn is_of(&self, descriptor: &Arc<Descriptor>) -> bool {
        Arc::ptr_eq(&self.descriptor, descriptor)
    }

    pub(super) fn is_estimated(&self) -> bool {
        self.sum == SumKind::Estimated
    }

    /// Notes that the source still has the series, though nothing was read of it.
    pub(super) fn see(&mut self, now: Moment) {
        self.seen = now.cycle;
    }

    pub(super) fn record(&mut self, now: Moment, snapshot: &HistogramSnapshot) {
        self.see(now);
        self.recorded.raise(snapshot);
        self.recorded_ns = now.time_ns;
        self.sum_is_known = snapshot.sum_ns.is_some();
        self.is_delivered = false;
    }

    /// Whether nothing more is recorded of it.
    pub(super) fn has_ended(&self, now: Moment) -> bool {
        self.is_superseded || self.seen != now.cycle
    }

    /// What is due in this cycle. A series that has ended delivers what it had, then its end, unless nobody knows of it.
    pub(super) fn due(&self, now: Moment, temporality: AggregationTemporality) -> Due {
        match self.is_value_due(temporality) {
            true => Due::Value,
            false if self.is_superseded => Due::Forget,
            false if self.seen == now.cycle => Due::Nothing,
            false if self.is_known => Due::End,
            false => Due::Forget,
        }
    }

    /// A sum that grew alone was read ahead of the counts that it belongs to, and is delivered with those.
    fn is_value_due(&self, temporality: AggregationTemporality) -> bool {
        let has_changed = || self.recorded.counts_since(&self.base).any(|count| count > 0);
        !self.is_delivered && (temporality != AggregationTemporality::Delta || has_changed())
    }

    /// Prepares the point of what is due, if it is one, and tells its length.
    pub(super) fn stage(&mut self, due: Due, now: Moment) -> Option<usize> {
        self.staged.is_due = matches!(due, Due::Value | Due::End);
        let time_ns = match due {
            Due::Value => self.recorded_ns,
            Due::End => now.time_ns,
            Due::Nothing | Due::Forget => return None,
        };
        self.staged.is_end = due == Due::End;
        self.staged.time_ns = time_ns;
        // From the end of what was acknowledged, or from the start. A clock that was set back must not turn that round.
        self.staged.start_ns = self.base_ns.min(time_ns.saturating_sub(1));
        if due == Due::Value {
            self.stage_value();
        }
        Some(self.point().len())
    }

    /// Whether a point was prepared.
    pub(super) fn is_staged(&self) -> bool {
        self.staged.is_due
    }

    fn stage_value(&mut self) {
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
            SumKind::Measured if staged.count == 0 => Some(0),
            SumKind::Measured => self.sum_is_known.then(|| recorded.sum_ns_since(base).into()),
            SumKind::Estimated => Some(layout.estimate_ns(since, staged.count)),
            SumKind::Absent => None,
        };
        staged.sum_s = sum_ns.map(|sum_ns| sum_ns as f64 / 1e9);
    }

    fn point(&self) -> Point<'_> {
        let Self { recorded, base, layout, staged, attributes, .. } = self;
        let counts = match (layout.is_one_to_one(), base.is_empty()) {
            (false, _) => &staged.merged,
            (true, false) => &staged.since,
            (true, true) => recorded.counts(),
        };
        let value = Value { counts, count: staged.count, sum_s: staged.sum_s };
        Point {
            layout,
            attributes,
            start_ns: staged.start_ns,
            time_ns: staged.time_ns,
            value: (!staged.is_end).then_some(value),
        }
    }

    /// Writes the point that was prepared, and notes into which part.
    pub(super) fn put(&mut self, part: usize, to: &mut BytesMut) {
        self.point().put(to);
        self.is_known = true;
        self.in_flight = Some(InFlight { part, is_end: self.staged.is_end });
    }

    pub(super) fn is_in(&self, part: usize) -> bool {
        self.in_flight.is_some_and(|in_flight| in_flight.part == part)
    }

    /// Takes what was sent for lost.
    pub(super) fn fail(&mut self) {
        self.in_flight = None;
    }

    /// Takes what was sent for delivered; returns whether the series is over with that.
    pub(super) fn acknowledge(&mut self, temporality: AggregationTemporality) -> bool {
        let Some(InFlight { is_end, .. }) = self.in_flight.take() else { return false };
        if is_end {
            return true;
        }
        self.is_delivered = true;
        if temporality == AggregationTemporality::Delta {
            self.base.advance_counts(&self.recorded);
            if self.sum_is_known {
                self.base.advance_sum(&self.recorded);
            }
            self.base_ns = self.recorded_ns;
        }
        self.is_superseded
    }
}

/// The sum of the counts, at most `u64::MAX`.
fn total(counts: &[u64]) -> u64 {
    // In two halves, which cannot overflow: without a branch for each count.
    let (low, high) = counts
        .iter()
        .fold((0_u64, 0_u64), |(low, high), count| (low + (count & 0xFFFF_FFFF), high + (count >> 32)));
    u64::try_from(u128::from(low) + (u128::from(high) << 32)).unwrap_or(u64::MAX)
}
