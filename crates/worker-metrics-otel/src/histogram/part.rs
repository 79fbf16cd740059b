//! An export cut into requests that backends accept.
//!
//! Built by the ledger at the end of a cycle, sent by the exporter. Never cuts a point.

use opentelemetry_proto::tonic::metrics::v1::Metric;
use prost::Message;

use super::metric::add;
use super::point::Point;

/// How much one request may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) points: usize,
    /// Encoded length of the metrics, without resource and scope. A single point that is longer has a request of its own.
    pub(crate) bytes: usize,
}

impl Default for Limits {
    /// Chronosphere takes fewer than 10,000 points a request and New Relic 10^6 bytes, of which a tenth is left for resource and
    /// scope (their documentation, read in November 2026).
    fn default() -> Self {
        Self { points: 8_000, bytes: 900_000 }
    }
}

/// Which request of which export it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PartId {
    pub(super) cycle: u64,
    pub(super) index: usize,
}

/// What goes into one request, and is settled as one.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) id: PartId,
    pub(crate) metrics: Vec<Metric>,
    /// Number of data points in all metrics, at least 1.
    pub(crate) points: usize,
}

/// Distributes points over parts.
pub(super) struct Parts {
    cycle: u64,
    limits: Limits,
    parts: Vec<Part>,
    /// Upper bound of the encoded length of the last part's metrics.
    bytes: usize,
    metric: Metric,
    /// Whether the last part has a message of `metric` yet.
    is_open: bool,
}

/// Bytes by which the length prefixes of a metric and of its data grow, at most, when points are added: both fit 32 bits.
const PREFIX_GROWTH: usize = 8;

impl Parts {
    pub(super) fn new(cycle: u64, limits: Limits) -> Self {
        Self { cycle, limits, parts: Vec::new(), bytes: 0, metric: Metric::default(), is_open: false }
    }

    /// Begins a metric, which appears where it has points.
    pub(super) fn begin_metric(&mut self, metric: Metric) {
        self.metric = metric;
        self.is_open = false;
    }

    /// Adds a point of the metric; returns in which part.
    pub(super) fn push(&mut self, point: Point) -> usize {
        let point_bytes = field_len(point.encoded_len());
        let metric_bytes = field_len(self.metric.encoded_len()) + PREFIX_GROWTH;
        let added_bytes = point_bytes + if self.is_open { 0 } else { metric_bytes };
        let is_full = self.parts.last().is_none_or(|part| {
            part.points >= self.limits.points || self.bytes + added_bytes > self.limits.bytes
        });
        let index = self.parts.len() - usize::from(!is_full);
        if is_full {
            let id = PartId { cycle: self.cycle, index };
            self.parts.push(Part { id, metrics: Vec::new(), points: 0 });
            self.bytes = 0;
            self.is_open = false;
        }
        let part = &mut self.parts[index];
        if !self.is_open {
            part.metrics.push(self.metric.clone());
            self.bytes += metric_bytes;
            self.is_open = true;
        }
        if let Some(metric) = part.metrics.last_mut() {
            add(metric, point);
        }
        part.points += 1;
        self.bytes += point_bytes;
        index
    }

    pub(super) fn into_parts(self) -> Vec<Part> {
        self.parts
    }
}

/// Bytes of a field that holds a message of this length: its number, below 16, the length, and the message.
fn field_len(message_len: usize) -> usize {
    1 + prost::length_delimiter_len(message_len) + message_len
}
