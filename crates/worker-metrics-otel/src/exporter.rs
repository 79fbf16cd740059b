//! An exporter that sends the histograms beside what the SDK collected.
//!
//! Called by the reader, on its own thread. If one of the two sends fails, the other still goes.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::join;
use opentelemetry::otel_warn;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;

use crate::otlp::{Outcome, Part};
use crate::pipe::Pipe;
use crate::registry::Registry;
use crate::sink::{Acknowledged, SendError, Sink};

/// A push exporter, and beside it the histograms of every attached source as exact OTLP histograms.
///
/// Made by [`Instrumentation::exporter`](crate::Instrumentation::exporter), given to the SDK in place of the exporter that it
/// wraps. The histograms carry the resource, the scope and the temporality of the export that they accompany. With
/// [`Temporality::LowMemory`] they are deltas, as histograms are under that preference.
///
/// A delta is taken against the last *acknowledged* export: one that failed is carried by the next.
///
/// The SDK calls no exporter when none of its instruments has a value. Ends of series and last values that are left then are
/// sent at the shutdown.
pub struct Exporter<E> {
    inner: E,
    registry: Weak<Registry>,
    pipe: Arc<Pipe>,
    sink: Sink,
}

impl<E> Exporter<E> {
    /// `registry` is weak: the meter provider keeps the exporter for good, and must keep no source.
    pub(crate) fn new(inner: E, registry: Weak<Registry>, pipe: Arc<Pipe>, sink: Sink) -> Self {
        Self { inner, registry, pipe, sink }
    }

    async fn send(&self, parts: &[Part]) -> Result<(), SendError> {
        let mut result = Ok(());
        for part in parts {
            match self.sink.send(part.message.clone()).await {
                Ok(answer) => {
                    self.pipe.settle(part.id, Outcome::Acknowledged { rejected: answer.rejected });
                    if answer.rejected > 0 || !answer.message.is_empty() {
                        let Acknowledged { rejected, message: reason } = answer;
                        otel_warn!(
                            name: "WorkerMetrics.PartialSuccess",
                            rejected = rejected.to_string(),
                            reason = reason.as_str(),
                            message = "The receiver did not take all points of the histograms."
                        );
                    }
                }
                Err(error) => {
                    self.pipe.settle(part.id, Outcome::Failed);
                    result = Err(error);
                }
            }
        }
        result
    }
}

/// The parts of an export. It ends the export also where its future is dropped before it is ready: what was sent counts as failed.
struct Export {
    pipe: Arc<Pipe>,
    parts: Vec<Part>,
}

impl Drop for Export {
    fn drop(&mut self) {
        self.pipe.finish(std::mem::take(&mut self.parts));
    }
}

impl<E: PushMetricExporter> PushMetricExporter for Exporter<E> {
    fn export(&self, metrics: &ResourceMetrics) -> impl Future<Output = OTelSdkResult> + Send {
        let parts = self.registry.upgrade().and_then(|registry| self.pipe.begin(&registry, metrics));
        let export = parts.map(|parts| Export { pipe: self.pipe.clone(), parts });
        let inner = self.inner.export(metrics);
        async move {
            let parts = export.as_ref().map_or(&[][..], |export| &export.parts);
            let (inner, histograms) = join(inner, self.send(parts)).await;
            both(inner, histograms)
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        let parts = self.pipe.begin_last(self.registry.upgrade().as_deref());
        let export = parts.map(|parts| Export { pipe: self.pipe.clone(), parts });
        let parts = export.as_ref().map_or(&[][..], |export| &export.parts);
        let histograms = futures_executor::block_on(self.send(parts));
        both(self.inner.shutdown_with_timeout(timeout), histograms)
    }

    fn temporality(&self) -> Temporality {
        self.inner.temporality()
    }
}

/// Says which of the two failed.
fn both(inner: OTelSdkResult, histograms: Result<(), SendError>) -> OTelSdkResult {
    match (inner, histograms) {
        (inner, Ok(())) => inner,
        (Ok(()), Err(histograms)) => {
            Err(OTelSdkError::InternalFailure(format!("the histograms were not exported: {histograms}")))
        }
        (Err(inner), Err(histograms)) => Err(OTelSdkError::InternalFailure(format!(
            "nothing was exported: {inner}; nor the histograms: {histograms}"
        ))),
    }
}

impl<E> fmt::Debug for Exporter<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exporter").field("sink", &self.sink).finish_non_exhaustive()
    }
}
