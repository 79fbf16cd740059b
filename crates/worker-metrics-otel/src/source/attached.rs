//! One attached source, with what exporting it needs.
//!
//! Made by the registry. A source that panics is left out from then on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use opentelemetry::otel_warn;
use worker_metrics::{Identity, Metric, Snapshot, Source};

use super::Row;
use super::attributes::Attributes;
use crate::lock::lock;
use crate::options::Options;

/// One attached source.
pub(crate) struct Attached {
    /// `None` once it is detached.
    source: Mutex<Option<Arc<dyn Source>>>,
    identity: Identity,
    definitions: Vec<worker_metrics::Row>,
    rows: Vec<Row>,
    number: u64,
    #[cfg(feature = "otlp")]
    attached_at: SystemTime,
    /// The values at the attachment: everything that only grows counts from there.
    base: Snapshot,
    panicked: AtomicBool,
}

/// The last values of a source that was detached.
#[derive(Clone)]
pub(crate) struct Last {
    pub(crate) attached: Arc<Attached>,
    pub(crate) snapshot: Arc<Snapshot>,
}

impl Attached {
    /// `with_id` where the name alone does not identify the source.
    pub(super) fn new(
        source: Arc<dyn Source>,
        identity: Identity,
        definitions: Vec<worker_metrics::Row>,
        number: u64,
        with_id: bool,
        options: &Options,
        attached_at: SystemTime,
    ) -> Self {
        #[cfg(not(feature = "otlp"))]
        let _ = attached_at;
        let mut attached = Self {
            source: Mutex::new(Some(source)),
            identity,
            definitions,
            rows: Vec::new(),
            number,
            #[cfg(feature = "otlp")]
            attached_at,
            base: Snapshot::new(),
            panicked: AtomicBool::new(false),
        };
        let mut base = Snapshot::with_histograms();
        attached.collect(&mut base);
        attached.base = base;
        attached.rows = attached.exported_rows(with_id, options);
        attached
    }

    fn exported_rows(&self, with_id: bool, options: &Options) -> Vec<Row> {
        let mut attributes = Attributes::new(&self.identity, with_id, options);
        let provided = self.definitions.iter().filter(|row| row.is_covered()).map(|row| row.metric());
        let provided: Vec<_> = provided.collect();
        let metrics = Metric::ALL.iter().copied();
        metrics
            .filter(|metric| options.exports(metric.definition()) && provided.contains(metric))
            .map(|metric| {
                let sets = attributes.of(metric.definition());
                Row::new(metric, &self.identity, sets, options, &self.base)
            })
            .collect()
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Identifies the attachment within its instrumentation; never used twice.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    #[cfg(feature = "otlp")]
    /// When the source was attached: the start of its series.
    pub(crate) fn attached_at(&self) -> SystemTime {
        self.attached_at
    }

    /// The values at the attachment.
    pub(crate) fn base(&self) -> &Snapshot {
        &self.base
    }

    /// The rows of the catalogue that apply to this kind of source.
    pub(crate) fn definitions(&self) -> &[worker_metrics::Row] {
        &self.definitions
    }

    /// The rows that are exported, in the order of the catalogue.
    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The row of a metric, if it is exported.
    pub(crate) fn row(&self, metric: Metric) -> Option<&Row> {
        let place = self.rows.binary_search_by_key(&(metric as usize), |row| row.metric as usize).ok()?;
        self.rows.get(place)
    }

    /// The number of series of the metric that has the most.
    pub(crate) fn most_series(&self) -> usize {
        self.rows.iter().map(Row::expected_series).max().unwrap_or(0)
    }

    /// Fills `snapshot`. Returns whether the source did: not if it is detached, panics, or has
    /// panicked before.
    pub(crate) fn collect(&self, snapshot: &mut Snapshot) -> bool {
        self.ask(|source| source.collect(snapshot)).is_some()
    }

    /// Collects the last values and lets go of the source.
    pub(super) fn release(&self) -> Option<Snapshot> {
        let mut last = Snapshot::with_histograms();
        let collected = self.collect(&mut last);
        drop(lock(&self.source).take());
        collected.then_some(last)
    }

    /// Whether the source has panicked.
    pub(crate) fn has_panicked(&self) -> bool {
        self.panicked.load(Relaxed)
    }

    /// A source that panicked is left out from then on: its state may be broken, and with delta
    /// temporality the SDK would count everything once more when its series come back.
    pub(crate) fn ask<T>(&self, question: impl FnOnce(&dyn Source) -> T) -> Option<T> {
        if self.has_panicked() {
            return None;
        }
        let source = lock(&self.source).clone()?;
        let answer = catch_unwind(AssertUnwindSafe(|| question(&*source))).ok();
        if answer.is_none() && !self.panicked.swap(true, Relaxed) {
            otel_warn!(
                name: "WorkerMetrics.SourcePanicked",
                namespace = self.identity.namespace.to_string(),
                id = self.identity.id.clone(),
                message = "A source panicked while it was collected. It is left out from now on; the others go on."
            );
        }
        answer
    }
}
