//! Requests: how an export is cut, and what surrounds it.

use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{Metric, ScopeMetrics};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::Temporality;
use prost::Message;
use worker_metrics::histogram::Scale;

use super::{
    ACKNOWLEDGED, POLLS, attributes, decoded, explicit_points, finish_into, id, requests, snapshot, time,
};
use crate::histogram::{HistogramOptions, Ledger};
use crate::otlp::{Envelope, Limits, MetricInfo, Outcome, Part, Requests};

/// Records 20 series of each of two metrics.
fn record(ledger: &mut Ledger, requests: &mut Requests, seconds: u64, count: u64) -> Vec<Part> {
    let snapshot = snapshot(&Scale::preset(), &[count; 23], None);
    ledger.begin(time(seconds));
    for series in 0..40 {
        let metric = match series % 2 {
            0 => POLLS,
            _ => MetricInfo { name: "tokio.task.schedule.latency", ..POLLS },
        };
        ledger.record(id(series), &metric, &attributes(series), time(1), &snapshot);
    }
    finish_into(requests, ledger)
}

fn ledger() -> Ledger {
    Ledger::new(Temporality::Delta, HistogramOptions::default())
}

fn parts(limits: Limits) -> Vec<Part> {
    record(&mut ledger(), &mut requests(limits), 10, 1)
}

fn points(metrics: &[Metric]) -> usize {
    metrics.iter().map(|metric| explicit_points(metric).len()).sum()
}

#[test]
fn an_export_within_the_limits_is_one_part() {
    let parts = parts(Limits::default());
    assert_eq!(parts.len(), 1);
    let metrics = decoded(&parts[0]);
    assert_eq!((parts[0].id.points, points(&metrics), metrics.len()), (40, 40, 2));
}

#[test]
fn no_part_exceeds_the_limits() {
    let all = parts(Limits::default());
    let mut cut = 0;
    for limits in [
        Limits { points: 1, ..Limits::default() },
        Limits { points: 7, ..Limits::default() },
        Limits { points: 20, ..Limits::default() },
        Limits { points: 40, ..Limits::default() },
        Limits { bytes: 1_000, ..Limits::default() },
        Limits { bytes: 4_000, ..Limits::default() },
        Limits { bytes: 9_999, points: 9 },
    ] {
        let parts = parts(limits);
        for part in &parts {
            assert!((1..=limits.points).contains(&part.id.points));
            assert_eq!(part.id.points, points(&decoded(part)));
            let message = ScopeMetrics { metrics: decoded(part), ..ScopeMetrics::default() };
            assert!(message.encoded_len() <= limits.bytes, "{} > {}", message.encoded_len(), limits.bytes);
            assert!(decoded(part).iter().all(|metric| !explicit_points(metric).is_empty()));
        }
        let of = |parts: &[Part], name: &str| -> Vec<_> {
            let metrics = parts.iter().flat_map(decoded);
            metrics
                .filter(|metric| metric.name == name)
                .flat_map(|metric| explicit_points(&metric).to_vec())
                .collect()
        };
        for name in [POLLS.name, "tokio.task.schedule.latency"] {
            assert_eq!(of(&parts, name), of(&all, name));
        }
        cut += usize::from(parts.len() > 1);
    }
    assert_eq!(cut, 6);
}

#[test]
fn no_part_exceeds_any_number_of_bytes() {
    // Through the whole length of a point and of the head of a metric.
    for bytes in (1_000..2_500).step_by(3) {
        for part in parts(Limits { bytes, ..Limits::default() }) {
            let message = ScopeMetrics { metrics: decoded(&part), ..ScopeMetrics::default() };
            assert!(message.encoded_len() <= bytes, "{} > {bytes}", message.encoded_len());
        }
    }
}

#[test]
fn bytes_are_used_up_before_a_part_ends() {
    let limit = 4_000;
    let parts = parts(Limits { bytes: limit, ..Limits::default() });
    let message = |part: &Part| ScopeMetrics { metrics: decoded(part), ..ScopeMetrics::default() };
    assert!(parts.len() > 2);
    for part in &parts[..parts.len() - 1] {
        // Less than a point and the head of a metric is left.
        assert!(message(part).encoded_len() > limit - 800);
    }
}

#[test]
fn a_point_beyond_the_limit_has_a_part_of_its_own() {
    let parts = parts(Limits { bytes: 10, ..Limits::default() });
    assert_eq!(parts.len(), 40);
    assert!(parts.iter().all(|part| part.id.points == 1));
}

#[test]
fn each_part_is_settled_on_its_own() {
    let limits = Limits { points: 15, ..Limits::default() };
    let (mut ledger, mut requests) = (ledger(), requests(limits));
    let first = record(&mut ledger, &mut requests, 10, 1);
    assert_eq!(first.iter().map(|part| part.id.points).collect::<Vec<_>>(), [15, 15, 10]);
    ledger.settle(first[0].id, ACKNOWLEDGED);
    ledger.settle(first[1].id, Outcome::Failed);
    ledger.settle(first[2].id, ACKNOWLEDGED);
    let again = record(&mut ledger, &mut requests, 20, 1);
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].id.points, 15);
    let sent = |part: &Part| {
        let metrics = decoded(part);
        metrics.iter().flat_map(explicit_points).map(|point| point.attributes.clone()).collect::<Vec<_>>()
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
    let mut requests = Requests::new(Limits::default(), Envelope::new(&resource, &scope));
    let part = record(&mut ledger(), &mut requests, 10, 1).remove(0);
    let request = ExportMetricsServiceRequest::decode(part.message.clone()).expect("it is a request");
    let [of_resource] = &request.resource_metrics[..] else { panic!("not one resource") };
    assert_eq!(of_resource.schema_url, "https://example.com/resource");
    let sent = of_resource.resource.as_ref().expect("a resource");
    assert_eq!(sent.attributes, [(&KeyValue::new("service.name", "shop")).into()]);
    let [of_scope] = &of_resource.scope_metrics[..] else { panic!("not one scope") };
    assert_eq!(of_scope.schema_url, "https://example.com/scope");
    let sent = of_scope.scope.as_ref().expect("a scope");
    assert_eq!((&*sent.name, &*sent.version), ("worker-metrics", "0.1.0"));
    assert_eq!(sent.attributes, [(&KeyValue::new("short", true)).into()]);
    assert_eq!(of_scope.metrics, decoded(&part));
    assert_eq!(request.encode_to_vec(), part.message);
}
