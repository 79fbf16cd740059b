//! What one exporter sends beside the SDK: the histograms of every source.
//!
//! Filled on the reader's thread at each export, and once more when a source is detached. It holds no lock while it sends.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use opentelemetry::{InstrumentationScope, otel_warn};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use worker_metrics::histogram::HistogramSnapshot;
use worker_metrics::{Definition, Snapshot};

use crate::attributes::AttributeSet;
use crate::histogram::{HistogramOptions, Ledger, Limits, MetricInfo, Outcome, PartId, SeriesId, request};
use crate::histogram_row::HistogramRow;
use crate::looks::Looks;
use crate::registry::{Attached, Registry};

/// The histograms on their way through one exporter.
pub(crate) struct Pipe {
    state: Mutex<State>,
}

struct State {
    ledger: Ledger,
    looks: Looks,
    /// The last values of sources that were detached since the last export.
    departed: Vec<Departed>,
    /// Whether an export waits for its answer: what it carries is not settled.
    in_flight: bool,
    /// Of the last export, for what is left at the shutdown, when the SDK has nothing to export any more.
    resource: Resource,
    scope: Option<InstrumentationScope>,
    merged: HistogramSnapshot,
}

/// The last value of one series.
struct Departed {
    id: SeriesId,
    row: HistogramRow,
    attributes: AttributeSet,
    start: SystemTime,
    histogram: HistogramSnapshot,
}

/// Series of detached sources that wait to be delivered, at most. A receiver that never answers, or an exporter that is never called
/// because its SDK has nothing to export, must not let them grow without end.
const MOST_DEPARTED: usize = 10_000;

fn warn_of_loss(series: usize) {
    if series > 0 {
        otel_warn!(
            name: "WorkerMetrics.DetachedSeriesLost",
            series = series.to_string(),
            message = "Sources come and go, and nothing is delivered: the last values of the oldest series are lost."
        );
    }
}

/// A request, and which part of the export it is.
pub(crate) struct Request {
    pub(crate) id: PartId,
    pub(crate) message: ExportMetricsServiceRequest,
}

