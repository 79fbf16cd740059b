//! An exporter for the program's own meter provider.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use prost::Message;

use super::client::{Cause, ExportError, later};
use super::config::OtlpResource;
use super::outbox::Export;
use super::pipeline::Pipeline;
use crate::lock::lock;

/// Exports what the SDK collected, and the worker metrics, in one request over one connection.
///
/// It takes the place of `opentelemetry_otlp::MetricExporter` in the program's
/// [`SdkMeterProvider`](opentelemetry_sdk::metrics::SdkMeterProvider), and has its settings. The
/// worker metrics carry the resource of the provider. What does not fit into one request goes into
/// further ones, under the same deadline.
///
/// The network work is done on a thread of its own, so that an export leaves even while all workers
/// of the program's runtime are blocked.
///
/// The SDK calls no exporter when none of its instruments has a value. What is left then is sent at
/// the shutdown.
///
/// # Examples
///
/// ```no_run
/// use opentelemetry_sdk::metrics::SdkMeterProvider;
/// use worker_metrics_otel::Instrumentation;
///
/// let workers = Instrumentation::default();
/// let provider = SdkMeterProvider::builder().with_periodic_exporter(workers.otlp().exporter()?).build();
/// workers.register(&provider);
/// # Ok::<(), worker_metrics_otel::OtlpError>(())
/// ```
pub struct OtlpExporter {
    pipeline: Pipeline,
    temporality: Temporality,
    /// The resource of the last export, for what is left at the shutdown; `None` until there was
    /// one.
    resource: std::sync::Mutex<Option<opentelemetry_sdk::Resource>>,
    is_shut_down: AtomicBool,
}

impl OtlpExporter {
    pub(super) fn new(pipeline: Pipeline, temporality: Temporality) -> Self {
        Self {
            pipeline,
            temporality,
            resource: std::sync::Mutex::default(),
            is_shut_down: AtomicBool::new(false),
        }
    }

    fn remember(&self, resource: &opentelemetry_sdk::Resource) {
        let mut known = lock(&self.resource);
        if known.as_ref() != Some(resource) {
            *known = Some(resource.clone());
        }
    }

    /// What the SDK collected, encoded, and ours.
    fn encode(&self, metrics: &ResourceMetrics) -> (Option<Bytes>, Option<Export>) {
        let export = self.pipeline.collect(metrics.resource());
        let has_foreign = metrics.scope_metrics().next().is_some();
        let foreign = has_foreign.then(|| ExportMetricsServiceRequest::from(metrics).encode_to_vec().into());
        (foreign, export)
    }

    /// Does what an export does before it sends, for the benchmarks of exactly that. What it
    /// collects counts as not taken.
    #[doc(hidden)]
    pub fn discard(&self, metrics: &ResourceMetrics) {
        drop(self.encode(metrics));
    }

    async fn send(
        &self,
        foreign: Option<Bytes>,
        export: Option<Export>,
        timeout: Duration,
    ) -> Result<(), ExportError> {
        let sending = self.pipeline.send(foreign, export, later(timeout));
        let stopped = || Err(self.pipeline.error(Cause::Stopped));
        self.pipeline.network.run(sending).await.unwrap_or_else(stopped)
    }
}

/// Longest time that a shutdown waits for stalls on their way.
const LAST_EVENTS: Duration = Duration::from_millis(100);

impl PushMetricExporter for OtlpExporter {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        if self.is_shut_down.load(Relaxed) {
            return Err(OTelSdkError::AlreadyShutdown);
        }
        self.remember(metrics.resource());
        let (foreign, export) = self.encode(metrics);
        let sent = self.send(foreign, export, self.pipeline.timeout).await;
        sent.map_err(|error| OTelSdkError::InternalFailure(error.to_string()))
    }

    fn force_flush(&self) -> OTelSdkResult {
        // The reader has exported already.
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        if self.is_shut_down.swap(true, Relaxed) {
            return Err(OTelSdkError::AlreadyShutdown);
        }
        let result = self.export_last_values(timeout);
        let events = self.pipeline.events.clone();
        // The reader may have used up its time: a stall on its way must not take that again.
        let deadline = later(timeout.min(LAST_EVENTS));
        let sent = self.pipeline.network.run(async move { events.sent(deadline).await });
        // `None` means that the thread has ended, and everything with it.
        let _ = futures_executor::block_on(sent);
        self.pipeline.close();
        result
    }

    fn temporality(&self) -> Temporality {
        self.temporality
    }
}

impl OtlpExporter {
    /// The reader has exported already, unless the SDK had nothing to export: then last values may
    /// be left, or everything.
    fn export_last_values(&self, timeout: Duration) -> OTelSdkResult {
        let known = lock(&self.resource).clone();
        if known.is_some() && !self.pipeline.outbox.has_last_values() {
            return Ok(());
        }
        // The SDK gives a resource with an export alone: without one it is that of a provider that
        // was given none.
        let resource = known.unwrap_or_else(|| OtlpResource::of_environment().into_resource());
        let export = self.pipeline.collect(&resource);
        let sent = futures_executor::block_on(self.send(None, export, timeout.min(self.pipeline.timeout)));
        sent.map_err(|error| OTelSdkError::InternalFailure(error.to_string()))
    }
}

impl fmt::Debug for OtlpExporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtlpExporter").field("pipeline", &self.pipeline).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
