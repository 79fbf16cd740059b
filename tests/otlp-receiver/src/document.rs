//! The JSON document: what the receiver got, as plain data.
//! Built by `State::document`, written by the quickstart's `--json`, read back by tests.
//! Never knows the wire.

use serde::{Deserialize, Deserializer, Serialize};

use crate::{Attributes, attributes};

/// The last state of every series.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// The resource of the latest request that named one. Series of other resources are shown too,
    /// and apart, but without theirs.
    pub resource: Attributes,
    /// One entry for each stream, sorted by name. A name is repeated if several resources or scopes
    /// have it, or if it came with different units, types or temporalities.
    pub metrics: Vec<Metric>,
    /// Requests that were accepted.
    pub exports: u64,
}

impl Document {
    /// The first metric of this name.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<&Metric> {
        self.metrics.iter().find(|metric| metric.name == name)
    }
}

/// A metric of one resource and scope, with its series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// The name.
    pub name: String,
    /// The description, as the latest request had it.
    pub description: String,
    /// The unit.
    pub unit: String,
    /// What the points are.
    #[serde(rename = "type")]
    pub kind: MetricType,
    /// Whether a sum only grows. Absent for all but sums.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monotonic: Option<bool>,
    /// How the peer sent the points. Absent for gauges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temporality: Option<Temporality>,
    /// One point for each series, sorted by attributes. With [`Temporality::Delta`] a point is the
    /// total of all deltas received, from the start of the first to the time of the last.
    pub points: Vec<Point>,
}

impl Metric {
    /// The point with exactly these attributes, in any order.
    ///
    /// A value that is no string is named by its JSON: `("worker", "3")`, `("idle", "true")`.
    #[must_use]
    pub fn point(&self, attributes: &[(&str, &str)]) -> Option<&Point> {
        self.points.iter().find(|point| {
            point.attributes.len() == attributes.len()
                && attributes.iter().all(|(name, text)| {
                    point.attributes.get(*name).is_some_and(|value| attributes::reads_as(value, text))
                })
        })
    }
}

/// What the points of a metric are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricType {
    /// A sum of increments.
    Sum,
    /// A value of its own.
    Gauge,
    /// A histogram with explicit bounds.
    Histogram,
    /// A histogram with base-2 exponential buckets.
    ExponentialHistogram,
}

/// What a point covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Temporality {
    /// The time since the start of the series.
    Cumulative,
    /// The time since the point before.
    Delta,
    /// The peer did not say, which OTLP forbids. Handled like cumulative.
    Unspecified,
}

/// The last state of one series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// What tells the series from the others of its metric.
    pub attributes: Attributes,
    /// When counting began, in nanoseconds since 1970; 0 if the peer did not say.
    pub start_time_unix_nano: u64,
    /// When the value held, in nanoseconds since 1970.
    pub time_unix_nano: u64,
    /// The value.
    #[serde(flatten)]
    pub data: Data,
}

impl Point {
    /// The value of a sum or a gauge.
    #[must_use]
    pub fn value(&self) -> Option<Number> {
        match self.data {
            Data::Number { value } => Some(value),
            _ => None,
        }
    }

    /// The value of a histogram with explicit bounds.
    #[must_use]
    pub fn histogram(&self) -> Option<&Histogram> {
        match &self.data {
            Data::Histogram(histogram) => Some(histogram),
            _ => None,
        }
    }

    /// The value of an exponential histogram.
    #[must_use]
    pub fn exponential_histogram(&self) -> Option<&ExponentialHistogram> {
        match &self.data {
            Data::ExponentialHistogram(histogram) => Some(histogram),
            _ => None,
        }
    }
}

/// The value of a point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Data {
    /// Of a sum or a gauge.
    Number {
        /// The value.
        value: Number,
    },
    /// Of a histogram with explicit bounds.
    Histogram(Histogram),
    /// Of an exponential histogram.
    ExponentialHistogram(ExponentialHistogram),
}

/// A value of a sum or a gauge, in the type that the peer sent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Number {
    /// A whole number.
    Int(i64),
    /// A fraction. JSON cannot hold NaN and infinity: they are written as `null`, which is read as
    /// NaN.
    Double(#[serde(deserialize_with = "null_is_nan")] f64),
}

impl Number {
    /// The number as a fraction; whole numbers above 2^53 lose their last digits.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Int(int) => int as f64,
            Self::Double(double) => double,
        }
    }

    /// The number if it was sent as a whole one.
    #[must_use]
    pub fn as_i64(self) -> Option<i64> {
        match self {
            Self::Int(int) => Some(int),
            Self::Double(_) => None,
        }
    }
}

/// Counts by explicit bounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// The number of values.
    pub count: u64,
    /// The sum of the values. Absent if the peer left it unset, once in a series of deltas being
    /// enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum: Option<f64>,
    /// The upper bounds of all buckets but the last, which has none.
    #[serde(deserialize_with = "nulls_are_nan")]
    pub bounds: Vec<f64>,
    /// The number of values in each bucket.
    pub bucket_counts: Vec<u64>,
}

/// Counts by base-2 exponential buckets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExponentialHistogram {
    /// The number of values.
    pub count: u64,
    /// The sum of the values. Absent if the peer left it unset, once in a series of deltas being
    /// enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum: Option<f64>,
    /// The resolution: bucket `i` holds the values in `(base^i, base^(i+1)]` with
    /// `base = 2^(2^-scale)`.
    pub scale: i32,
    /// The number of values that count as zero.
    pub zero_count: u64,
    /// How far from zero a value may be to count as zero.
    #[serde(deserialize_with = "null_is_nan")]
    pub zero_threshold: f64,
    /// The values above zero.
    pub positive: Buckets,
    /// The values below zero. Absent if there are no such buckets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub negative: Option<Buckets>,
}

/// A run of exponential buckets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buckets {
    /// The index of the first bucket.
    pub offset: i32,
    /// The number of values in each bucket.
    pub bucket_counts: Vec<u64>,
}

fn null_is_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

fn nulls_are_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    let bounds: Vec<Option<f64>> = Vec::deserialize(deserializer)?;
    Ok(bounds.into_iter().map(|bound| bound.unwrap_or(f64::NAN)).collect())
}
