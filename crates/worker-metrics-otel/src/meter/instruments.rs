//! The observable instruments on one meter.
//!
//! A callback must not panic, block on anything but its own snapshot, or allocate.

use std::sync::Arc;
use std::time::Instant;

use opentelemetry::metrics::Meter;
use worker_metrics::catalogue::{Instrument, Reading};
use worker_metrics::{Definition, Metric, Namespace, Snapshot};

use super::cycle::{Cycles, ObservedBefore};
use super::replay::Replayed;
use crate::options::Options;
use crate::source::{Attached, AttributeSet, Last, Number, Registry, Row};
use crate::status::MeterStatus;

/// A registered meter, and the instruments that it has already.
pub(crate) struct RegisteredMeter {
    meter: Meter,
    registry: Arc<Registry>,
    cycles: Arc<Cycles>,
    instruments: Vec<(Namespace, Metric)>,
    registered_at: Instant,
}

/// What there is to know of a meter while another thread makes instruments on it.
pub(crate) struct KnownMeter {
    cycles: Arc<Cycles>,
    instruments: Vec<(Namespace, Metric)>,
}

impl KnownMeter {
    /// Whether there are all instruments that `attached` needs.
    pub(crate) fn covers(&self, attached: &Attached, with_numbers: bool) -> bool {
        let namespace = &attached.identity().namespace;
        let is_needed = |row: &&Row| if row.is_histogram() { self.cycles.replays() } else { with_numbers };
        let has = |row: &Row| {
            self.instruments.iter().any(|(known, metric)| *metric == row.metric && known == namespace)
        };
        attached.rows().iter().filter(is_needed).all(has)
    }

    /// Observes the last values of a source once more.
    pub(crate) fn end(&self, last: &Last) {
        self.cycles.end(last);
    }
}

impl RegisteredMeter {
    /// The meter provider keeps the callbacks for good, and with them `registry`, which holds what
    /// is attached alone. Counters and replayed histograms go on from what the meters `before` have
    /// observed: a pipeline that was rebuilt repeats nothing.
    pub(crate) fn new(meter: Meter, registry: Arc<Registry>, options: &Options, before: &[Self]) -> Self {
        let mut observed: Vec<ObservedBefore> = Vec::new();
        for one in before.iter().flat_map(|meter| meter.cycles.observed()) {
            observed.retain(|known| known.attachment != one.attachment);
            observed.push(one);
        }
        let recorded = before.iter().flat_map(|meter| meter.cycles.recorded()).collect();
        Self {
            meter,
            registry,
            cycles: Arc::new(Cycles::new(options.replay, observed, recorded)),
            instruments: Vec::new(),
            registered_at: Instant::now(),
        }
    }

    /// Makes the instruments that `attached` needs and the meter has not. Takes the lock of the
    /// SDK's pipeline, and must not be called with one that a callback takes.
    pub(crate) fn cover(&mut self, attached: &Attached, with_numbers: bool) {
        let namespace = &attached.identity().namespace;
        for row in attached.rows() {
            let instrument = (namespace.clone(), row.metric);
            if self.instruments.contains(&instrument) {
                continue;
            }
            if row.is_histogram() {
                if self.cycles.replays()
                    && let Some(replayed) = Replayed::new(&self.meter, attached, row)
                {
                    self.cycles.replay_through(replayed);
                    self.instruments.push(instrument);
                }
                continue;
            }
            if with_numbers {
                self.create(namespace, row);
                self.instruments.push(instrument);
            }
        }
    }

    /// What there is to know of it without the lock that makes instruments.
    pub(crate) fn known(&self) -> KnownMeter {
        KnownMeter { cycles: self.cycles.clone(), instruments: self.instruments.clone() }
    }

    fn create(&self, namespace: &Namespace, row: &Row) {
        let callback = Callback {
            registry: self.registry.clone(),
            cycles: self.cycles.clone(),
            index: self.instruments.len(),
            namespace: namespace.clone(),
            metric: row.metric,
        };
        create(&self.meter, row.definition, callback);
    }

    /// What the meter has collected.
    pub(crate) fn status(&self, now: Instant) -> MeterStatus {
        let log = self.cycles.log();
        MeterStatus {
            age: now.saturating_duration_since(self.registered_at),
            has_instruments: !self.instruments.is_empty(),
            collections: log.count,
            last_collection: log.last.map(|last| now.saturating_duration_since(last)),
            longest_pause: log.longest_pause,
            replay_backlog: self.cycles.backlog(),
        }
    }
}

fn create(meter: &Meter, definition: &'static Definition, callback: Callback) {
    let name = callback.namespace.metric(definition);
    let Definition { description, unit, instrument, reading, .. } = *definition;
    // The SDK's builders have no type in common.
    macro_rules! build {
        ($instrument:ident, $number:ident => $value:expr) => {{
            meter
                .$instrument(name)
                .with_description(description)
                .with_unit(unit)
                .with_callback(move |to| {
                    callback.observe(|$number, attributes| to.observe($value, attributes));
                })
                .build();
        }};
    }
    match (instrument, reading) {
        (Instrument::Counter, Reading::WorkerTime { .. } | Reading::WorkerTimeByMicrostate(_)) => {
            build!(f64_observable_counter, number => number.seconds());
        }
        (Instrument::Gauge, Reading::WorkerTime { .. }) => {
            build!(f64_observable_gauge, number => number.seconds());
        }
        (Instrument::Counter, _) => {
            build!(u64_observable_counter, number => number.count().unsigned_abs());
        }
        (Instrument::UpDownCounter, _) => {
            build!(i64_observable_up_down_counter, number => number.count());
        }
        // No instrument takes what is aggregated already: a histogram goes by OTLP, or is replayed.
        // No row of the catalogue is a gauge of counts (test `every_row_has_an_instrument`).
        _ => {}
    }
}

/// What the callback of one instrument needs.
struct Callback {
    registry: Arc<Registry>,
    cycles: Arc<Cycles>,
    /// Index among the callbacks of the meter.
    index: usize,
    namespace: Namespace,
    metric: Metric,
}

impl Callback {
    fn observe(&self, mut observe: impl FnMut(Number, &AttributeSet)) {
        let is_counter = self.metric.definition().instrument == Instrument::Counter;
        self.cycles.observe(
            &self.registry,
            self.index,
            is_counter,
            |attached: &Attached, snapshot: &Snapshot| {
                if attached.identity().namespace != self.namespace {
                    return;
                }
                let Some(row) = attached.row(self.metric) else { return };
                let base = if is_counter { self.cycles.base(attached, self.metric) } else { &[] };
                row.for_each_number(snapshot, |series, number| {
                    if let Some(attributes) = row.attributes.get(series) {
                        observe(base.get(series).map_or(number, |base| number.since(*base)), attributes);
                    }
                });
            },
        );
    }
}
