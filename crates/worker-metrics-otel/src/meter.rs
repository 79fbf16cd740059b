//! The observable instruments on one meter.
//!
//! Made when a meter is registered and when a source brings new rows; called back on the reader's thread. A callback must not
//! panic, block on anything but its own snapshot, or allocate.

use std::sync::{Arc, Weak};

use opentelemetry::metrics::{AsyncInstrument, Meter};
use worker_metrics::catalogue::{CATALOGUE, Instrument, Reading, Reduction};
use worker_metrics::{Definition, Microstate, MicrostateTimes, Namespace, Snapshot, WorkerSnapshot};

use crate::attributes::AttributeSet;
use crate::cycle::Cycles;
use crate::options::Options;
use crate::registry::{Attached, Registry};
use crate::replay::Replayed;

/// A registered meter, and which instruments it has already.
pub(crate) struct RegisteredMeter {
    meter: Meter,
    registry: Weak<Registry>,
    cycles: Arc<Cycles>,
    instruments: Vec<(Namespace, usize)>,
}

impl RegisteredMeter {
    /// `registry` is weak: the meter provider keeps the callbacks for good, and must keep no source.
    pub(crate) fn new(meter: Meter, registry: Weak<Registry>, options: &Options) -> Self {
        Self { meter, registry, cycles: Arc::new(Cycles::new(options.replay)), instruments: Vec::new() }
    }

    /// Makes the instruments that `attached` needs and the meter has not.
    pub(crate) fn cover(&mut self, attached: &Attached) {
        let namespace = &attached.identity().namespace;
        for (row, definition) in CATALOGUE.iter().enumerate() {
            let instrument = (namespace.clone(), row);
            if !attached.exports(row) || self.instruments.contains(&instrument) {
                continue;
            }
            if definition.instrument == Instrument::Histogram {
                if self.cycles.replays()
                    && let Some(replayed) = Replayed::new(&self.meter, attached, row)
                {
                    self.cycles.replay_through(replayed);
                    self.instruments.push(instrument);
                }
                continue;
            }
            let callback = Callback {
                registry: self.registry.clone(),
                cycles: self.cycles.clone(),
                index: self.instruments.len(),
                namespace: namespace.clone(),
                row,
            };
            create(&self.meter, definition, callback);
            self.instruments.push(instrument);
        }
    }
}

fn create(meter: &Meter, definition: &'static Definition, callback: Callback) {
    let name = callback.namespace.metric(definition);
    let Definition { description, unit, instrument, reading, .. } = *definition;
    // One arm a kind: the SDK's builders have nothing in common.
    match (instrument, reading) {
        (Instrument::Counter, Reading::WorkerTime { .. } | Reading::WorkerTimeByMicrostate(_)) => {
            let callback = move |to: &dyn AsyncInstrument<f64>| callback.observe_times(to);
            meter
                .f64_observable_counter(name)
                .with_description(description)
                .with_unit(unit)
                .with_callback(callback)
                .build();
        }
        (Instrument::Gauge, Reading::WorkerTime { .. }) => {
            let callback = move |to: &dyn AsyncInstrument<f64>| callback.observe_times(to);
            meter
                .f64_observable_gauge(name)
                .with_description(description)
                .with_unit(unit)
                .with_callback(callback)
                .build();
        }
        (Instrument::Counter, _) => {
            let callback = move |to: &dyn AsyncInstrument<u64>| {
                // OTLP integers are signed.
                callback.observe_counts(|count, attributes| {
                    to.observe(saturating_i64(count).unsigned_abs(), attributes)
                });
            };
            meter
                .u64_observable_counter(name)
                .with_description(description)
                .with_unit(unit)
                .with_callback(callback)
                .build();
        }
        (Instrument::UpDownCounter, _) => {
            let callback = move |to: &dyn AsyncInstrument<i64>| {
                callback.observe_counts(|count, attributes| to.observe(saturating_i64(count), attributes));
            };
            meter
                .i64_observable_up_down_counter(name)
                .with_description(description)
                .with_unit(unit)
                .with_callback(callback)
                .build();
        }
        // No instrument takes what is aggregated already: it goes through the exporter, or is replayed.
        (Instrument::Histogram, _) => {}
        // No row of the catalogue is a gauge of counts (test `every_row_has_an_instrument`).
        (Instrument::Gauge, _) => {}
    }
}

