//! How the series of a metric count.

use opentelemetry_sdk::metrics::Temporality;
use worker_metrics::Definition;
use worker_metrics::catalogue::{Instrument, Reading};

use crate::otlp::wire::DataKind;
use crate::source::Number;

/// How the series of a metric count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    instrument: Instrument,
    /// Whether numbers are seconds.
    pub(super) is_time: bool,
    /// Whether points count from what was taken last.
    pub(super) is_delta: bool,
}

impl Rule {
    /// Under the preference for deltas, counters and histograms are deltas. Under the one for low
    /// memory histograms alone: the SDK exports the observable counter of the same row as a total.
    ///
    /// **Source**: `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE` of the OpenTelemetry
    /// specification.
    pub(super) fn of(definition: &Definition, preference: Temporality) -> Self {
        let instrument = definition.instrument;
        Self {
            instrument,
            is_time: matches!(
                definition.reading,
                Reading::WorkerTime { .. } | Reading::WorkerTimeByMicrostate(_)
            ),
            is_delta: matches!(
                (instrument, preference),
                (Instrument::Counter | Instrument::Histogram, Temporality::Delta)
                    | (Instrument::Histogram, Temporality::LowMemory)
            ),
        }
    }

    pub(super) fn is_counter(self) -> bool {
        self.instrument == Instrument::Counter
    }

    /// Kind of data that holds numbers.
    pub(super) fn data(self) -> DataKind {
        match self.instrument {
            Instrument::Gauge => DataKind::Gauge,
            _ => DataKind::Sum { is_monotonic: self.is_counter() },
        }
    }

    /// The 8 bytes of a number on the wire, as one integer.
    pub(super) fn bits(self, number: Number) -> u64 {
        if self.is_time { number.seconds().to_bits() } else { number.count().cast_unsigned() }
    }

    /// The larger of two numbers.
    pub(super) fn larger(self, one: u64, other: u64) -> u64 {
        if self.is_time {
            f64::from_bits(one).max(f64::from_bits(other)).to_bits()
        } else {
            one.cast_signed().max(other.cast_signed()).cast_unsigned()
        }
    }

    /// The growth from an earlier number to a later one.
    pub(super) fn difference(self, later: u64, earlier: u64) -> u64 {
        if self.is_time {
            (f64::from_bits(later) - f64::from_bits(earlier)).to_bits()
        } else {
            later.cast_signed().saturating_sub(earlier.cast_signed()).cast_unsigned()
        }
    }
}
