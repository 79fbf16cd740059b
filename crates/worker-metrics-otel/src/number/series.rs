//! One series: what was recorded, what of it was acknowledged, and what is due.
//!
//! Kept by its block. Never takes anything for delivered before it is acknowledged.

use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality;

use super::Kind;

/// The number of one series and its state at the receiver.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Series {
    bits: u64,
    recorded_ns: u64,
    /// Whether something was recorded that is not acknowledged.
    is_pending: bool,
    /// With delta temporality, what was acknowledged last, and when; otherwise nothing, and the start.
    base_bits: u64,
    base_ns: u64,
    /// Whether a point was ever sent: only then can a receiver know the series.
    is_known: bool,
    due: Due,
    in_flight: Option<u32>,
}

/// What there is to send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Due {
    Value,
    End,
    #[default]
    Nothing,
}

/// How a metric counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    pub(super) kind: Kind,
    pub(super) temporality: AggregationTemporality,
}

impl Rule {
    fn is_delta(self) -> bool {
        self.temporality == AggregationTemporality::Delta
    }
}

/// A point without its attributes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value {
    pub(super) start_ns: u64,
    pub(super) time_ns: u64,
    pub(super) bits: Option<u64>,
}

impl Series {
    pub(super) fn new(start_ns: u64) -> Self {
        Self { base_ns: start_ns, ..Self::default() }
    }

    /// Takes a number. What only counts up never goes backwards, whatever the source says.
    pub(super) fn record(&mut self, rule: Rule, time_ns: u64, bits: u64) {
        self.bits = if rule.kind.is_counter() { rule.kind.larger(self.bits, bits) } else { bits };
        self.recorded_ns = time_ns;
        self.is_pending = true;
    }

    /// Settles what is due. A series that has ended delivers what it had, then its end, unless nobody knows of it.
    pub(super) fn decide(&mut self, rule: Rule, has_ended: bool) {
        let is_value = self.is_pending && !(rule.is_delta() && self.bits == self.base_bits);
        self.due = match is_value {
            true => Due::Value,
            false if has_ended && self.is_known => Due::End,
            false => Due::Nothing,
        };
    }

    /// Whether its total since its start is due.
    pub(super) fn has_total(&self, rule: Rule) -> bool {
        self.due == Due::Value && !rule.is_delta() && self.base_ns > 0 && self.base_ns < self.recorded_ns
    }

    pub(super) fn recorded_ns(&self) -> u64 {
        self.recorded_ns
    }

    pub(super) fn bits(&self) -> u64 {
        self.bits
    }

    pub(super) fn due(&self) -> Due {
        self.due
    }

    /// What the point of what is due says.
    pub(super) fn value(&self, rule: Rule, now_ns: u64) -> Value {
        let (time_ns, bits) = match self.due {
            Due::Value if rule.is_delta() => {
                (self.recorded_ns, Some(rule.kind.difference(self.bits, self.base_bits)))
            }
            Due::Value => (self.recorded_ns, Some(self.bits)),
            Due::End | Due::Nothing => (now_ns, None),
        };
        // A clock that was set back must not turn the interval round.
        Value { start_ns: self.base_ns.min(time_ns.saturating_sub(1)), time_ns, bits }
    }

    /// Notes into which part what is due was put.
    pub(super) fn sent(&mut self, part: usize) {
        self.is_known = true;
        self.in_flight = u32::try_from(part).ok();
    }

    pub(super) fn is_in(&self, part: usize) -> bool {
        self.in_flight.is_some_and(|in_flight| in_flight as usize == part)
    }

    /// Takes what was sent for lost.
    pub(super) fn fail(&mut self) {
        self.in_flight = None;
    }

    /// Takes what was sent for delivered.
    pub(super) fn acknowledge(&mut self, rule: Rule) {
        if self.in_flight.take().is_none() {
            return;
        }
        let due = std::mem::take(&mut self.due);
        self.is_pending = false;
        self.is_known = due != Due::End;
        if rule.is_delta() && due == Due::Value {
            self.base_bits = self.bits;
            self.base_ns = self.recorded_ns;
        }
    }

    /// Whether there is nothing left to deliver, of a series that has ended.
    pub(super) fn is_through(&self) -> bool {
        !self.is_known && self.due == Due::Nothing
    }
}
