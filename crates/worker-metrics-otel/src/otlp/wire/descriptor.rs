//! The head of a metric: everything but its points.
//!
//! Made once for each metric of a destination, and encoded then.

use bytes::BufMut;
use opentelemetry::KeyValue;
use opentelemetry_proto::tonic::common::v1::KeyValue as Attribute;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint, Sum,
};
use prost::Message;
use worker_metrics::Definition;

use super::encoding::{delimited_len, put_delimited};
use super::fields;

/// Appended to the description when the sum is estimated.
const ESTIMATE_NOTE: &str = " The sum is an estimate from the bucket bounds.";

/// Kind of data that OTLP has for the points of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DataKind {
    Gauge,
    Sum { is_monotonic: bool },
    Histogram,
    ExponentialHistogram,
}

/// Encodes attributes as fields of a point.
pub(crate) fn encoded_attributes(kind: DataKind, attributes: &[KeyValue]) -> Box<[u8]> {
    let attributes = attributes.iter().map(Attribute::from).collect();
    let fields = match kind {
        DataKind::Gauge | DataKind::Sum { .. } => {
            NumberDataPoint { attributes, ..NumberDataPoint::default() }.encode_to_vec()
        }
        DataKind::Histogram => {
            HistogramDataPoint { attributes, ..HistogramDataPoint::default() }.encode_to_vec()
        }
        DataKind::ExponentialHistogram => {
            ExponentialHistogramDataPoint { attributes, ..Default::default() }.encode_to_vec()
        }
    };
    fields.into()
}

/// A metric without its points.
#[derive(Debug)]
pub(crate) struct Descriptor {
    name: String,
    unit: &'static str,
    kind: DataKind,
    /// Encoded name, description and unit.
    head: Vec<u8>,
    /// The same with [`ESTIMATE_NOTE`].
    head_of_estimate: Vec<u8>,
    /// The fields of the data that follow the points.
    tail: Vec<u8>,
}

impl Descriptor {
    pub(crate) fn new(name: &str, definition: &Definition, kind: DataKind, is_delta: bool) -> Self {
        let (name, unit) = (name.to_owned(), definition.unit);
        let head = |note: &str| {
            let description = format!("{}{note}", definition.description);
            Metric { name: name.clone(), description, unit: unit.to_owned(), ..Metric::default() }
                .encode_to_vec()
        };
        let temporality = match is_delta {
            true => AggregationTemporality::Delta,
            false => AggregationTemporality::Cumulative,
        };
        // The temporality of histograms has the same field.
        let tail = Sum {
            data_points: Vec::new(),
            aggregation_temporality: temporality.into(),
            is_monotonic: kind == DataKind::Sum { is_monotonic: true },
        };
        let tail = if kind == DataKind::Gauge { Vec::new() } else { tail.encode_to_vec() };
        Self { head: head(""), head_of_estimate: head(ESTIMATE_NOTE), name, unit, kind, tail }
    }

    pub(crate) fn is_of(&self, name: &str, definition: &Definition, kind: DataKind) -> bool {
        self.kind == kind && self.name == name && self.unit == definition.unit
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn head(&self, is_estimated: bool) -> &[u8] {
        if is_estimated { &self.head_of_estimate } else { &self.head }
    }

    fn message_len(&self, is_estimated: bool, points_len: usize) -> usize {
        self.head(is_estimated).len() + delimited_len(points_len + self.tail.len())
    }

    /// Length of everything that precedes point fields of `points_len` bytes.
    pub(super) fn before_len(&self, is_estimated: bool, points_len: usize) -> usize {
        delimited_len(self.message_len(is_estimated, points_len)) - points_len - self.tail.len()
    }

    /// Writes everything that precedes the points.
    pub(super) fn put_before(&self, to: &mut impl BufMut, is_estimated: bool, points_len: usize) {
        let field = match self.kind {
            DataKind::Gauge => fields::METRIC_GAUGE,
            DataKind::Sum { .. } => fields::METRIC_SUM,
            DataKind::Histogram => fields::METRIC_HISTOGRAM,
            DataKind::ExponentialHistogram => fields::METRIC_EXPONENTIAL_HISTOGRAM,
        };
        put_delimited(to, fields::SCOPE_METRICS, self.message_len(is_estimated, points_len));
        to.put_slice(self.head(is_estimated));
        put_delimited(to, field, points_len + self.tail.len());
    }

    /// Everything that follows the points.
    pub(super) fn tail(&self) -> &[u8] {
        &self.tail
    }
}
