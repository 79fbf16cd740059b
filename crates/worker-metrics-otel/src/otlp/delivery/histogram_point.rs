//! A histogram data point, written as the fields of its message.

use bytes::{BufMut, BytesMut};
use worker_metrics::histogram::ExponentialLayout;

use super::buckets::{Buckets, Layout};
use crate::otlp::wire::{self, fields};
use fields::{explicit, exponential, histogram, point};

/// A point of either kind of histogram, without minimum and maximum: they are not known.
#[derive(Debug)]
pub(super) struct Point<'a> {
    pub(super) layout: &'a Layout,
    /// Encoded with the field number of [`attributes_field`].
    pub(super) attributes: &'a [u8],
    pub(super) start_ns: u64,
    pub(super) time_ns: u64,
    /// `None` at the end of a series: no recorded value.
    pub(super) value: Option<Value<'a>>,
}

#[derive(Debug)]
pub(super) struct Value<'a> {
    /// Counts by bucket of OTLP.
    pub(super) counts: &'a [u64],
    pub(super) count: u64,
    pub(super) sum_s: Option<f64>,
}

/// The number of the field that holds an attribute.
pub(super) fn attributes_field(buckets: &Buckets) -> u8 {
    match buckets {
        Buckets::Explicit(_) => explicit::ATTRIBUTES,
        Buckets::Exponential(_) => exponential::ATTRIBUTES,
    }
}

impl Point<'_> {
    /// Length of the message.
    pub(super) fn len(&self) -> usize {
        let common =
            self.attributes.len() + wire::fixed64_len(self.start_ns) + wire::fixed64_len(self.time_ns);
        let Some(value) = &self.value else { return common + wire::number_len(fields::NO_RECORDED_VALUE) };
        let common = common
            + wire::fixed64_len(value.count)
            + if value.sum_s.is_some() { wire::FIXED64_LEN } else { 0 };
        match self.layout.buckets() {
            Buckets::Explicit(bounds) => common + wire::fixed64s_len(value.counts.len()) + bounds.len(),
            Buckets::Exponential(layout) => {
                common
                    + wire::number_len(wire::zigzag(layout.scale))
                    + wire::fixed64_len(value.zero_count())
                    + wire::delimited_len(Positive::of(layout, value.counts).len())
                    + wire::fixed64_len(layout.zero_threshold_s.to_bits())
            }
        }
    }

    /// Writes the fields in the order of their numbers.
    pub(super) fn put(&self, to: &mut BytesMut) {
        match self.layout.buckets() {
            Buckets::Explicit(bounds) => {
                self.put_common(to);
                if let Some(value) = &self.value {
                    wire::put_fixed64s(to, explicit::BUCKET_COUNTS, value.counts);
                    to.put_slice(bounds);
                }
                to.put_slice(self.attributes);
                self.put_flags(to);
            }
            Buckets::Exponential(layout) => {
                to.put_slice(self.attributes);
                self.put_common(to);
                if let Some(value) = &self.value {
                    wire::put_number(to, exponential::SCALE, wire::zigzag(layout.scale));
                    wire::put_fixed64(to, exponential::ZERO_COUNT, value.zero_count());
                    Positive::of(layout, value.counts).put(to);
                    wire::put_fixed64(to, exponential::ZERO_THRESHOLD, layout.zero_threshold_s.to_bits());
                }
                self.put_flags(to);
            }
        }
    }

    fn put_common(&self, to: &mut BytesMut) {
        wire::put_fixed64(to, point::START, self.start_ns);
        wire::put_fixed64(to, point::TIME, self.time_ns);
        let Some(value) = &self.value else { return };
        wire::put_fixed64(to, histogram::COUNT, value.count);
        if let Some(sum_s) = value.sum_s {
            wire::put_fixed64_always(to, histogram::SUM, sum_s.to_bits());
        }
    }

    fn put_flags(&self, to: &mut BytesMut) {
        if self.value.is_none() {
            wire::put_number(to, histogram::FLAGS, fields::NO_RECORDED_VALUE);
        }
    }
}

impl Value<'_> {
    fn zero_count(&self) -> u64 {
        self.counts.first().copied().unwrap_or_default()
    }
}

/// The positive buckets from the first that is filled to the last.
struct Positive<'a> {
    offset: i32,
    counts: &'a [u64],
}

impl<'a> Positive<'a> {
    fn of(layout: &ExponentialLayout, counts: &'a [u64]) -> Self {
        let positive = counts.get(1..).unwrap_or_default();
        let filled = |bucket: &u64| *bucket > 0;
        let first = positive.iter().position(filled).unwrap_or(0);
        let end = positive.iter().rposition(filled).map_or(first, |last| last + 1);
        Self {
            offset: (layout.offset..).nth(first).unwrap_or(layout.offset),
            counts: positive.get(first..end).unwrap_or_default(),
        }
    }

    fn counts_len(&self) -> usize {
        self.counts.iter().map(|&count| wire::varint_len(count)).sum()
    }

    fn len(&self) -> usize {
        let counts = if self.counts.is_empty() { 0 } else { wire::delimited_len(self.counts_len()) };
        wire::number_len(wire::zigzag(self.offset)) + counts
    }

    fn put(&self, to: &mut BytesMut) {
        wire::put_delimited(to, exponential::POSITIVE, self.len());
        wire::put_number(to, exponential::BUCKETS_OFFSET, wire::zigzag(self.offset));
        if !self.counts.is_empty() {
            wire::put_delimited(to, exponential::BUCKETS_COUNTS, self.counts_len());
            self.counts.iter().for_each(|&count| wire::put_varint(to, count));
        }
    }
}
