//! The facts of this module, and what their tests share.

mod buckets;
mod conservation;
mod cost;
mod exponential;
mod golden;
mod ledger;
mod parts;
mod receiver;
mod sum;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{ExponentialHistogramDataPoint, HistogramDataPoint, Metric};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::Temporality;
use prost::Message;
use worker_metrics::histogram::{HistogramSnapshot, Scale};

use super::{HistogramOptions, Ledger, SeriesId};
use crate::otlp::{Envelope, Limits, MetricInfo, Outcome, Part, Requests};

const POLLS: MetricInfo<'_> =
    MetricInfo { name: "tokio.worker.poll.duration", description: "How long polls took.", unit: "s" };
const ACKNOWLEDGED: Outcome = Outcome::Acknowledged { rejected: 0 };

/// Seconds since 1970.
fn time(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn ns(seconds: u64) -> u64 {
    seconds * 1_000_000_000
}

fn id(attachment: u64) -> SeriesId {
    SeriesId { attachment, row: 3, series: 0 }
}

fn attributes(attachment: u64) -> [KeyValue; 1] {
    [KeyValue::new("series", i64::try_from(attachment).expect("small"))]
}

fn ledger(temporality: Temporality) -> Ledger {
    Ledger::new(temporality, HistogramOptions::default())
}

fn requests(limits: Limits) -> Requests {
    let scope = InstrumentationScope::builder("worker-metrics").build();
    Requests::new(limits, Envelope::new(&Resource::builder_empty().build(), &scope))
}

/// Ends a cycle, within the limits that are usual.
fn finish(ledger: &mut Ledger) -> Vec<Part> {
    finish_into(&mut requests(Limits::default()), ledger)
}

fn finish_into(requests: &mut Requests, ledger: &mut Ledger) -> Vec<Part> {
    let mut parts = Vec::new();
    requests.begin(ledger.cycle());
    ledger.finish(requests);
    requests.finish(&mut parts);
    parts
}

fn snapshot(scale: &Scale, counts: &[u64], sum_ns: Option<u64>) -> HistogramSnapshot {
    let mut snapshot = HistogramSnapshot::default();
    snapshot.fill(scale, counts.iter().copied(), sum_ns);
    snapshot
}

/// Counts 1, 2, 3 and so on.
fn ascending(scale: &Scale) -> HistogramSnapshot {
    let counts: Vec<_> = (1..).take(scale.buckets()).collect();
    snapshot(scale, &counts, None)
}

/// Runs a cycle that records one series, attached at 1 s; nothing where `snapshot` is `None`.
fn cycle(ledger: &mut Ledger, seconds: u64, snapshot: Option<&HistogramSnapshot>) -> Vec<Part> {
    ledger.begin(time(seconds));
    if let Some(snapshot) = snapshot {
        ledger.record(id(1), &POLLS, &attributes(1), time(1), snapshot);
    }
    finish(ledger)
}

fn settle_all(ledger: &mut Ledger, parts: &[Part], outcome: Outcome) {
    parts.iter().for_each(|part| ledger.settle(part.id, outcome));
}

/// What arrives: the metrics, decoded.
fn decoded(part: &Part) -> Vec<Metric> {
    let mut request = ExportMetricsServiceRequest::decode(part.message.clone()).expect("it is a request");
    assert_eq!(request.encode_to_vec(), part.message, "it is written as prost writes it");
    let [of_resource] = &mut request.resource_metrics[..] else { panic!("not one resource") };
    let [of_scope] = &mut of_resource.scope_metrics[..] else { panic!("not one scope") };
    std::mem::take(&mut of_scope.metrics)
}

/// The one metric that arrives.
fn exported(options: &HistogramOptions, temporality: Temporality, snapshot: &HistogramSnapshot) -> Metric {
    let mut ledger = Ledger::new(temporality, options.clone());
    let parts = cycle(&mut ledger, 10, Some(snapshot));
    let [part] = &parts[..] else { panic!("{} parts", parts.len()) };
    let [metric] = &decoded(part)[..] else { panic!("not one metric") };
    metric.clone()
}

fn explicit_points(metric: &Metric) -> &[HistogramDataPoint] {
    match &metric.data {
        Some(Data::Histogram(histogram)) => &histogram.data_points,
        other => panic!("not an explicit histogram: {other:?}"),
    }
}

fn explicit_point(metric: &Metric) -> HistogramDataPoint {
    let [point] = explicit_points(metric) else { panic!("not one point") };
    point.clone()
}

fn exponential_point(metric: &Metric) -> ExponentialHistogramDataPoint {
    match &metric.data {
        Some(Data::ExponentialHistogram(histogram)) => {
            let [point] = &histogram.data_points[..] else { panic!("not one point") };
            point.clone()
        }
        other => panic!("not an exponential histogram: {other:?}"),
    }
}

/// The one explicit point of a cycle.
fn only_point(parts: &[Part]) -> HistogramDataPoint {
    let [part] = parts else { panic!("{} parts", parts.len()) };
    let [metric] = &decoded(part)[..] else { panic!("not one metric") };
    explicit_point(metric)
}

fn exponential(scale: i32, min: Duration, max: Duration) -> Scale {
    Scale::exponential(scale, min, max).expect("valid")
}

/// One scale of each kind, and odd ones.
fn scales() -> Vec<Scale> {
    let (us, s) = (Duration::from_micros, Duration::from_secs);
    vec![
        Scale::preset(),
        Scale::log().build().expect("valid"),
        Scale::linear(us(100), 10).expect("valid"),
        Scale::linear(us(100), 1).expect("valid"),
        Scale::explicit(&[0.0, 0.001, 0.01, 0.1]).expect("valid"),
        Scale::from_bucket_ends_ns(&[5, 50, 500, 5_000]).expect("valid"),
        // The same number of seconds, several times over.
        Scale::from_bucket_ends_ns(&[7, 1 << 60, (1 << 60) + 1, (1 << 60) + 2, (1 << 60) + 999, u64::MAX])
            .expect("valid"),
        exponential(0, us(1), s(10)),
        exponential(3, us(1), s(10)),
        exponential(-4, us(1), s(10)),
        exponential(6, us(3), s(3)),
        exponential(1, Duration::ZERO, Duration::MAX),
    ]
}