impl Pipe {
    pub(crate) fn new(temporality: Temporality, options: HistogramOptions) -> Self {
        Self {
            state: Mutex::new(State {
                ledger: Ledger::new(temporality, options, Limits::default()),
                looks: Looks::default(),
                departed: Vec::new(),
                in_flight: false,
                resource: Resource::builder_empty().build(),
                scope: None,
                merged: HistogramSnapshot::default(),
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What there is to send beside `metrics`. Each request must be [settled](Self::settle), and then the export
    /// [finished](Self::finish). `None` while another export is not.
    pub(crate) fn begin(&self, registry: &Registry, metrics: &ResourceMetrics) -> Option<Vec<Request>> {
        let mut state = self.lock();
        state.resource.clone_from(metrics.resource());
        if let Some(scope) = scope_of(registry, metrics) {
            state.scope = Some(scope);
        }
        state.begin(Some(registry))
    }

    /// What is left to send when the reader has stopped: what became of sources that were detached since the last export.
    pub(crate) fn begin_last(&self, registry: Option<&Registry>) -> Option<Vec<Request>> {
        let mut state = self.lock();
        let is_current = registry.is_some_and(|registry| state.looks.is_current(registry));
        if is_current { None } else { state.begin(registry) }
    }

    pub(crate) fn settle(&self, id: PartId, outcome: Outcome) {
        self.lock().ledger.settle(id, outcome);
    }

    /// The next export may begin.
    pub(crate) fn finish(&self) {
        self.lock().in_flight = false;
    }

    /// Takes the last values of a source that is being detached.
    pub(crate) fn part_with(&self, attached: &Attached, snapshot: &Snapshot) {
        let mut state = self.lock();
        let State { departed, merged, .. } = &mut *state;
        for_each_series(attached, snapshot, merged, |id, row, attributes, histogram| {
            departed.push(Departed {
                id,
                row: row.clone(),
                attributes: attributes.clone(),
                start: attached.attached_at(),
                histogram: histogram.clone(),
            });
        });
        let surplus = departed.len().saturating_sub(MOST_DEPARTED);
        departed.drain(..surplus);
        warn_of_loss(surplus);
    }
}

impl State {
    fn begin(&mut self, registry: Option<&Registry>) -> Option<Vec<Request>> {
        if std::mem::replace(&mut self.in_flight, true) {
            return None;
        }
        let Self { ledger, looks, departed, merged, .. } = self;
        ledger.begin(SystemTime::now());
        for Departed { id, row, attributes, start, histogram } in departed.drain(..) {
            ledger.record(id, &info(&row.name, row.definition), &attributes, start, &histogram);
        }
        if let Some(registry) = registry {
            looks.refresh(registry, true);
            for (attached, snapshot) in looks.iter() {
                for_each_series(&attached, snapshot, merged, |id, row, attributes, histogram| {
                    let info = info(&row.name, row.definition);
                    ledger.record(id, &info, attributes, attached.attached_at(), histogram);
                });
            }
        }
        let fallback = InstrumentationScope::builder(env!("CARGO_PKG_NAME")).build();
        let scope = self.scope.as_ref().unwrap_or(&fallback);
        let parts = self.ledger.finish();
        warn_of_loss(self.ledger.forget_ended_beyond(MOST_DEPARTED));
        let message = |metrics| request(&self.resource, scope, metrics);
        Some(parts.into_iter().map(|part| Request { id: part.id, message: message(part.metrics) }).collect())
    }
}

fn info<'a>(name: &'a str, definition: &'a Definition) -> MetricInfo<'a> {
    MetricInfo { name, description: definition.description, unit: definition.unit }
}

/// Runs `take` for each histogram that is exported of a source.
fn for_each_series(
    attached: &Attached,
    snapshot: &Snapshot,
    merged: &mut HistogramSnapshot,
    mut take: impl FnMut(SeriesId, &HistogramRow, &AttributeSet, &HistogramSnapshot),
) {
    for row in attached.histogram_rows() {
        let attributes = attached.attributes().of(row.index);
        row.for_each_series(snapshot, merged, |series, histogram| {
            if let Some(attributes) = attributes.get(series) {
                take(
                    SeriesId { attachment: attached.number(), row: row.index, series },
                    row,
                    attributes,
                    histogram,
                );
            }
        });
    }
}

/// The scope through which the SDK exports the instruments of the attached sources.
fn scope_of(registry: &Registry, metrics: &ResourceMetrics) -> Option<InstrumentationScope> {
    let namespaces: Vec<_> =
        registry.attached().iter().map(|attached| format!("{}.", attached.identity().namespace)).collect();
    metrics
        .scope_metrics()
        .find(|scope| {
            let mut names = scope.metrics().map(|metric| metric.name());
            names.any(|name| namespaces.iter().any(|namespace| name.starts_with(namespace)))
        })
        .map(|scope| scope.scope().clone())
}

/// The pipes of an instrumentation.
pub(crate) type Pipes = Mutex<Vec<std::sync::Weak<Pipe>>>;

/// Looks at a source one last time, for every exporter.
pub(crate) fn part(pipes: &Pipes, attached: &Attached) {
    let pipes: Vec<Arc<Pipe>> = {
        let mut pipes = pipes.lock().unwrap_or_else(PoisonError::into_inner);
        pipes.retain(|pipe| pipe.strong_count() > 0);
        pipes.iter().filter_map(std::sync::Weak::upgrade).collect()
    };
    let mut snapshot = Snapshot::with_histograms();
    if pipes.is_empty() || attached.histogram_rows().is_empty() || !attached.collect(&mut snapshot) {
        return;
    }
    for pipe in pipes {
        pipe.part_with(attached, &snapshot);
    }
}