fn saturating_i64(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// What the callback of one instrument needs.
struct Callback {
    registry: Weak<Registry>,
    cycles: Arc<Cycles>,
    /// Among the callbacks of the meter.
    index: usize,
    namespace: Namespace,
    /// In the catalogue.
    row: usize,
}

impl Callback {
    fn for_each_source(&self, mut observe: impl FnMut(&Snapshot, &[AttributeSet])) {
        let Some(registry) = self.registry.upgrade() else { return };
        self.cycles.observe(&registry, self.index, |attached, snapshot| {
            if attached.exports(self.row) && attached.identity().namespace == self.namespace {
                observe(snapshot, attached.attributes().of(self.row));
            }
        });
    }

    fn observe_counts(&self, mut observe: impl FnMut(u64, &AttributeSet)) {
        let reading = CATALOGUE[self.row].reading;
        self.for_each_source(|snapshot, attributes| match reading {
            Reading::Count(read) => observe_all([read(snapshot)], attributes, &mut observe),
            Reading::CountByState(_, counts) => {
                observe_all(counts.iter().map(|count| (count.read)(snapshot)), attributes, &mut observe);
            }
            Reading::WorkerCount(read) => {
                let counts = snapshot.workers().iter().map(read);
                if attributes.len() == snapshot.workers().len() {
                    observe_all(counts, attributes, &mut observe);
                } else {
                    observe_all([counts.reduce(saturating_sum).flatten()], attributes, &mut observe);
                }
            }
            _ => {}
        });
    }

    fn observe_microstates(
        &self,
        to: &dyn AsyncInstrument<f64>,
        read: fn(&WorkerSnapshot) -> Option<MicrostateTimes>,
    ) {
        let of = |state: Microstate| move |times: MicrostateTimes| times.of(state).as_secs_f64();
        let observe = |seconds: f64, attributes: &AttributeSet| to.observe(seconds, attributes);
        self.for_each_source(|snapshot, attributes| {
            let times = snapshot.workers().iter().map(read);
            if attributes.len() == Microstate::ALL.len() {
                let known = |state| times.clone().flatten().map(of(state));
                let sums = Microstate::ALL.map(|state| reduce(Reduction::Sum, known(state)));
                observe_all(sums, attributes, observe);
            } else {
                let seconds = times.flat_map(|times| Microstate::ALL.map(|state| times.map(of(state))));
                observe_all(seconds, attributes, observe);
            }
        });
    }

    fn observe_times(&self, to: &dyn AsyncInstrument<f64>) {
        let (read, reduction) = match CATALOGUE[self.row].reading {
            Reading::WorkerTime { read, reduction, .. } => (read, reduction),
            Reading::WorkerTimeByMicrostate(read) => return self.observe_microstates(to, read),
            _ => return,
        };
        self.for_each_source(|snapshot, attributes| {
            let seconds = snapshot.workers().iter().map(|worker| read(worker).map(|time| time.as_secs_f64()));
            let observe = |seconds: f64, attributes: &AttributeSet| to.observe(seconds, attributes);
            if attributes.len() == snapshot.workers().len() {
                observe_all(seconds, attributes, observe);
            } else {
                observe_all([reduce(reduction, seconds.flatten())], attributes, observe);
            }
        });
    }
}

/// Observes what is known.
fn observe_all<T>(
    values: impl IntoIterator<Item = Option<T>>,
    attributes: &[AttributeSet],
    mut observe: impl FnMut(T, &AttributeSet),
) {
    for (value, attributes) in values.into_iter().zip(attributes) {
        if let Some(value) = value {
            observe(value, attributes);
        }
    }
}

fn saturating_sum(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.saturating_add(other)),
        (one, other) => one.or(other),
    }
}

/// **Absent when** no worker has a value.
fn reduce(reduction: Reduction, values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut count = 0_u32;
    let (sum, largest) = values.fold((0.0, 0.0), |(sum, largest), value| {
        count += 1;
        (sum + value, f64::max(largest, value))
    });
    (count > 0).then(|| match reduction {
        Reduction::Sum => sum,
        Reduction::Largest => largest,
        Reduction::Mean => sum / f64::from(count),
    })
}
