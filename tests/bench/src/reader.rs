//! A reader that collects when it is told to, and what it collected.

use std::sync::{Arc, Weak};
use std::time::Duration;

use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ResourceMetrics};
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{InstrumentKind, ManualReader, Pipeline, Temporality};

/// A [`ManualReader`] that is kept beside the provider.
#[derive(Clone, Debug)]
pub(crate) struct Reader(Arc<ManualReader>);

impl Reader {
    pub(crate) fn new() -> Self {
        Self(Arc::new(ManualReader::builder().build()))
    }

    pub(crate) fn cycle(&self, into: &mut ResourceMetrics) {
        self.0.collect(into).expect("the provider is not shut down");
    }
}

impl MetricReader for Reader {
    fn register_pipeline(&self, pipeline: Weak<Pipeline>) {
        self.0.register_pipeline(pipeline);
    }

    fn collect(&self, into: &mut ResourceMetrics) -> OTelSdkResult {
        self.0.collect(into)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn temporality(&self, kind: InstrumentKind) -> Temporality {
        self.0.temporality(kind)
    }
}

/// The number of series of a gauge, without the one into which the SDK puts what is above its limit.
pub(crate) fn gauge_series(metrics: &ResourceMetrics, name: &str) -> usize {
    let of_name =
        metrics.scope_metrics().flat_map(|scope| scope.metrics()).filter(|metric| metric.name() == name);
    of_name
        .map(|metric| match metric.data() {
            AggregatedMetrics::U64(MetricData::Gauge(gauge)) => gauge
                .data_points()
                .filter(|point| !point.attributes().any(|pair| pair.key.as_str() == "otel.metric.overflow"))
                .count(),
            _ => 0,
        })
        .sum()
}
