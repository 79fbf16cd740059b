//! What became of the exports of the meter provider, which has no status.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use serde::Serialize;

/// The exports that were acknowledged, and the errors of the others.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Outcome {
    pub(crate) exports: u64,
    /// How often each was met.
    pub(crate) errors: BTreeMap<String, u64>,
}

/// An exporter that keeps the [`Outcome`] of another.
#[derive(Debug)]
pub(crate) struct Watched<E> {
    inner: E,
    outcome: Arc<Mutex<Outcome>>,
}

impl<E> Watched<E> {
    pub(crate) fn new(inner: E) -> (Self, Arc<Mutex<Outcome>>) {
        let outcome = Arc::default();
        (Self { inner, outcome: Arc::clone(&outcome) }, outcome)
    }
}

impl<E: PushMetricExporter> PushMetricExporter for Watched<E> {
    fn export(&self, metrics: &ResourceMetrics) -> impl Future<Output = OTelSdkResult> + Send {
        let exporting = self.inner.export(metrics);
        async move {
            let result = exporting.await;
            let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
            match &result {
                Ok(()) => outcome.exports += 1,
                Err(error) => {
                    *outcome.errors.entry(format!("the meter provider: {error}")).or_default() += 1;
                }
            }
            result
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.inner.temporality()
    }
}
