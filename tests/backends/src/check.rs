//! Whether a request keeps a rule.
//!
//! Called by the tests with requests as they came over the wire. Knows no backend.

use std::collections::BTreeSet;
use std::fmt;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest as Request;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, DataPointFlags, Metric};
use opentelemetry_sdk::metrics::Temporality;
use prost::Message;
use worker_metrics_otel::Protocol;

use crate::backend::{Backend, Limit, Rule};
use crate::backends::COMMON;

/// A rule that is broken, and by what.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// What breaks it.
    pub by: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.by)
    }
}

/// What of these requests, sent by this protocol, a backend would not take: the first of each rule.
#[must_use]
pub fn violations(backend: &Backend, protocol: Protocol, requests: &[Request]) -> Vec<Violation> {
    let limits = COMMON.iter().chain(backend.limits);
    limits.filter_map(|limit| broken(limit, protocol, requests)).collect()
}

fn broken(limit: &Limit, protocol: Protocol, requests: &[Request]) -> Option<Violation> {
    let rule = limit.rule;
    let by = match rule {
        Rule::Protocols(taken) => (!taken.contains(&protocol)).then(|| format!("{protocol:?}")),
        _ => requests.iter().find_map(|request| by_request(rule, request)),
    };
    by.map(|by| Violation { rule, by })
}

fn by_request(rule: Rule, request: &Request) -> Option<String> {
    match rule {
        Rule::Points(most) => {
            let points: usize = metrics(request).map(|metric| View::of(metric).attributes.len()).sum();
            (points > most).then(|| format!("{points} points"))
        }
        Rule::Bytes(most) => {
            let bytes = request.encoded_len();
            (bytes > most).then(|| format!("{bytes} bytes"))
        }
        Rule::Instance => request.resource_metrics.iter().find_map(|of| {
            let attributes = of.resource.as_ref().map_or(&[][..], |resource| &resource.attributes);
            let has = |pair: &KeyValue| {
                pair.key == "service.instance.id"
                    && text(pair.value.as_ref()).is_some_and(|text| !text.is_empty())
            };
            (!attributes.iter().any(has)).then(|| "a resource without".to_owned())
        }),
        _ => metrics(request).find_map(|metric| by_metric(rule, metric, &View::of(metric))),
    }
}

fn by_metric(rule: Rule, metric: &Metric, view: &View<'_>) -> Option<String> {
    let name = &metric.name;
    let attributes = || view.attributes.iter().flat_map(|attributes| attributes.iter());
    match rule {
        Rule::Temporalities(taken) if view.accumulates && !view.is_exponential => {
            (!view.has_one_of(taken)).then(|| format!("{name} is {:?}", view.temporality))
        }
        Rule::Exponential(taken) if view.is_exponential => {
            (!view.has_one_of(taken)).then(|| format!("{name} is exponential and {:?}", view.temporality))
        }
        Rule::Buckets(most) => view
            .histograms
            .iter()
            .find_map(|point| (point.buckets > most).then(|| format!("{name} has {}", point.buckets))),
        Rule::Attributes(most) => view.attributes.iter().find_map(|attributes| {
            (attributes.len() > most).then(|| format!("{name} has {}", attributes.len()))
        }),
        Rule::KeyLength(most) => {
            attributes().map(|pair| &pair.key).find(|key| key.chars().count() > most).cloned()
        }
        Rule::ValueLength(most) => attributes()
            .find(|pair| text(pair.value.as_ref()).is_some_and(|text| text.chars().count() > most))
            .map(|pair| pair.key.clone()),
        Rule::MetricName(beside) => (!is_name(name, "", beside)).then(|| name.clone()),
        Rule::AttributeName(beside) => {
            attributes().map(|pair| &pair.key).find(|key| !is_name(key, "_", beside)).cloned()
        }
        Rule::Bounds => (!view.histograms.iter().all(|point| point.bounds_are_good)).then(|| name.clone()),
        Rule::Sum => (!view.histograms.iter().all(|point| point.has_sum)).then(|| name.clone()),
        Rule::NoMinMax => view.histograms.iter().any(|point| point.has_min_or_max).then(|| name.clone()),
        _ => None,
    }
}

