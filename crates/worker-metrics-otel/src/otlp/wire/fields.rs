//! The numbers of the fields of OTLP metrics that are written by hand.
//!
//! **Source**: `opentelemetry/proto/metrics/v1/metrics.proto` and
//! `opentelemetry/proto/collector/metrics/v1/metrics_service.proto`.

use opentelemetry_proto::tonic::metrics::v1::DataPointFlags;

/// Flags of a point without a value: its series has ended.
pub(crate) const NO_RECORDED_VALUE: u64 = DataPointFlags::NoRecordedValueMask as u64;

// Of the messages around metrics.
pub(super) const REQUEST_RESOURCE_METRICS: u8 = 1;
pub(super) const RESOURCE_SCOPE_METRICS: u8 = 2;
pub(super) const SCOPE_METRICS: u8 = 2;

// `Metric`.
pub(super) const METRIC_GAUGE: u8 = 5;
pub(super) const METRIC_SUM: u8 = 7;
pub(super) const METRIC_HISTOGRAM: u8 = 9;
pub(super) const METRIC_EXPONENTIAL_HISTOGRAM: u8 = 10;

// `Gauge`, `Sum`, `Histogram` and `ExponentialHistogram`.
pub(crate) const POINTS: u8 = 1;

// Data points of every kind.
pub(crate) const START: u8 = 2;
pub(crate) const TIME: u8 = 3;

// `NumberDataPoint`.
pub(crate) const NUMBER_AS_DOUBLE: u8 = 4;
pub(crate) const NUMBER_AS_INT: u8 = 6;
pub(crate) const NUMBER_FLAGS: u8 = 8;

// Histogram points of both kinds.
pub(crate) const COUNT: u8 = 4;
pub(crate) const SUM: u8 = 5;
pub(crate) const HISTOGRAM_FLAGS: u8 = 10;

// `HistogramDataPoint`.
pub(crate) const BUCKET_COUNTS: u8 = 6;

// `ExponentialHistogramDataPoint`, and its buckets.
pub(crate) const SCALE: u8 = 6;
pub(crate) const ZERO_COUNT: u8 = 7;
pub(crate) const POSITIVE: u8 = 8;
pub(crate) const ZERO_THRESHOLD: u8 = 14;
pub(crate) const BUCKETS_OFFSET: u8 = 1;
pub(crate) const BUCKETS_COUNTS: u8 = 2;
