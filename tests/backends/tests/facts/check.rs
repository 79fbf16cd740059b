//! The checks find what they look for.

use backends::backend::{Backend, Limit, Rule, Settings, Standing};
use backends::check::violations;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest as Request;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Histogram, HistogramDataPoint, Metric, ResourceMetrics, ScopeMetrics,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_sdk::metrics::Temporality;

fn pair(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn point() -> HistogramDataPoint {
    HistogramDataPoint {
        attributes: vec![pair("worker.index", "0")],
        count: 3,
        sum: Some(1.0),
        explicit_bounds: vec![0.1, 0.2],
        bucket_counts: vec![1, 1, 1],
        ..HistogramDataPoint::default()
    }
}

fn request(name: &str, data_points: Vec<HistogramDataPoint>) -> Request {
    let aggregation_temporality = AggregationTemporality::Cumulative as i32;
    let data = Some(Data::Histogram(Histogram { data_points, aggregation_temporality }));
    let metric = Metric { name: name.to_owned(), data, ..Metric::default() };
    let scope_metrics = vec![ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() }];
    let resource = Resource { attributes: vec![pair("service.instance.id", "one")], ..Resource::default() };
    let resource = Some(resource);
    Request {
        resource_metrics: vec![ResourceMetrics { resource, scope_metrics, ..ResourceMetrics::default() }],
    }
}

fn found(rule: Rule, request: &Request) -> Vec<Rule> {
    let limits = vec![Limit { rule, source: "a test", standing: Standing::Read }].leak();
    let backend = Backend {
        name: "a test",
        file: "",
        direct: true,
        settings: Settings::DEFAULT,
        collector: "",
        limits,
        bites: "",
    };
    let found = violations(&backend, Settings::DEFAULT.protocol, std::slice::from_ref(request));
    found.into_iter().map(|violation| violation.rule).collect()
}

fn assert_found(rule: Rule, bad: HistogramDataPoint) {
    assert_eq!(found(rule, &request("pool.polls", vec![point()])), [], "a good point keeps {rule:?}");
    assert!(found(rule, &request("pool.polls", vec![point(), bad])).contains(&rule), "{rule:?}");
}

#[test]
fn each_rule_finds_what_breaks_it_and_nothing_else() {
    let good = point();
    assert_found(Rule::Buckets(3), HistogramDataPoint { bucket_counts: vec![0; 4], ..good.clone() });
    let descending = HistogramDataPoint { explicit_bounds: vec![0.2, 0.1], ..good.clone() };
    assert_found(Rule::Bounds, descending);
    let infinite = HistogramDataPoint { explicit_bounds: vec![0.1, f64::INFINITY], ..good.clone() };
    assert_found(Rule::Bounds, infinite);
    assert_found(Rule::Bounds, HistogramDataPoint { bucket_counts: vec![1; 2], ..good.clone() });
    assert_found(Rule::Sum, HistogramDataPoint { sum: None, ..good.clone() });
    assert_found(Rule::NoMinMax, HistogramDataPoint { min: Some(0.1), ..good.clone() });
    assert_found(Rule::Points(1), good.clone());
    let with = |pair| HistogramDataPoint { attributes: vec![pair], ..good.clone() };
    assert_found(Rule::KeyLength(12), with(pair("worker.index.", "0")));
    assert_found(Rule::ValueLength(3), with(pair("worker.index", "äöü1")));
    assert_found(Rule::AttributeName("_."), with(pair("worker-index", "0")));
    let two = HistogramDataPoint { attributes: vec![pair("a", "0"), pair("b", "0")], ..good };
    assert_found(Rule::Attributes(1), two);
}

#[test]
fn names_bytes_temporality_and_the_instance_are_looked_at() {
    let good = request("pool.polls", vec![point()]);
    for bad in ["pool-polls", "1pool", "päl", ""] {
        let bad = request(bad, vec![point()]);
        assert_eq!(found(Rule::MetricName("_:./"), &bad), [Rule::MetricName("_:./")]);
    }
    assert_eq!(found(Rule::MetricName("_:./"), &good), []);
    assert_eq!(found(Rule::Bytes(10), &good), [Rule::Bytes(10)]);
    assert_eq!(found(Rule::Bytes(1_000), &good), []);
    let delta = Rule::Temporalities(&[Temporality::Delta]);
    assert_eq!(found(delta, &good), [delta]);
    assert_eq!(found(Rule::Temporalities(&[Temporality::Cumulative]), &good), []);
    let mut nameless = good;
    nameless.resource_metrics[0].resource = Some(Resource::default());
    assert_eq!(found(Rule::Bytes(1_000), &nameless), [Rule::Instance]);
}
