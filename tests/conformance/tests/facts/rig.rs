//! A meter provider with readers that collect on demand, and what they collected as plain data.

use std::collections::BTreeMap;

use opentelemetry::KeyValue;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ResourceMetrics};
use opentelemetry_sdk::metrics::{
    InMemoryMetricExporter, InMemoryMetricExporterBuilder, PeriodicReader, SdkMeterProvider, Temporality,
};
use worker_metrics::Batch;

/// Polls so many times, and submits.
pub(crate) fn poll(batch: &mut Batch, polls: u64) {
    for _ in 0..polls {
        batch.start_poll();
        batch.end_poll();
    }
    batch.submit();
}

/// A provider, and the exporter of its only reader.
pub(crate) struct Rig {
    pub(crate) provider: SdkMeterProvider,
    exporter: InMemoryMetricExporter,
}

impl Rig {
    pub(crate) fn new(temporality: Temporality) -> Self {
        let exporter = InMemoryMetricExporterBuilder::new().with_temporality(temporality).build();
        // The default interval is a minute: every collection here is asked for.
        let reader = PeriodicReader::builder(exporter.clone()).build();
        Self { provider: SdkMeterProvider::builder().with_reader(reader).build(), exporter }
    }

    pub(crate) fn cumulative() -> Self {
        Self::new(Temporality::Cumulative)
    }

    /// One collection cycle.
    pub(crate) fn collect(&self) -> Collected {
        self.exporter.reset();
        self.provider.force_flush().expect("the exporter is in memory");
        let exported = self.exporter.get_finished_metrics().expect("the exporter is in memory");
        Collected::of(exported.last())
    }
}

/// What one cycle exported, over all scopes.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub(crate) metrics: Vec<Metric>,
}

/// A metric with its points.
#[derive(Debug)]
pub(crate) struct Metric {
    pub(crate) scope: String,
    pub(crate) name: String,
    pub(crate) unit: String,
    pub(crate) description: String,
    /// Kind, number, monotonicity and temporality in words.
    pub(crate) kind: String,
    pub(crate) points: Vec<Point>,
}

/// A point: its attributes as text, by key.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Point {
    pub(crate) attributes: BTreeMap<String, String>,
    /// The value, or the sum of a histogram.
    pub(crate) value: f64,
    /// Of a histogram; empty for the others.
    pub(crate) bucket_counts: Vec<u64>,
}

impl Collected {
    fn of(exported: Option<&ResourceMetrics>) -> Self {
        let mut metrics = Vec::new();
        for scope in exported.into_iter().flat_map(ResourceMetrics::scope_metrics) {
            for metric in scope.metrics() {
                let (kind, points) = match metric.data() {
                    AggregatedMetrics::F64(data) => read("f64", data, |value| value),
                    AggregatedMetrics::U64(data) => read("u64", data, |value| value as f64),
                    AggregatedMetrics::I64(data) => read("i64", data, |value| value as f64),
                };
                metrics.push(Metric {
                    scope: scope.scope().name().to_owned(),
                    name: metric.name().to_owned(),
                    unit: metric.unit().to_owned(),
                    description: metric.description().to_owned(),
                    kind,
                    points,
                });
            }
        }
        metrics.sort_by(|one, other| (&one.scope, &one.name).cmp(&(&other.scope, &other.name)));
        Self { metrics }
    }

    pub(crate) fn metric(&self, name: &str) -> &Metric {
        self.metrics
            .iter()
            .find(|metric| metric.name == name)
            .unwrap_or_else(|| panic!("{name} was not exported"))
    }

    pub(crate) fn series(&self) -> usize {
        self.metrics.iter().map(|metric| metric.points.len()).sum()
    }

    /// The value of the only point that has these attributes, among others.
    pub(crate) fn value(&self, name: &str, attributes: &[(&str, &str)]) -> f64 {
        let metric = self.metric(name);
        let has = |point: &&Point| {
            attributes.iter().all(|(key, value)| point.attributes.get(*key).is_some_and(|is| is == value))
        };
        let found: Vec<_> = metric.points.iter().filter(has).collect();
        assert_eq!(found.len(), 1, "{name} {attributes:?}: {:?}", metric.points);
        found[0].value
    }

    pub(crate) fn sum(&self, name: &str) -> f64 {
        self.metric(name).points.iter().map(|point| point.value).sum()
    }
}

fn read<T: Copy>(number: &str, data: &MetricData<T>, float: impl Fn(T) -> f64) -> (String, Vec<Point>) {
    let point = |attributes: &mut dyn Iterator<Item = &KeyValue>, value, bucket_counts| Point {
        attributes: attributes.map(|pair| (pair.key.to_string(), pair.value.to_string())).collect(),
        value: float(value),
        bucket_counts,
    };
    let lower = |temporality: Temporality| format!("{temporality:?}").to_lowercase();
    let (kind, mut points): (_, Vec<Point>) = match data {
        MetricData::Gauge(gauge) => (
            format!("gauge of {number}"),
            gauge.data_points().map(|is| point(&mut is.attributes(), is.value(), Vec::new())).collect(),
        ),
        MetricData::Sum(sum) => {
            let monotonic = if sum.is_monotonic() { "monotonic" } else { "non-monotonic" };
            (
                format!("{monotonic} {} sum of {number}", lower(sum.temporality())),
                sum.data_points().map(|is| point(&mut is.attributes(), is.value(), Vec::new())).collect(),
            )
        }
        MetricData::Histogram(histogram) => (
            format!("{} histogram of {number}", lower(histogram.temporality())),
            histogram
                .data_points()
                .map(|is| point(&mut is.attributes(), is.sum(), is.bucket_counts().collect()))
                .collect(),
        ),
        MetricData::ExponentialHistogram(_) => panic!("nothing here is exported as an exponential histogram"),
    };
    points.sort_by(|one, other| one.attributes.cmp(&other.attributes));
    (kind, points)
}
