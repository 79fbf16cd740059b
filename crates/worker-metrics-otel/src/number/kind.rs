//! What kind of number a metric has.

use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality;
use worker_metrics::Definition;
use worker_metrics::catalogue::{Instrument, Reading};

use crate::otlp;
use crate::reading::Number;

/// The instrument, and whether it counts or measures seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    instrument: Instrument,
    is_time: bool,
}

impl Kind {
    pub(crate) fn of(definition: &Definition) -> Self {
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

    pub(super) fn otlp(self) -> otlp::Kind {
        match self.instrument {
            Instrument::Gauge => otlp::Kind::Gauge,
            _ => otlp::Kind::Sum { is_monotonic: self.is_counter() },
        }
    }

    /// Counters alone are ever sent as deltas.
    pub(super) fn temporality(self, wanted: AggregationTemporality) -> AggregationTemporality {
        if self.is_counter() { wanted } else { AggregationTemporality::Cumulative }
    }

    /// The 8 bytes of a number on the wire, as one.
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

    /// What a number has grown by.
    pub(super) fn difference(self, later: u64, earlier: u64) -> u64 {
        if self.is_time {
            (f64::from_bits(later) - f64::from_bits(earlier)).to_bits()
        } else {
            later.cast_signed().saturating_sub(earlier.cast_signed()).cast_unsigned()
        }
    }
}
