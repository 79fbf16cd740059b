//! The observable instruments on one meter.
//!
//! A callback must not panic, block on anything but its own snapshot, or allocate.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use opentelemetry::metrics::Meter;
use worker_metrics::catalogue::{Instrument, Reading};
use worker_metrics::{Definition, Metric, Namespace, Snapshot};

use super::cycle::{Cycles, ObservedBefore};
use super::replay::Replayed;
use crate::lock::lock;
use crate::options::Options;
use crate::source::{Attached, AttributeSet, Last, Number, Registry, Row};
use crate::status::MeterStatus;

/// A registered meter, and the instruments that it has already.
pub(crate) struct RegisteredMeter {
    meter: Meter,
    registry: Arc<Registry>,
    cycles: Arc<Cycles>,
    /// Locked for a look or an addition, never while the SDK is called.
    instruments: Mutex<Vec<(Namespace, Metric)>>,
    registered_at: Instant,
}

impl RegisteredMeter {
    /// The meter provider keeps the callbacks for good, and with them `registry`, which holds what
    /// is attached alone. Counters and replayed histograms go on from what the meters `before` have
    /// observed: a pipeline that was rebuilt repeats nothing.
    pub(crate) fn new(
        meter: Meter,
        registry: Arc<Registry>,
        options: &Options,
        before: &[Arc<Self>],
    ) -> Self {
        let mut observed: Vec<ObservedBefore> = Vec::new();
        for one in before.iter().flat_map(|meter| meter.cycles.observed()) {
            observed.retain(|known| known.attachment != one.attachment);
            observed.push(one);
        }
        let replays = before.iter().filter_map(|meter| meter.cycles.replay.as_ref());
        let recorded = replays.flat_map(|replay| lock(replay).recorded()).collect();
        Self {
            meter,
            registry,
            cycles: Arc::new(Cycles::new(options.replay, observed, recorded)),
            instruments: Mutex::default(),
            registered_at: Instant::now(),
        }
    }

    /// The instruments that `attached` needs and the meter has not.
    fn lacks<'a>(&self, attached: &'a Attached, with_numbers: bool) -> Vec<&'a Row> {
        let (instruments, replays) = (lock(&self.instruments), self.cycles.replay.is_some());
        let namespace = &attached.identity().namespace;
        let is_needed = |row: &&Row| if row.is_histogram() { replays } else { with_numbers };
        let is_there =
            |row: &Row| instruments.iter().any(|(of, metric)| *metric == row.metric && of == namespace);
        attached.rows().iter().filter(is_needed).filter(|row| !is_there(row)).collect()
    }

    /// Whether there are all instruments that `attached` needs.
    pub(crate) fn covers(&self, attached: &Attached, with_numbers: bool) -> bool {
        self.lacks(attached, with_numbers).is_empty()
    }

    /// Observes the last values of a source once more.
    pub(crate) fn end(&self, last: &Last) {
        self.cycles.end(last);
    }

    /// Makes the instruments that `attached` needs and the meter has not. Takes the lock of the
    /// SDK's pipeline, and must not be called with one that a callback takes.
    pub(crate) fn cover(&self, attached: &Attached, with_numbers: bool) {
        for row in self.lacks(attached, with_numbers) {
            let namespace = attached.identity().namespace.clone();
            if let Some(replay) = self.cycles.replay.as_ref().filter(|_| row.is_histogram()) {
                let Some(replayed) = Replayed::new(&self.meter, attached, row) else { continue };
                lock(replay).add(replayed);
            } else {
                let callback = Callback {
                    registry: self.registry.clone(),
                    cycles: self.cycles.clone(),
                    index: lock(&self.instruments).len(),
                    namespace: namespace.clone(),
                    metric: row.metric,
                };
                create(&self.meter, row.definition, callback);
            }
            lock(&self.instruments).push((namespace, row.metric));
        }
    }

    /// What the meter has collected.
    pub(crate) fn status(&self, now: Instant) -> MeterStatus {
        let log = self.cycles.log();
        MeterStatus {
            age: now.saturating_duration_since(self.registered_at),
            has_instruments: !lock(&self.instruments).is_empty(),
            collections: log.count,
            last_collection: log.last.map(|last| now.saturating_duration_since(last)),
            longest_pause: log.longest_pause,
            replay_backlog: self.cycles.replay.as_ref().map_or(0, |replay| lock(replay).backlog()),
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
