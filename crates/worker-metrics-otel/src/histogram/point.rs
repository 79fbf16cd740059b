//! One data point as a message.
//!
//! Built by a series for each export. Knows neither what was acknowledged nor how the point travels.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets as Positive;
use opentelemetry_proto::tonic::metrics::v1::{
    DataPointFlags, ExponentialHistogramDataPoint, HistogramDataPoint,
};
use prost::Message;
use worker_metrics::histogram::ExponentialLayout;

use super::layout::{Buckets, Layout};

/// A point of either kind of histogram.
#[derive(Debug)]
pub(super) enum Point {
    Explicit(HistogramDataPoint),
    Exponential(ExponentialHistogramDataPoint),
}

/// Whose point it is, and of which time.
#[derive(Debug)]
pub(super) struct Stamp {
    pub(super) attributes: Vec<KeyValue>,
    pub(super) start_ns: u64,
    pub(super) time_ns: u64,
}

impl Point {
    /// A point of these counts by bucket of the source. It has no smallest and no largest value: they are not known.
    pub(super) fn value(
        layout: &Layout,
        stamp: Stamp,
        counts: impl Iterator<Item = u64>,
        sum_s: Option<f64>,
    ) -> Self {
        let counts = layout.merge(counts);
        let count = counts.iter().copied().fold(0, u64::saturating_add);
        match layout.buckets() {
            Buckets::Explicit(bounds_s) => Self::Explicit(HistogramDataPoint {
                count,
                sum: sum_s,
                bucket_counts: counts,
                explicit_bounds: bounds_s.to_vec(),
                ..stamp.into()
            }),
            Buckets::Exponential(layout) => Self::Exponential(ExponentialHistogramDataPoint {
                count,
                sum: sum_s,
                scale: layout.scale,
                zero_count: counts.first().copied().unwrap_or_default(),
                zero_threshold: layout.zero_threshold_s,
                positive: Some(positive(layout, counts)),
                ..stamp.into()
            }),
        }
    }

    /// A point that says that the series has ended.
    pub(super) fn end(layout: &Layout, stamp: Stamp) -> Self {
        let flags = DataPointFlags::NoRecordedValueMask as u32;
        match layout.is_exponential() {
            false => Self::Explicit(HistogramDataPoint { flags, ..stamp.into() }),
            true => Self::Exponential(ExponentialHistogramDataPoint { flags, ..stamp.into() }),
        }
    }

    pub(super) fn encoded_len(&self) -> usize {
        match self {
            Self::Explicit(point) => point.encoded_len(),
            Self::Exponential(point) => point.encoded_len(),
        }
    }
}

/// The positive buckets, without those of 0 at either end.
fn positive(layout: &ExponentialLayout, mut counts: Vec<u64>) -> Positive {
    let filled = |bucket: &u64| *bucket > 0;
    counts.truncate(counts.iter().rposition(filled).map_or(0, |last| last + 1));
    let first = counts.iter().skip(1).position(filled).unwrap_or(0);
    let offset = (layout.offset..).nth(first).unwrap_or(layout.offset);
    counts.drain(..counts.len().min(first + 1));
    Positive { offset, bucket_counts: counts }
}

impl From<Stamp> for HistogramDataPoint {
    fn from(Stamp { attributes, start_ns, time_ns }: Stamp) -> Self {
        Self { attributes, start_time_unix_nano: start_ns, time_unix_nano: time_ns, ..Self::default() }
    }
}

impl From<Stamp> for ExponentialHistogramDataPoint {
    fn from(Stamp { attributes, start_ns, time_ns }: Stamp) -> Self {
        Self { attributes, start_time_unix_nano: start_ns, time_unix_nano: time_ns, ..Self::default() }
    }
}
