//! The totals of one histogram, and its point.
//!
//! The cost follows the number of buckets, never what they count.

use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use worker_metrics::histogram::{ExponentialLayout, HistogramSnapshot};

use super::buckets::{Buckets, Layout};
use super::totals::Totals;
use crate::options::Sum;
use crate::otlp::wire::fields;
use crate::otlp::wire::{
    put_fixed64, put_fixed64_always, put_fixed64s, put_nested, put_number, put_varint, zigzag,
};

/// The totals of one series, on the buckets of the source.
#[derive(Debug)]
pub(super) struct HistogramValues {
    pub(super) layout: Arc<Layout>,
    /// What the sum is where it is not measured.
    sum: Sum,
    /// Whether the sum is measured, for the life of the series; `None` until something is recorded.
    sum_is_measured: Option<bool>,
    recorded: Totals,
    /// Whether the last recording had a measured sum.
    sum_is_known: bool,
    pub(super) sent: Totals,
    /// What points count from: the values at the attachment; of deltas, the last that were taken.
    pub(super) base: Totals,
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

impl HistogramValues {
    pub(super) fn new(layout: Arc<Layout>, base: Totals, sum: Sum) -> Self {
        Self {
            layout,
            sum,
            sum_is_measured: None,
            recorded: base.clone(),
            sum_is_known: false,
            sent: Totals::default(),
            base,
            staged: Staged::default(),
        }
    }

    pub(super) fn record(&mut self, snapshot: &HistogramSnapshot) {
        self.recorded.raise(snapshot);
        self.sum_is_known = snapshot.sum_ns.is_some();
        self.sum_is_measured.get_or_insert(self.sum_is_known);
    }

    /// Whether anything was counted since the base. A sum that grew alone was read ahead of its
    /// counts, and is sent with them.
    pub(super) fn has_changed(&self) -> bool {
        self.recorded.counts_since(&self.base).any(|count| count > 0)
    }

    pub(super) fn is_estimated(&self) -> bool {
        self.sum_is_measured == Some(false) && self.sum == Sum::Estimated
    }

    /// Computes the value of the next point.
    pub(super) fn stage(&mut self) {
        let (is_estimated, is_measured) = (self.is_estimated(), self.sum_is_measured == Some(true));
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
        let sum_ns = if is_estimated {
            Some(layout.estimate_ns(since, staged.count))
        } else if is_measured && staged.count == 0 {
            Some(0)
        } else {
            (is_measured && self.sum_is_known).then(|| recorded.sum_ns_since(base).into())
        };
        staged.sum_s = sum_ns.map(|sum_ns| sum_ns as f64 / 1e9);
    }

    /// The counts of the value by bucket of OTLP.
    fn counts(&self) -> &[u64] {
        match (self.layout.is_one_to_one(), self.base.is_empty()) {
            (false, _) => &self.staged.merged,
            (true, false) => &self.staged.since,
            (true, true) => self.recorded.counts(),
        }
    }

    pub(super) fn keep_sent(&mut self) {
        self.sent.copy_from(&self.recorded);
        if !self.sum_is_known {
            self.sent.keep_sum_of(&self.base);
        }
    }

    /// Writes a point of either kind of histogram, the fields in the order of their numbers,
    /// without minimum and maximum: they are not known. At the end of a series it has no value.
    pub(super) fn put(
        &self,
        attributes: &[u8],
        (start_ns, time_ns): (u64, u64),
        is_end: bool,
        to: &mut BytesMut,
    ) {
        if let Buckets::Exponential(_) = self.layout.buckets() {
            to.put_slice(attributes);
        }
        put_fixed64(to, fields::START, start_ns);
        put_fixed64(to, fields::TIME, time_ns);
        if !is_end {
            put_fixed64(to, fields::COUNT, self.staged.count);
            if let Some(sum_s) = self.staged.sum_s {
                put_fixed64_always(to, fields::SUM, sum_s.to_bits());
            }
        }
        match self.layout.buckets() {
            Buckets::Explicit(bounds) => {
                if !is_end {
                    put_fixed64s(to, fields::BUCKET_COUNTS, self.counts());
                    to.put_slice(bounds);
                }
                to.put_slice(attributes);
            }
            Buckets::Exponential(layout) if !is_end => {
                let counts = self.counts();
                put_number(to, fields::SCALE, zigzag(layout.scale));
                put_fixed64(to, fields::ZERO_COUNT, counts.first().copied().unwrap_or_default());
                put_positive(to, layout, counts.get(1..).unwrap_or_default());
                put_fixed64(to, fields::ZERO_THRESHOLD, layout.zero_threshold_s.to_bits());
            }
            Buckets::Exponential(_) => {}
        }
        if is_end {
            put_number(to, fields::HISTOGRAM_FLAGS, fields::NO_RECORDED_VALUE);
        }
    }
}

/// Writes the positive buckets from the first that is filled to the last.
fn put_positive(to: &mut BytesMut, layout: &ExponentialLayout, counts: &[u64]) {
    let first = counts.iter().position(|count| *count > 0).unwrap_or(0);
    let end = counts.iter().rposition(|count| *count > 0).map_or(first, |last| last + 1);
    let offset = (layout.offset..).nth(first).unwrap_or(layout.offset);
    put_nested(to, fields::POSITIVE, 0, |to| {
        put_number(to, fields::BUCKETS_OFFSET, zigzag(offset));
        if end > first {
            put_nested(to, fields::BUCKETS_COUNTS, 0, |to| {
                counts[first..end].iter().for_each(|&count| put_varint(to, count));
            });
        }
    });
}

/// The sum of the counts, at most `u64::MAX`.
fn total(counts: &[u64]) -> u64 {
    // In two halves, which cannot overflow: without a branch for each count.
    let (low, high) = counts
        .iter()
        .fold((0_u64, 0_u64), |(low, high), count| (low + (count & 0xFFFF_FFFF), high + (count >> 32)));
    u64::try_from(u128::from(low) + (u128::from(high) << 32)).unwrap_or(u64::MAX)
}
