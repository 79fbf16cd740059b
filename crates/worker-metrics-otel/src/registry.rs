//! The sources that are attached now.
//!
//! Attaching and detaching write it, every collection reads it. Its lock is held for a few loads and stores, never while a
//! source is collected or the SDK is called.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use opentelemetry::otel_warn;
use worker_metrics::catalogue::CATALOGUE;
use worker_metrics::{Definition, Identity, Namespace, Snapshot, Source, WorkerInfo};

use crate::attributes::Attributes;
use crate::error::AttachError;
use crate::histogram_row::HistogramRow;
use crate::number_row::NumberRow;
use crate::options::Options;
use crate::watchdog::Stalls;

/// One attached source with what exporting it needs.
pub(crate) struct Attached {
    source: Box<dyn Source>,
    identity: Identity,
    /// By index in the catalogue.
    exported: Vec<bool>,
    attributes: Attributes,
    histogram_rows: Vec<HistogramRow>,
    number_rows: Vec<NumberRow>,
    number: u64,
    attached_at: SystemTime,
    panicked: AtomicBool,
    /// Where there is a watchdog.
    stalls: Option<Mutex<Stalls>>,
}

impl Attached {
    fn new(source: Box<dyn Source>, number: u64, with_id: bool, options: &Options) -> Self {
        let identity = source.identity().clone();
        let provided = source.definitions().iter().filter(|row| options.provides(row));
        let provided: Vec<_> = provided.map(|row| row.definition).collect();
        let exported: Vec<_> = CATALOGUE
            .iter()
            .map(|definition| {
                options.exports(definition)
                    && provided.iter().any(|provided| std::ptr::eq(*provided, definition))
            })
            .collect();
        let attributes = Attributes::new(&identity, with_id, options);
        let exported_rows = (0..exported.len()).filter(|row| exported[*row]);
        let histogram_rows =
            exported_rows.clone().filter_map(|row| HistogramRow::new(row, &identity, options));
        let mut number_rows: Vec<_> = exported_rows
            .filter_map(|row| NumberRow::new(row, &identity, attributes.by_row().get(row)?, options))
            .collect();
        // For the meters: the SDK calls no exporter that has nothing to export.
        let fewest = number_rows.iter().enumerate().min_by_key(|(_, row)| row.attributes.len());
        if let Some((fewest, _)) = fewest {
            number_rows.remove(fewest);
        }
        Self {
            histogram_rows: histogram_rows.collect(),
            number_rows,
            exported,
            attributes,
            number,
            attached_at: SystemTime::now(),
            panicked: AtomicBool::new(false),
            stalls: options.watchdog.is_some().then(|| Mutex::new(Stalls::new(identity.workers))),
            identity,
            source,
        }
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Tells the attachments of one instrumentation apart, also those of the same source.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// When the source was attached: the start of its series.
    pub(crate) fn attached_at(&self) -> SystemTime {
        self.attached_at
    }

    pub(crate) fn source(&self) -> &dyn Source {
        &*self.source
    }

    pub(crate) fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// The histograms that are exported.
    pub(crate) fn histogram_rows(&self) -> &[HistogramRow] {
        &self.histogram_rows
    }

    /// The number of series of the metric that has the most.
    pub(crate) fn most_series(&self) -> usize {
        self.attributes.by_row().iter().map(|sets| sets.len()).max().unwrap_or(0)
    }

    /// The numbers that are exported beside the SDK.
    pub(crate) fn number_rows(&self) -> &[NumberRow] {
        &self.number_rows
    }

    /// Whether the numbers of a row of the catalogue are exported beside the SDK.
    pub(crate) fn sends_beside(&self, definition: &Definition) -> bool {
        self.number_rows.iter().any(|row| std::ptr::eq(row.definition, definition))
    }

    /// Whether the row with this index in the catalogue is exported for this source.
    pub(crate) fn exports(&self, row: usize) -> bool {
        self.exported.get(row).copied().unwrap_or(false)
    }

    /// Fills `snapshot`, unless the source panics, or has panicked before.
    pub(crate) fn collect(&self, snapshot: &mut Snapshot) -> bool {
        let collected = self.ask(|source| source.collect(snapshot)).is_some();
        if collected && let Some(stalls) = self.stalls() {
            stalls.fill(snapshot);
        }
        collected
    }

    /// Counts the stalls that a look at `now` shows, and returns those that have begun: the worker and the age of each.
    pub(crate) fn count_stalls(&self, snapshot: &Snapshot, now: Instant) -> Vec<(usize, Duration)> {
        self.stalls().map_or(Vec::new(), |mut stalls| stalls.look(snapshot, now))
    }

    /// What the source knows of a worker beyond numbers.
    pub(crate) fn worker_info(&self, worker: usize) -> WorkerInfo {
        self.ask(|source| source.worker_info(worker)).unwrap_or_default()
    }

    fn stalls(&self) -> Option<MutexGuard<'_, Stalls>> {
        Some(self.stalls.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// `None` if the source panics, or has panicked before.
    ///
    /// A source that panicked is left out from then on: its state may be broken, and with delta temporality the SDK would
    /// count everything once more when its series come back.
    fn ask<T>(&self, question: impl FnOnce(&dyn Source) -> T) -> Option<T> {
        if self.panicked.load(Relaxed) {
            return None;
        }
        let answer = catch_unwind(AssertUnwindSafe(|| question(&*self.source))).ok();
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

/// The attached sources.
#[derive(Default)]
pub(crate) struct Registry {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    attached: Vec<Arc<Attached>>,
    /// Counts the changes of `attached`.
    version: u64,
    /// Counts the sources that were ever attached.
    attachments: u64,
    /// Which source had a name first: it alone goes without its id in the attributes, also when it is attached again. Kept
    /// when it is detached, so that a successor of the same name begins series of its own instead of setting these back.
    first_of_name: HashMap<(Namespace, Option<String>), String>,
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a source. `prepare` runs before any collection sees it, with no lock held.
    ///
    /// Calls must not overlap: the caller has a lock of its own around them.
    pub(crate) fn add(
        &self,
        source: Box<dyn Source>,
        options: &Options,
        prepare: impl FnOnce(&Attached),
    ) -> Result<Arc<Attached>, AttachError> {
        let identity = source.identity().clone();
        let (number, with_id) = {
            let mut state = self.lock();
            let same = |attached: &&Arc<Attached>| {
                attached.identity.namespace == identity.namespace && attached.identity.id == identity.id
            };
            if state.attached.iter().find(same).is_some() {
                return Err(AttachError::AlreadyAttached(Box::new(identity)));
            }
            state.attachments += 1;
            let name = (identity.namespace.clone(), identity.name.clone());
            let first = state.first_of_name.entry(name).or_insert_with(|| identity.id.clone());
            let with_id = *first != identity.id;
            (state.attachments, with_id)
        };
        let attached = Arc::new(Attached::new(source, number, with_id, options));
        prepare(&attached);
        let mut state = self.lock();
        state.attached.push(attached.clone());
        state.version += 1;
        Ok(attached)
    }

    pub(crate) fn remove(&self, attached: &Arc<Attached>) {
        let mut state = self.lock();
        state.attached.retain(|other| !Arc::ptr_eq(other, attached));
        state.version += 1;
    }

    pub(crate) fn attached(&self) -> Vec<Arc<Attached>> {
        self.lock().attached.clone()
    }

    /// Which state of the registry this is.
    pub(crate) fn version(&self) -> u64 {
        self.lock().version
    }

    /// The attached sources, if they have changed since `version`, which is brought up to date.
    pub(crate) fn changed_since(&self, version: &mut u64) -> Option<Vec<Arc<Attached>>> {
        let state = self.lock();
        if *version == state.version {
            return None;
        }
        *version = state.version;
        Some(state.attached.clone())
    }
}
