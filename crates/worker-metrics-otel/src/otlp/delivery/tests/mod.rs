//! The facts of this module, and what their tests share.

mod buckets;
mod conservation;
mod cost;
mod destination;
mod exponential;
mod golden;
mod ledger;
mod limits;
mod numbers;
mod receiver;
mod requests;
mod rig;
mod source;
mod sum;
mod world;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{ExponentialHistogramDataPoint, HistogramDataPoint, Metric};
use opentelemetry_sdk::metrics::Temporality;
use prost::Message;
use worker_metrics::histogram::{HistogramSnapshot, Scale};

use self::rig::HistogramRig;
use crate::options::HistogramOptions;
use crate::otlp::wire::Request;

/// Seconds since 1970.
fn time(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn ns(seconds: u64) -> u64 {
    seconds * 1_000_000_000
}

fn snapshot(scale: &Scale, counts: &[u64], sum_ns: Option<u64>) -> HistogramSnapshot {
    HistogramSnapshot::new(scale, counts.iter().copied(), sum_ns)
}

/// Counts 1, 2, 3 and so on.
fn ascending(scale: &Scale) -> HistogramSnapshot {
    let counts: Vec<_> = (1..).take(scale.buckets()).collect();
    snapshot(scale, &counts, None)
}

/// What arrives: the metrics, decoded.
fn decoded(request: &Request) -> Vec<Metric> {
    let mut message = ExportMetricsServiceRequest::decode(request.body.clone()).expect("it is a request");
    assert_eq!(message.encode_to_vec(), request.body, "it is written as prost writes it");
    let [of_resource] = &mut message.resource_metrics[..] else { panic!("not one resource") };
    let [of_scope] = &mut of_resource.scope_metrics[..] else { panic!("not one scope") };
    std::mem::take(&mut of_scope.metrics)
}

/// The number of points of a metric.
fn points_of(metric: &Metric) -> usize {
    match metric.data.as_ref().expect("data") {
        Data::Gauge(gauge) => gauge.data_points.len(),
        Data::Sum(sum) => sum.data_points.len(),
        Data::Histogram(histogram) => histogram.data_points.len(),
        Data::ExponentialHistogram(histogram) => histogram.data_points.len(),
        Data::Summary(_) => panic!("a summary"),
    }
}

/// The number of points of a request.
fn points_in(request: &Request) -> usize {
    decoded(request).iter().map(points_of).sum()
}

/// The one metric that arrives.
fn exported(options: &HistogramOptions, temporality: Temporality, histogram: &HistogramSnapshot) -> Metric {
    let requests = HistogramRig::with_options(temporality, options.clone()).export(10, histogram);
    let [request] = &requests[..] else { panic!("{} requests", requests.len()) };
    let [metric] = &decoded(request)[..] else { panic!("not one metric") };
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

/// The explicit points of the one metric of an export.
fn points(requests: &[Request]) -> Vec<HistogramDataPoint> {
    let [request] = requests else { panic!("{} requests", requests.len()) };
    let [metric] = &decoded(request)[..] else { panic!("not one metric") };
    explicit_points(metric).to_vec()
}

/// The one explicit point of an export.
fn only_point(requests: &[Request]) -> HistogramDataPoint {
    let [point] = &points(requests)[..] else { panic!("not one point") };
    point.clone()
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