/// What the rules ask of a metric. Points that end a series have no value, and are no histograms
/// here.
struct View<'a> {
    attributes: Vec<&'a [KeyValue]>,
    histograms: Vec<HistogramView>,
    /// Whether it is a counter or a histogram.
    accumulates: bool,
    is_exponential: bool,
    temporality: Option<AggregationTemporality>,
}

struct HistogramView {
    buckets: usize,
    bounds_are_good: bool,
    has_sum: bool,
    has_min_or_max: bool,
}

impl<'a> View<'a> {
    fn of(metric: &'a Metric) -> Self {
        let mut view = Self {
            attributes: Vec::new(),
            histograms: Vec::new(),
            accumulates: true,
            is_exponential: false,
            temporality: None,
        };
        let has_value = |flags: u32| flags & DataPointFlags::NoRecordedValueMask as u32 == 0;
        match &metric.data {
            Some(Data::Gauge(gauge)) => {
                view.accumulates = false;
                view.attributes.extend(gauge.data_points.iter().map(|point| &*point.attributes));
            }
            Some(Data::Sum(sum)) => {
                view.accumulates = sum.is_monotonic;
                view.temporality = Some(sum.aggregation_temporality());
                view.attributes.extend(sum.data_points.iter().map(|point| &*point.attributes));
            }
            Some(Data::Histogram(histogram)) => {
                view.temporality = Some(histogram.aggregation_temporality());
                view.attributes.extend(histogram.data_points.iter().map(|point| &*point.attributes));
                let points = histogram.data_points.iter().filter(|point| has_value(point.flags));
                view.histograms.extend(points.map(|point| HistogramView {
                    buckets: point.bucket_counts.len(),
                    bounds_are_good: point.explicit_bounds.iter().all(|bound_s| bound_s.is_finite())
                        && point.explicit_bounds.windows(2).all(|pair| pair[0] < pair[1])
                        && point.bucket_counts.len() == point.explicit_bounds.len() + 1,
                    has_sum: point.sum.is_some_and(f64::is_finite),
                    has_min_or_max: point.min.is_some() || point.max.is_some(),
                }));
            }
            Some(Data::ExponentialHistogram(histogram)) => {
                view.is_exponential = true;
                view.temporality = Some(histogram.aggregation_temporality());
                view.attributes.extend(histogram.data_points.iter().map(|point| &*point.attributes));
                let points = histogram.data_points.iter().filter(|point| has_value(point.flags));
                view.histograms.extend(points.map(|point| {
                    HistogramView {
                        // The zero bucket is one of them.
                        buckets: 1 + [&point.positive, &point.negative]
                            .into_iter()
                            .flatten()
                            .map(|side| side.bucket_counts.len())
                            .sum::<usize>(),
                        bounds_are_good: (-10..=20).contains(&point.scale),
                        has_sum: point.sum.is_some_and(f64::is_finite),
                        has_min_or_max: point.min.is_some() || point.max.is_some(),
                    }
                }));
            }
            Some(Data::Summary(_)) | None => {}
        }
        view
    }

    fn has_one_of(&self, taken: &[Temporality]) -> bool {
        taken.iter().any(|taken| match taken {
            Temporality::Cumulative => self.temporality == Some(AggregationTemporality::Cumulative),
            _ => self.temporality == Some(AggregationTemporality::Delta),
        })
    }
}

/// All metrics of a request.
pub fn metrics(request: &Request) -> impl Iterator<Item = &Metric> {
    request.resource_metrics.iter().flat_map(|of| &of.scope_metrics).flat_map(|of| &of.metrics)
}

/// The number of points in a request.
#[must_use]
pub fn points(request: &Request) -> usize {
    metrics(request).map(|metric| View::of(metric).attributes.len()).sum()
}

/// The names of all attributes of the points of a request.
#[must_use]
pub fn keys(request: &Request) -> BTreeSet<&str> {
    let attributes = metrics(request).flat_map(|metric| View::of(metric).attributes);
    attributes.flatten().map(|pair| pair.key.as_str()).collect()
}

fn text(value: Option<&AnyValue>) -> Option<&str> {
    match value?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

fn is_name(name: &str, first: &str, beside: &str) -> bool {
    let begins = name.chars().next().is_some_and(|char| char.is_ascii_alphabetic() || first.contains(char));
    begins && name.chars().all(|char| char.is_ascii_alphanumeric() || beside.contains(char))
}
