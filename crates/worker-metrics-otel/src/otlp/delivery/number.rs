//! The values of one number, and its point.

use bytes::{BufMut, BytesMut};

use super::rule::Rule;
use crate::otlp::wire::{self, fields};

/// The values of one series, each as the 8 bytes on the wire.
#[derive(Debug)]
pub(super) struct NumberValues {
    recorded: u64,
    pub(super) sent: u64,
    /// What counters count from: the value at the attachment; of deltas, the last that was taken.
    pub(super) base: u64,
}

impl NumberValues {
    pub(super) fn new(base: u64) -> Self {
        Self { recorded: base, sent: 0, base }
    }

    pub(super) fn record(&mut self, rule: Rule, bits: u64) {
        // A counter never goes back, whatever the source says.
        self.recorded = if rule.is_counter() { rule.larger(self.recorded, bits) } else { bits };
    }

    pub(super) fn has_changed(&self) -> bool {
        self.recorded != self.base
    }

    pub(super) fn value(&self, rule: Rule) -> u64 {
        if rule.is_counter() { rule.difference(self.recorded, self.base) } else { self.recorded }
    }

    pub(super) fn keep_sent(&mut self) {
        self.sent = self.recorded;
    }

    /// Writes a `NumberDataPoint`, at the end of a series one without a value.
    pub(super) fn put(
        &self,
        rule: Rule,
        attributes: &[u8],
        (start_ns, time_ns): (u64, u64),
        is_end: bool,
        to: &mut BytesMut,
    ) {
        wire::put_fixed64(to, fields::START, start_ns);
        wire::put_fixed64(to, fields::TIME, time_ns);
        if !is_end {
            let field = if rule.is_time { fields::NUMBER_AS_DOUBLE } else { fields::NUMBER_AS_INT };
            wire::put_fixed64_always(to, field, self.value(rule));
        }
        to.put_slice(attributes);
        if is_end {
            wire::put_number(to, fields::NUMBER_FLAGS, fields::NO_RECORDED_VALUE);
        }
    }
}
