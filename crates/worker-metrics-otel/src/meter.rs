//! The observable instruments on one meter.
//!
//! Made when a meter is registered and when a source brings new rows; called back on the reader's thread. A callback must not
//! panic, block on anything but its own snapshot, or allocate.

use std::sync::{Arc, Weak};

use opentelemetry::metrics::{AsyncInstrument, Meter};
use worker_metrics::catalogue::{CATALOGUE, Instrument, Reading};
use worker_metrics::{Definition, Namespace, Snapshot};

use crate::attributes::AttributeSet;
use crate::cycle::Cycles;
use crate::options::Options;
use crate::reading::{Number, for_each_number};
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
            if !attached.exports(row)
                || attached.sends_beside(definition)
                || self.instruments.contains(&instrument)
            {
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
            let callback = move |to: &dyn AsyncInstrument<f64>| {
                callback.observe(|number, attributes| to.observe(number.seconds(), attributes));
            };
            meter
                .f64_observable_counter(name)
                .with_description(description)
                .with_unit(unit)
                .with_callback(callback)
                .build();
        }
        (Instrument::Gauge, Reading::WorkerTime { .. }) => {
            let callback = move |to: &dyn AsyncInstrument<f64>| {
                callback.observe(|number, attributes| to.observe(number.seconds(), attributes));
            };
            meter
                .f64_observable_gauge(name)
                .with_description(description)
                .with_unit(unit)
                .with_callback(callback)
                .build();
        }
        (Instrument::Counter, _) => {
            let callback = move |to: &dyn AsyncInstrument<u64>| {
                callback.observe(|number, attributes| to.observe(number.count().unsigned_abs(), attributes));
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
                callback.observe(|number, attributes| to.observe(number.count(), attributes));
            };
            meter
                .i64_observable_up_down_counter(name)
                .with_description(description)
                .with_unit(unit)
                .with_callback(callback)
                .build();
        }
        // No instrument takes what is aggregated already: a histogram goes through the exporter, or is replayed.
        // No row of the catalogue is a gauge of counts (test `every_row_has_an_instrument`).
        _ => {}
    }
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

    fn observe(&self, mut observe: impl FnMut(Number, &AttributeSet)) {
        let reading = CATALOGUE[self.row].reading;
        self.for_each_source(|snapshot, attributes| {
            for_each_number(reading, snapshot, attributes.len(), |series, number| {
                if let Some(attributes) = attributes.get(series) {
                    observe(number, attributes);
                }
            });
        });
    }
}
