//! The head of a metric: everything but its points.
//!
//! Made once for each metric of a destination; its text is encoded then.

use bytes::{BufMut, BytesMut};
use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality;

use super::encoding::{delimited_len, put_delimited, put_number, put_text};
use super::fields::{data, metric};

/// Appended to the description when the sum is estimated.
const ESTIMATE_NOTE: &str = " The sum is an estimate from the bucket bounds.";

/// Name, description and unit of a metric.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MetricInfo<'a> {
    pub(crate) name: &'a str,
    pub(crate) description: &'a str,
    pub(crate) unit: &'a str,
}

/// Kind of data that OTLP has for the points of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DataKind {
    Gauge,
    Sum { is_monotonic: bool },
    Histogram,
    ExponentialHistogram,
}

/// A metric without its points.
#[derive(Debug)]
pub(crate) struct Descriptor {
    name: String,
    unit: String,
    kind: DataKind,
    /// Encoded name, description and unit.
    head: Box<[u8]>,
    /// The same with [`ESTIMATE_NOTE`].
    head_of_estimate: Box<[u8]>,
}

impl DataKind {
    fn field(self) -> u8 {
        match self {
            Self::Gauge => metric::GAUGE,
            Self::Sum { .. } => metric::SUM,
            Self::Histogram => metric::HISTOGRAM,
            Self::ExponentialHistogram => metric::EXPONENTIAL_HISTOGRAM,
        }
    }

    /// Writes the fields that follow the points.
    fn put_tail(self, to: &mut impl BufMut, temporality: AggregationTemporality) {
        if self != Self::Gauge {
            put_number(to, data::TEMPORALITY, u64::from((temporality as i32).unsigned_abs()));
        }
        if self == (Self::Sum { is_monotonic: true }) {
            put_number(to, data::IS_MONOTONIC, 1);
        }
    }

    fn tail_len(self) -> usize {
        match self {
            Self::Gauge => 0,
            Self::Sum { is_monotonic: true } => 4,
            _ => 2,
        }
    }
}

impl Descriptor {
    pub(crate) fn new(info: &MetricInfo<'_>, kind: DataKind) -> Self {
        let &MetricInfo { name, description, unit } = info;
        let head = |note: &str| {
            let mut head = Vec::new();
            put_text(&mut head, metric::NAME, name);
            put_text(&mut head, metric::DESCRIPTION, &format!("{description}{note}"));
            put_text(&mut head, metric::UNIT, unit);
            head.into()
        };
        Self {
            name: name.into(),
            unit: unit.into(),
            kind,
            head: head(""),
            head_of_estimate: head(ESTIMATE_NOTE),
        }
    }

    pub(crate) fn is_of(&self, info: &MetricInfo<'_>, kind: DataKind) -> bool {
        self.kind == kind && self.name == info.name && self.unit == info.unit
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn head(&self, is_estimated: bool) -> &[u8] {
        if is_estimated { &self.head_of_estimate } else { &self.head }
    }

    /// Length of the metric as a field, around point fields of `points_len` bytes.
    pub(super) fn len(&self, is_estimated: bool, points_len: usize) -> usize {
        delimited_len(self.message_len(is_estimated, points_len))
    }

    fn message_len(&self, is_estimated: bool, points_len: usize) -> usize {
        self.head(is_estimated).len() + delimited_len(points_len + self.kind.tail_len())
    }

    /// Writes everything that precedes the points, as the field `number`.
    pub(super) fn put_before(&self, to: &mut BytesMut, number: u8, is_estimated: bool, points_len: usize) {
        put_delimited(to, number, self.message_len(is_estimated, points_len));
        to.put_slice(self.head(is_estimated));
        put_delimited(to, self.kind.field(), points_len + self.kind.tail_len());
    }

    /// Writes the key and the length that precede a point of `len` bytes.
    pub(crate) fn put_before_point(to: &mut BytesMut, len: usize) {
        put_delimited(to, data::POINTS, len);
    }

    /// Length of the field around a point of `len` bytes.
    pub(crate) fn point_field_len(len: usize) -> usize {
        delimited_len(len)
    }

    /// Writes everything that follows the points.
    pub(super) fn put_after(&self, to: &mut BytesMut, temporality: AggregationTemporality) {
        self.kind.put_tail(to, temporality);
    }
}
