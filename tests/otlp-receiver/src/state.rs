//! Everything the receiver knows: the last state of every series, and what was counted. Changed by
//! the two servers through `Store`, read by `Receiver` and by the conditions of `wait_until`. Never
//! refuses a point: what a request says is shown, right or wrong.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest},
    common::v1::InstrumentationScope,
    logs::v1::ResourceLogs,
};
use prost::Message;

use crate::{
    Attributes, Document, Metric, Point, Protocol, Scope, Series, Temporality, Transport, Violation,
    accumulate::accumulate,
    attributes,
    history::History,
    point::{Incoming, Shape, points},
};

/// What a [`Receiver`](crate::Receiver) got so far.
///
/// A series is identified by resource, scope, metric (name, unit, type, monotonicity, temporality)
/// and attributes, whatever the order of the attributes.
///
/// * Cumulative series and gauges: the last point that arrived.
/// * Delta series: the total of all deltas since the series began, from the start time of the first
///   to the time of the last, so that the last state is everything received. Exponential histograms
///   of different scales are added at the finest scale that holds both; a histogram whose bounds
///   change begins anew.
/// * A point flagged "no recorded value" ends its series: the series is no longer shown. If it
///   comes back, it begins anew.
/// * Summaries are not stored.
#[derive(Debug, Default)]
pub struct State {
    connections: Connections,
    attempts: u64,
    exports: u64,
    no_recorded_values: u64,
    ended_series: u64,
    resource: Attributes,
    resources: Vec<Attributes>,
    scopes: Vec<Scope>,
    streams: BTreeMap<StreamKey, Stream>,
    /// The last one, and all of them where requests are kept.
    transports: Vec<Transport>,
    /// `None` if requests are not kept.
    requests: Option<Vec<ExportMetricsServiceRequest>>,
    logs: Vec<ResourceLogs>,
}

/// TCP connections that were accepted, whatever came of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connections {
    /// By the gRPC server.
    pub grpc: u64,
    /// By the HTTP server.
    pub http: u64,
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

    /// TCP connections that were accepted since the start, also those that are closed again.
    #[must_use]
    pub fn connections(&self) -> Connections {
        self.connections
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

    /// The log records with their resource and scope, in order of arrival.
    #[must_use]
    pub fn logs(&self) -> &[ResourceLogs] {
        &self.logs
    }

    pub(crate) fn accept_logs(&mut self, request: ExportLogsServiceRequest) {
        self.logs.extend(request.resource_logs);
    }

    /// How each request that arrived as a whole travelled, if requests are kept; otherwise the last
    /// one alone.
    #[must_use]
    pub fn transports(&self) -> &[Transport] {
        &self.transports
    }

    /// How the last request that arrived as a whole travelled.
    #[must_use]
    pub fn last_transport(&self) -> Option<&Transport> {
        self.transports.last()
    }

    /// The accepted requests in order of arrival; empty unless they are kept.
    #[must_use]
    pub fn requests(&self) -> &[ExportMetricsServiceRequest] {
        self.requests.as_deref().unwrap_or_default()
    }

    /// The distinct resources of all accepted requests, in order of arrival.
    #[must_use]
    pub fn resources(&self) -> &[Attributes] {
        &self.resources
    }

    /// The distinct scopes of all accepted requests, in order of arrival.
    #[must_use]
    pub fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// The series of the metrics of this name with all their points, sorted by identity.
    ///
    /// # Panics
    ///
    /// If requests are not kept, since there is nothing to look at then.
    #[must_use]
    pub fn series(&self, metric: &str) -> Vec<Series> {
        let mut series = self.history().into_series();
        series.retain(|series| series.metric == metric);
        series
    }

    /// The points of all series that cannot be right after those before them, in order of arrival.
    ///
    /// A request that a peer repeats because the answer was lost is a violation, too: its deltas
    /// overlap.
    ///
    /// # Panics
    ///
    /// If requests are not kept, since there is nothing to look at then.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.history().violations()
    }

    fn history(&self) -> History {
        History::new(self.requests.as_ref().expect("requests are kept: build with `keep_requests(true)`"))
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

    /// A connection was accepted.
    pub(crate) fn connected(&mut self, protocol: Protocol) {
        match protocol {
            Protocol::Grpc => self.connections.grpc += 1,
            Protocol::Http => self.connections.http += 1,
        }
    }

    /// A request arrived; as a whole if its transport is known.
    pub(crate) fn arrived(&mut self, transport: Option<Transport>) {
        self.attempts += 1;
        if self.requests.is_none() {
            self.transports.clear();
        }
        self.transports.extend(transport);
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
            if !self.resources.contains(&self.resource) {
                self.resources.push(self.resource.clone());
            }
            let resource = attributes::key(resource);
            for of_scope in of_resource.scope_metrics {
                let scope = of_scope.scope.unwrap_or_default();
                let shown = Scope::new(&scope, &of_scope.schema_url);
                if !self.scopes.contains(&shown) {
                    self.scopes.push(shown);
                }
                let scope = scope_key(scope);
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

/// A key for the scope, whatever the order of its attributes.
pub(crate) fn scope_key(scope: InstrumentationScope) -> Vec<u8> {
    let attributes = attributes::sorted(scope.attributes);
    InstrumentationScope { attributes, dropped_attributes_count: 0, ..scope }.encode_to_vec()
}
