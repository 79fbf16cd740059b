//! What a metric says of itself, around its points.
//!
//! Made once for each metric of an exporter; its text is written then.

use bytes::{BufMut, BytesMut};
use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality;

use super::wire;

/// Who measures what is not estimated needs no note.
const ESTIMATE_NOTE: &str = " The sum is an estimate from the bucket bounds.";

/// What a row of the catalogue says of its metric.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MetricInfo<'a> {
    pub(crate) name: &'a str,
    pub(crate) description: &'a str,
    pub(crate) unit: &'a str,
}

/// How OTLP aggregates the points of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
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
    kind: Kind,
    /// Name, description and unit, as fields; and once more with the note of an estimate.
    head: Box<[u8]>,
    head_of_estimate: Box<[u8]>,
}

const NAME: u8 = 1;
const DESCRIPTION: u8 = 2;
const UNIT: u8 = 3;
const POINT: u8 = 1;
const TEMPORALITY: u8 = 2;
const IS_MONOTONIC: u8 = 3;

impl Kind {
    /// The field of the metric that holds the points.
    fn number(self) -> u8 {
        match self {
            Self::Gauge => 5,
            Self::Sum { .. } => 7,
            Self::Histogram => 9,
            Self::ExponentialHistogram => 10,
        }
    }

    /// What stands behind the points.
    fn put_tail(self, to: &mut impl BufMut, temporality: AggregationTemporality) {
        if self != Self::Gauge {
            wire::put_number(to, TEMPORALITY, u64::from((temporality as i32).unsigned_abs()));
        }
        if self == (Self::Sum { is_monotonic: true }) {
            wire::put_number(to, IS_MONOTONIC, 1);
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
    pub(crate) fn new(metric: &MetricInfo<'_>, kind: Kind) -> Self {
        let &MetricInfo { name, description, unit } = metric;
        let head = |note: &str| {
            let mut head = Vec::new();
            wire::put_text(&mut head, NAME, name);
            wire::put_text(&mut head, DESCRIPTION, &format!("{description}{note}"));
            wire::put_text(&mut head, UNIT, unit);
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

    pub(crate) fn is_of(&self, metric: &MetricInfo<'_>, kind: Kind) -> bool {
        self.name == metric.name && self.unit == metric.unit && self.kind == kind
    }

    fn head(&self, is_estimated: bool) -> &[u8] {
        if is_estimated { &self.head_of_estimate } else { &self.head }
    }

    /// Bytes of the metric, as a field, around fields of points of so many bytes.
    pub(super) fn len(&self, is_estimated: bool, points_len: usize) -> usize {
        wire::delimited_len(self.message_len(is_estimated, points_len))
    }

    fn message_len(&self, is_estimated: bool, points_len: usize) -> usize {
        self.head(is_estimated).len() + wire::delimited_len(points_len + self.kind.tail_len())
    }

    /// Everything before the points, as the field `number`.
    pub(super) fn put_before(&self, to: &mut BytesMut, number: u8, is_estimated: bool, points_len: usize) {
        wire::put_delimited(to, number, self.message_len(is_estimated, points_len));
        to.put_slice(self.head(is_estimated));
        wire::put_delimited(to, self.kind.number(), points_len + self.kind.tail_len());
    }

    /// What comes before each point.
    pub(crate) fn put_before_point(to: &mut BytesMut, len: usize) {
        wire::put_delimited(to, POINT, len);
    }

    /// Everything behind the points.
    pub(super) fn put_after(&self, to: &mut BytesMut, temporality: AggregationTemporality) {
        self.kind.put_tail(to, temporality);
    }
}
