//! Requests: how an export is cut, and what surrounds it.

use std::sync::Arc;

use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{Metric, ScopeMetrics};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::Temporality;
use prost::Message;
use worker_metrics::Counter;
use worker_metrics::Metric::{TaskPollDuration, TaskScheduleDuration, WorkerPolls};
use worker_metrics::histogram::Scale;

use super::rig::Rig;
use super::source::TestSource;
use super::{decoded, explicit_points, points_in, points_of, snapshot};
use crate::options::HistogramOptions;
use crate::otlp::wire::{Envelope, Limits, Request, Requests};

/// 20 series of each of two histograms and one counter.
fn rig(limits: Limits) -> (Rig, Arc<TestSource>) {
    let rig = Rig::new(Temporality::Delta, HistogramOptions::default(), limits);
    let source = TestSource::new("pool", 20, &[TaskPollDuration, TaskScheduleDuration, WorkerPolls]);
    rig.attach(&source, 1);
    (rig, source)
}

fn export(rig: &mut Rig, source: &TestSource, seconds: u64, count: u64) -> Vec<Request> {
    source.set(|values| {
        for worker in values.workers_mut() {
            worker.poll_time_histogram = snapshot(&Scale::preset(), &[count; 23], None);
            worker.schedule_latency_histogram = worker.poll_time_histogram.clone();
            worker.set_count(Counter::Polls, count);
        }
    });
    rig.export(seconds)
}

fn requests(limits: Limits) -> Vec<Request> {
    let (mut rig, source) = rig(limits);
    export(&mut rig, &source, 10, 1)
}

fn message(request: &Request) -> ScopeMetrics {
    ScopeMetrics { metrics: decoded(request), ..ScopeMetrics::default() }
}

#[test]
fn an_export_within_the_limits_is_one_request() {
    let requests = requests(Limits::default());
    assert_eq!(requests.len(), 1);
    assert_eq!((points_in(&requests[0]), decoded(&requests[0]).len()), (60, 3));
}

#[test]
fn no_request_exceeds_the_limits_and_together_they_are_everything() {
    let all = requests(Limits::default());
    // Points as text, by the name of their metric.
    let of = |requests: &[Request], name: &str| -> Vec<String> {
        let metrics = requests.iter().flat_map(decoded).filter(|metric| metric.name.ends_with(name));
        let points = |metric: Metric| {
            let bytes = metric.encode_to_vec();
            let points = match metric.data.expect("data") {
                opentelemetry_proto::tonic::metrics::v1::metric::Data::Histogram(histogram) => {
                    histogram.data_points.iter().map(|point| format!("{point:?}")).collect::<Vec<_>>()
                }
                opentelemetry_proto::tonic::metrics::v1::metric::Data::Sum(sum) => {
                    sum.data_points.iter().map(|point| format!("{point:?}")).collect()
                }
                _ => panic!("{bytes:?}"),
            };
            assert!(!points.is_empty());
            points
        };
        metrics.flat_map(points).collect()
    };
    let mut cut = 0;
    for limits in [
        Limits { points: 1, ..Limits::default() },
        Limits { points: 7, ..Limits::default() },
        Limits { points: 20, ..Limits::default() },
        Limits { points: 60, ..Limits::default() },
        Limits { bytes: 1_000, ..Limits::default() },
        Limits { bytes: 4_000, ..Limits::default() },
        Limits { bytes: 9_999, points: 9 },
    ] {
        let requests = requests(limits);
        for request in &requests {
            assert!((1..=limits.points).contains(&points_in(request)));
            let len = message(request).encoded_len();
            assert!(len <= limits.bytes, "{len} > {}", limits.bytes);
            assert!(decoded(request).iter().all(|metric| points_of(metric) > 0));
        }
        for name in ["task.poll.duration", "task.schedule.duration", "worker.polls"] {
            assert_eq!(of(&requests, name), of(&all, name));
            assert_eq!(of(&all, name).len(), 20);
        }
        cut += usize::from(requests.len() > 1);
    }
    assert_eq!(cut, 6);
}

