//! Everything the receiver knows: the last state of every series, and what was counted.
//! Changed by the two servers through `Store`, read by `Receiver` and by the conditions of `wait_until`.
//! Never refuses a point: what a request says is shown, right or wrong.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest, common::v1::InstrumentationScope,
};
use prost::Message;

use crate::{
    Attributes, Document, Metric, Point, Temporality, Transport,
    accumulate::accumulate,
    attributes,
    point::{Incoming, Shape, points},
};

/// What a [`Receiver`](crate::Receiver) got so far.
///
/// A series is identified by resource, scope, metric (name, unit, type, monotonicity, temporality) and attributes, whatever
/// the order of the attributes.
///
/// * Cumulative series and gauges: the last point that arrived.
/// * Delta series: the total of all deltas since the series began, from the start time of the first to the time of the
///   last, so that the last state is everything received. Exponential histograms of different scales are added at the finest
///   scale that holds both; a histogram whose bounds change begins anew.
/// * A point flagged "no recorded value" ends its series: the series is no longer shown. If it comes back, it begins anew.
/// * Summaries are not stored.
#[derive(Debug, Default)]
pub struct State {
    attempts: u64,
    exports: u64,
    no_recorded_values: u64,
    ended_series: u64,
    resource: Attributes,
    streams: BTreeMap<StreamKey, Stream>,
    last_transport: Option<Transport>,
    /// `None` if requests are not kept.
    requests: Option<Vec<ExportMetricsServiceRequest>>,
}

/// The identity of a stream; name first, so that streams are sorted by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct StreamKey {
    name: String,
    resource: Vec<u8>,
    scope: Vec<u8>,
    unit: String,
    shape: Shape,
}

/// A metric of one resource and scope, with its live series by the key of their attributes.
#[derive(Debug, Default)]
struct Stream {
    description: String,
    series: BTreeMap<Vec<u8>, Point>,
}

impl State {
    pub(crate) fn new(keep_requests: bool) -> Self {
        Self { requests: keep_requests.then(Vec::new), ..Self::default() }
    }

    /// Requests that arrived, on either port, whatever became of them.
    #[must_use]
    pub fn attempts(&self) -> u64 {
        self.attempts
    }

    /// Requests that were accepted, that is stored and acknowledged.
    #[must_use]
    pub fn exports(&self) -> u64 {
        self.exports
    }

    /// Points that were flagged "no recorded value".
    #[must_use]
    pub fn no_recorded_values(&self) -> u64 {
        self.no_recorded_values
    }

    /// Series that were live and that a point flagged "no recorded value" ended.
    #[must_use]
    pub fn ended_series(&self) -> u64 {
        self.ended_series
    }

    /// Series that are live.
    #[must_use]
    pub fn live_series(&self) -> usize {
        self.streams.values().map(|stream| stream.series.len()).sum()
    }

    /// How the last request that arrived as a whole travelled.
    #[must_use]
    pub fn last_transport(&self) -> Option<&Transport> {
        self.last_transport.as_ref()
    }

    /// The accepted requests in order of arrival; empty unless they are kept.
    #[must_use]
    pub fn requests(&self) -> &[ExportMetricsServiceRequest] {
        self.requests.as_deref().unwrap_or_default()
    }

    /// The last state of every series.
    #[must_use]
    pub fn document(&self) -> Document {
        let metrics = self.streams.iter().map(|(key, stream)| {
            let mut points: Vec<_> = stream.series.values().cloned().collect();
            points.sort_by(|a, b| attributes::compare(&a.attributes, &b.attributes));
            Metric {
                name: key.name.clone(),
                description: stream.description.clone(),
                unit: key.unit.clone(),
                kind: key.shape.kind,
                monotonic: key.shape.monotonic,
                temporality: key.shape.temporality,
                points,
            }
        });
        Document { resource: self.resource.clone(), metrics: metrics.collect(), exports: self.exports }
    }

    /// A request arrived; as a whole if its transport is known.
    pub(crate) fn arrived(&mut self, transport: Option<Transport>) {
        self.attempts += 1;
        if transport.is_some() {
            self.last_transport = transport;
        }
    }

    /// A request is accepted.
    pub(crate) fn accept(&mut self, request: ExportMetricsServiceRequest) {
        self.exports += 1;
        if let Some(requests) = &mut self.requests {
            requests.push(request.clone());
        }
        for of_resource in request.resource_metrics {
            let resource = of_resource.resource.unwrap_or_default().attributes;
            self.resource = attributes::to_json(&resource);
            let resource = attributes::key(resource);
            for of_scope in of_resource.scope_metrics {
                let scope = scope_key(of_scope.scope.unwrap_or_default());
                for metric in of_scope.metrics {
                    let Some((shape, points)) = points(metric.data) else { continue };
                    let key = StreamKey {
                        name: metric.name,
                        resource: resource.clone(),
                        scope: scope.clone(),
                        unit: metric.unit,
                        shape,
                    };
                    self.take(key, metric.description, points);
                }
            }
        }
    }

    fn take(&mut self, key: StreamKey, description: String, points: Vec<Incoming>) {
        let delta = key.shape.temporality == Some(Temporality::Delta);
        let stream = self.streams.entry(key.clone()).or_default();
        stream.description = description;
        for point in points {
            let json = attributes::to_json(&point.attributes);
            let series = attributes::key(point.attributes);
            let Some(data) = point.data else {
                self.no_recorded_values += 1;
                self.ended_series += u64::from(stream.series.remove(&series).is_some());
                continue;
            };
            let point = Point {
                attributes: json,
                start_time_unix_nano: point.start_time_unix_nano,
                time_unix_nano: point.time_unix_nano,
                data,
            };
            match stream.series.get_mut(&series) {
                Some(total) if delta => accumulate(total, point),
                Some(last) => *last = point,
                None => _ = stream.series.insert(series, point),
            }
        }
        if stream.series.is_empty() {
            self.streams.remove(&key);
        }
    }
}

fn scope_key(scope: InstrumentationScope) -> Vec<u8> {
    let attributes = attributes::sorted(scope.attributes);
    InstrumentationScope { attributes, dropped_attributes_count: 0, ..scope }.encode_to_vec()
}
