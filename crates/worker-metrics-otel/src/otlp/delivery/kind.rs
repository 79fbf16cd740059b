//! The kind of number that a metric has.

use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality;
use opentelemetry_sdk::metrics::Temporality;
use worker_metrics::Definition;
use worker_metrics::catalogue::{Instrument, Reading};

use crate::otlp::wire::DataKind;
use crate::source::Number;

/// The instrument, and whether it counts or measures seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    instrument: Instrument,
    is_time: bool,
}

impl Kind {
    pub(super) fn of(definition: &Definition) -> Self {
        let is_time =
            matches!(definition.reading, Reading::WorkerTime { .. } | Reading::WorkerTimeByMicrostate(_));
        Self { instrument: definition.instrument, is_time }
    }

    pub(super) fn is_time(self) -> bool {
        self.is_time
    }

    pub(super) fn is_counter(self) -> bool {
        self.instrument == Instrument::Counter
    }

    pub(super) fn data(self) -> DataKind {
        match self.instrument {
            Instrument::Gauge => DataKind::Gauge,
            _ => DataKind::Sum { is_monotonic: self.is_counter() },
        }
    }

    /// The temporality of the points: deltas for counters under the preference for deltas.
    ///
    /// Under the one for low memory they are cumulative, as the SDK exports the observable counter
    /// of the same row.
    ///
    /// **Source**: `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE` of the OpenTelemetry
    /// specification.
    pub(super) fn temporality(self, preference: Temporality) -> AggregationTemporality {
        match preference {
            Temporality::Delta if self.is_counter() => AggregationTemporality::Delta,
            _ => AggregationTemporality::Cumulative,
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

/// The temporality of histograms, which are deltas under the preference for low memory too.
pub(super) fn temporality_of_histograms(preference: Temporality) -> AggregationTemporality {
    match preference {
        Temporality::Delta | Temporality::LowMemory => AggregationTemporality::Delta,
        _ => AggregationTemporality::Cumulative,
    }
}