#[test]
fn no_request_exceeds_any_number_of_bytes() {
    // Through the whole length of a point and of the head of a metric.
    for bytes in (1_000..2_500).step_by(3) {
        for request in requests(Limits { bytes, ..Limits::default() }) {
            let len = message(&request).encoded_len();
            assert!(len <= bytes, "{len} > {bytes}");
        }
    }
}

#[test]
fn bytes_are_used_up_before_a_request_ends() {
    let limit = 4_000;
    let requests = requests(Limits { bytes: limit, ..Limits::default() });
    assert!(requests.len() > 2);
    for request in &requests[..requests.len() - 1] {
        // Less than a point and the head of a metric is left.
        assert!(message(request).encoded_len() > limit - 800);
    }
}

#[test]
fn a_point_beyond_the_limit_has_a_request_of_its_own() {
    let requests = requests(Limits { bytes: 10, ..Limits::default() });
    assert_eq!(requests.len(), 60);
    assert!(requests.iter().all(|request| points_in(request) == 1));
}

#[test]
fn the_last_value_and_the_end_of_a_series_share_a_request_whatever_the_limit() {
    let mut rig =
        Rig::new(Temporality::Delta, HistogramOptions::default(), Limits { points: 1, ..Limits::default() });
    let source = TestSource::new("pool", 3, &[TaskPollDuration, WorkerPolls]);
    let attached = rig.attach(&source, 1);
    source.set(|values| {
        for worker in values.workers_mut() {
            worker.poll_time_histogram = snapshot(&Scale::preset(), &[1; 23], None);
            worker.set_count(Counter::Polls, 23);
        }
    });
    rig.detach(&attached, 5);
    let requests = rig.export(10);
    assert_eq!(requests.iter().map(points_in).collect::<Vec<_>>(), [2; 6]);
}

#[test]
fn each_request_is_settled_on_its_own() {
    let (mut rig, source) = rig(Limits { points: 15, ..Limits::default() });
    let first = export(&mut rig, &source, 10, 1);
    assert_eq!(first.iter().map(points_in).collect::<Vec<_>>(), [15; 4]);
    for (request, is_taken) in first.iter().zip([true, false, true, true]) {
        rig.ledger.settle(request.id, is_taken);
    }
    let again = export(&mut rig, &source, 20, 1);
    assert_eq!(again.iter().map(points_in).collect::<Vec<_>>(), [15]);
    let sent = |request: &Request| {
        let metrics = decoded(request);
        let points =
            metrics.iter().filter(|metric| metric.name.ends_with("duration")).flat_map(explicit_points);
        points.map(|point| point.attributes.clone()).collect::<Vec<_>>()
    };
    assert_eq!(sent(&again[0]), sent(&first[1]));
}

#[test]
fn a_request_names_resource_and_scope() {
    let resource = Resource::builder_empty()
        .with_schema_url([KeyValue::new("service.name", "shop")], "https://example.com/resource")
        .build();
    let scope = InstrumentationScope::builder("worker-metrics")
        .with_version("0.1.0")
        .with_schema_url("https://example.com/scope")
        .with_attributes([KeyValue::new("short", true)])
        .build();
    let (mut rig, source) = rig(Limits::default());
    rig.requests = Requests::new(Limits::default(), Envelope::new(&resource, &scope));
    let request = export(&mut rig, &source, 10, 1).remove(0);
    let message = ExportMetricsServiceRequest::decode(request.body.clone()).expect("it is a request");
    let [of_resource] = &message.resource_metrics[..] else { panic!("not one resource") };
    assert_eq!(of_resource.schema_url, "https://example.com/resource");
    let sent = of_resource.resource.as_ref().expect("a resource");
    assert_eq!(sent.attributes, [(&KeyValue::new("service.name", "shop")).into()]);
    let [of_scope] = &of_resource.scope_metrics[..] else { panic!("not one scope") };
    assert_eq!(of_scope.schema_url, "https://example.com/scope");
    let sent = of_scope.scope.as_ref().expect("a scope");
    assert_eq!((&*sent.name, &*sent.version), ("worker-metrics", "0.1.0"));
    assert_eq!(sent.attributes, [(&KeyValue::new("short", true)).into()]);
    assert_eq!(of_scope.metrics, decoded(&request));
    assert_eq!(message.encode_to_vec(), request.body);
}
