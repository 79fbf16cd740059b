//! What one exporter sends beside the SDK: the histograms of every source, and where it is wanted its numbers.
//!
//! Filled on the reader's thread at each export, and once more when a source is detached. It holds no lock while it sends.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use opentelemetry::{InstrumentationScope, otel_warn};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use worker_metrics::histogram::HistogramSnapshot;
use worker_metrics::{Definition, Snapshot};

use crate::attributes::AttributeSet;
use crate::histogram::{HistogramOptions, Ledger, SeriesId};
use crate::histogram_row::HistogramRow;
use crate::looks::Looks;
use crate::number;
use crate::number_row::NumberRow;
use crate::otlp::{Envelope, Limits, MetricInfo, Outcome, Part, PartId, Requests};
use crate::reading::Number;
use crate::registry::{Attached, Registry};

/// The histograms on their way through one exporter.
pub(crate) struct Pipe {
    state: Mutex<State>,
}

struct State {
    ledger: Ledger,
    numbers: number::Ledger,
    /// They name resource and scope of the last export, for what is left at the shutdown, when the SDK has nothing to export any more.
    requests: Requests,
    /// The parts of an export, while none is under way.
    parts: Vec<Part>,
    looks: Looks,
    /// The last values of sources that were detached since the last export.
    departed: Vec<Departed>,
    departed_numbers: Vec<DepartedNumbers>,
    /// Whether an export waits for its answer: what it carries is not settled.
    in_flight: bool,
    /// What the names of the instruments of all attached sources begin with.
    prefixes: Prefixes,
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

/// The last numbers of one row.
struct DepartedNumbers {
    attachment: u64,
    row: NumberRow,
    start: SystemTime,
    numbers: Vec<(usize, Number)>,
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

/// What names of instruments begin with, as of a version of the registry.
#[derive(Default)]
struct Prefixes {
    version: u64,
    prefixes: Vec<String>,
}

impl Pipe {
    pub(crate) fn new(temporality: Temporality, options: HistogramOptions) -> Self {
        let scope = InstrumentationScope::builder(env!("CARGO_PKG_NAME")).build();
        let envelope = Envelope::new(&Resource::builder_empty().build(), &scope);
        Self {
            state: Mutex::new(State {
                ledger: Ledger::new(temporality, options),
                numbers: number::Ledger::new(temporality),
                requests: Requests::new(Limits::default(), envelope),
                parts: Vec::new(),
                looks: Looks::default(),
                departed: Vec::new(),
                departed_numbers: Vec::new(),
                in_flight: false,
                prefixes: Prefixes::default(),
                merged: HistogramSnapshot::default(),
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What there is to send beside `metrics`. Each part must be [settled](Self::settle), and then the export
    /// [finished](Self::finish). `None` while another export is not.
    pub(crate) fn begin(&self, registry: &Registry, metrics: &ResourceMetrics) -> Option<Vec<Part>> {
        let mut state = self.lock();
        let State { requests, prefixes, .. } = &mut *state;
        let known = requests.envelope();
        let scope = prefixes.scope_of(registry, metrics).unwrap_or(known.scope());
        if (known.resource(), known.scope()) != (metrics.resource(), scope) {
            let envelope = Envelope::new(metrics.resource(), scope);
            requests.set_envelope(envelope);
        }
        state.begin(Some(registry))
    }

    /// What is left to send when the reader has stopped: what became of sources that were detached since the last export.
    pub(crate) fn begin_last(&self, registry: Option<&Registry>) -> Option<Vec<Part>> {
        let mut state = self.lock();
        let is_current = registry.is_some_and(|registry| state.looks.is_current(registry));
        if is_current { None } else { state.begin(registry) }
    }

    pub(crate) fn settle(&self, id: PartId, outcome: Outcome) {
        let mut state = self.lock();
        state.ledger.settle(id, outcome);
        state.numbers.settle(id, outcome);
    }

    /// The next export may begin, into what held the parts of this one.
    pub(crate) fn finish(&self, mut parts: Vec<Part>) {
        // Without the requests, whose buffers are written again.
        parts.clear();
        let mut state = self.lock();
        state.parts = parts;
        state.in_flight = false;
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
        warn_of_loss(surplus + state.part_with_numbers(attached, snapshot));
    }
}

impl State {
    /// Takes the last numbers; returns how many older ones it had to forget for them.
    fn part_with_numbers(&mut self, attached: &Attached, snapshot: &Snapshot) -> usize {
        let departed = &mut self.departed_numbers;
        for row in attached.number_rows() {
            let mut numbers = Vec::with_capacity(row.attributes.len());
            row.for_each_number(snapshot, |series, number| numbers.push((series, number)));
            let (attachment, start) = (attached.number(), attached.attached_at());
            departed.push(DepartedNumbers { attachment, row: row.clone(), start, numbers });
        }
        let mut kept = 0;
        let first_kept = departed.iter().rposition(|departed| {
            kept += departed.numbers.len();
            kept > MOST_DEPARTED
        });
        let forgotten = departed.drain(..first_kept.map_or(0, |last_forgotten| last_forgotten + 1));
        forgotten.map(|departed| departed.numbers.len()).sum()
    }

    fn begin(&mut self, registry: Option<&Registry>) -> Option<Vec<Part>> {
        if std::mem::replace(&mut self.in_flight, true) {
            return None;
        }
        let Self { ledger, numbers, requests, parts, looks, departed, departed_numbers, merged, .. } = self;
        let now = SystemTime::now();
        ledger.begin(now);
        numbers.begin(now);
        for Departed { id, row, attributes, start, histogram } in departed.drain(..) {
            ledger.record(id, &info(&row.name, row.definition), &attributes, start, &histogram);
        }
        for DepartedNumbers { attachment, row, start, numbers: last } in departed_numbers.drain(..) {
            record_numbers(numbers, &row, attachment, start, |take| {
                last.iter().for_each(|&(series, number)| take(series, number));
            });
        }
        if let Some(registry) = registry {
            looks.refresh(registry, true);
            for (attached, snapshot) in looks.iter() {
                for row in attached.number_rows() {
                    record_numbers(numbers, row, attached.number(), attached.attached_at(), |take| {
                        row.for_each_number(snapshot, take);
                    });
                }
                for_each_series(&attached, snapshot, merged, |id, row, attributes, histogram| {
                    let info = info(&row.name, row.definition);
                    ledger.record(id, &info, attributes, attached.attached_at(), histogram);
                });
            }
        }
        requests.begin(ledger.cycle());
        ledger.finish(requests);
        numbers.finish(requests);
        warn_of_loss(ledger.forget_ended_beyond(MOST_DEPARTED) + numbers.forget_ended_beyond(MOST_DEPARTED));
        let mut parts = std::mem::take(parts);
        requests.finish(&mut parts);
        Some(parts)
    }
}

impl Prefixes {
    /// The scope through which the SDK exports the instruments of the attached sources.
    fn scope_of<'a>(
        &mut self,
        registry: &Registry,
        metrics: &'a ResourceMetrics,
    ) -> Option<&'a InstrumentationScope> {
        if let Some(attached) = registry.changed_since(&mut self.version) {
            self.prefixes =
                attached.iter().map(|attached| format!("{}.", attached.identity().namespace)).collect();
            self.prefixes.sort_unstable();
            self.prefixes.dedup();
        }
        let is_of_a_source =
            |name: &str| self.prefixes.iter().any(|prefix| name.starts_with(prefix.as_str()));
        let mut scopes = metrics.scope_metrics();
        scopes
            .find(|scope| scope.metrics().any(|metric| is_of_a_source(metric.name())))
            .map(|scope| scope.scope())
    }
}

fn record_numbers(
    numbers: &mut number::Ledger,
    row: &NumberRow,
    attachment: u64,
    start: SystemTime,
    read: impl FnOnce(&mut dyn FnMut(usize, Number)),
) {
    let source = number::Source { attachment, start, attributes: &row.attributes };
    numbers.record(&info(&row.name, row.definition), number::Kind::of(row.definition), &source, read);
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
    let has_rows = !attached.histogram_rows().is_empty() || !attached.number_rows().is_empty();
    if pipes.is_empty() || !has_rows || !attached.collect(&mut snapshot) {
        return;
    }
    for pipe in pipes {
        pipe.part_with(attached, &snapshot);
    }
}

#[cfg(test)]
mod tests {
    use worker_metrics::histogram::Scale;
    use worker_metrics::{Pool, WorkerConfig};

    use super::*;
    use crate::options::{Histograms, Options, Scalars};

    #[test]
    fn a_steady_export_allocates_nothing_from_the_source_to_the_request() {
        for temporality in [Temporality::Cumulative, Temporality::Delta] {
            let config = WorkerConfig::new().with_poll_time_histogram(Scale::preset());
            let (pool, mut batches) = Pool::builder("render").workers(8).config(config).build().unwrap();
            let options =
                Options::default().with_histograms(Histograms::Worker).with_scalars(Scalars::Exporter);
            let registry = Registry::default();
            registry.add(Box::new(pool), &options, |_| {}).unwrap();
            let pipe = Pipe::new(temporality, HistogramOptions::default());
            let metrics = ResourceMetrics::default();
            for cycle in 0..10 {
                for batch in &mut batches {
                    batch.start_poll();
                    batch.end_poll();
                    batch.submit();
                }
                let mut points = 0;
                let allocations = allocation_counter::measure(|| {
                    let parts = pipe.begin(&registry, &metrics).unwrap();
                    for part in &parts {
                        points += part.id.points;
                        pipe.settle(part.id, Outcome::Acknowledged { rejected: 0 });
                    }
                    pipe.finish(parts);
                });
                // Histograms, and what has changed of the numbers.
                assert!(points >= 8 + 16, "{points}");
                if cycle > 2 {
                    assert_eq!(allocations.count_total, 0, "cycle {cycle} {temporality:?}");
                }
            }
        }
    }
}
