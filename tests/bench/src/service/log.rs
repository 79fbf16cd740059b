//! What the reader's thread tells of its exports.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;

use super::observer::Exports;

/// Written when a collection begins and when the receiver has answered.
#[derive(Clone, Debug)]
pub(super) struct Log(Arc<Mutex<Entry>>);

#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) exports: Exports,
    /// When the last one began, or the wait for the first.
    pub(super) began: Instant,
}

impl Log {
    /// Of a reader that is built now.
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Entry { exports: Exports::default(), began: Instant::now() })))
    }

    pub(super) fn entry(&self) -> MutexGuard<'_, Entry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An export begins.
    pub(super) fn begin(&self) {
        let mut entry = self.entry();
        entry.exports.begun += 1;
        entry.began = Instant::now();
    }
}

/// An exporter whose answers are written down.
#[derive(Debug)]
pub(super) struct Logged<E> {
    pub(super) exporter: E,
    pub(super) log: Log,
}

impl<E: PushMetricExporter> PushMetricExporter for Logged<E> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let result = self.exporter.export(metrics).await;
        self.log.entry().exports.answered += u64::from(result.is_ok());
        result
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.exporter.temporality()
    }
}
