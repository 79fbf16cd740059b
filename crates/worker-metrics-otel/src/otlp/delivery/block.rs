//! The series of one row of one attached source: they come and go together.

use bytes::BytesMut;

use super::histograms::{Histograms, is_delta};
use super::numbers::{Numbers, Rule};
use crate::otlp::wire::Entry;

/// A row of an attachment within a metric.
#[derive(Debug)]
pub(super) struct Block {
    /// Number of the attachment, never used twice.
    attachment: u64,
    has_ended: bool,
    /// Exports since the end that did not deliver all.
    failed_exports: u32,
    values: Values,
}

/// The series of a block.
#[derive(Debug)]
pub(super) enum Values {
    Numbers(Numbers),
    Histograms(Histograms),
}

/// Failed exports after which the last values of a source that has ended are given up: a receiver
/// that takes nothing must not let them grow without end.
const MOST_FAILED_EXPORTS: u32 = 30;

impl Block {
    pub(super) fn new(attachment: u64, values: Values) -> Self {
        Self { attachment, has_ended: false, failed_exports: 0, values }
    }

    pub(super) fn attachment(&self) -> u64 {
        self.attachment
    }

    pub(super) fn numbers(&mut self) -> Option<&mut Numbers> {
        match &mut self.values {
            Values::Numbers(numbers) => Some(numbers),
            Values::Histograms(_) => None,
        }
    }

    pub(super) fn histograms(&mut self) -> Option<&mut Histograms> {
        match &mut self.values {
            Values::Histograms(histograms) => Some(histograms),
            Values::Numbers(_) => None,
        }
    }

    /// Notes that nothing more is recorded.
    pub(super) fn end(&mut self) {
        self.has_ended = true;
    }

    /// Settles what is due.
    pub(super) fn decide(&mut self, rule: Rule) -> Decision {
        let (plain_len, is_estimated) = match &mut self.values {
            Values::Numbers(numbers) => (numbers.decide(rule, self.has_ended), false),
            Values::Histograms(histograms) => {
                let is_estimated = histograms.decide(is_delta(rule.temporality), self.has_ended);
                histograms.forget_superseded();
                (None, is_estimated)
            }
        };
        Decision { plain_len, is_estimated }
    }

    pub(super) fn entries(&self, rule: Rule, entries: &mut Vec<Entry>) {
        match &self.values {
            Values::Numbers(numbers) => numbers.entries(rule, entries),
            Values::Histograms(histograms) => histograms.entries(entries),
        }
    }

    /// Writes the points of the next series that has any due, from `from` on; returns where to go
    /// on.
    pub(super) fn put_next(
        &mut self,
        rule: Rule,
        from: usize,
        request: usize,
        to: &mut BytesMut,
    ) -> Option<usize> {
        match &mut self.values {
            Values::Numbers(numbers) => numbers.put_next(rule, from, request, to),
            Values::Histograms(histograms) => {
                histograms.put_next(is_delta(rule.temporality), from, request, to)
            }
        }
    }

    pub(super) fn settle(&mut self, rule: Rule, request: usize, is_taken: bool) {
        match &mut self.values {
            Values::Numbers(numbers) => numbers.settle(rule, request, is_taken),
            Values::Histograms(histograms) => {
                histograms.settle(is_delta(rule.temporality), request, is_taken);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        match &self.values {
            Values::Numbers(numbers) => numbers.len(),
            Values::Histograms(histograms) => histograms.len(),
        }
    }

    /// Whether there is nothing left to send, now or later.
    pub(super) fn is_through(&self) -> bool {
        self.has_ended
            && match &self.values {
                Values::Numbers(numbers) => numbers.is_through(),
                Values::Histograms(histograms) => histograms.is_through(),
            }
    }

    /// Notes that an export is over. Returns whether the block is given up.
    pub(super) fn export_is_over(&mut self) -> bool {
        self.failed_exports += u32::from(self.has_ended);
        self.failed_exports > MOST_FAILED_EXPORTS
    }

    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }
}

/// What a block has to send.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decision {
    /// Length of all points, if every series has a plain total.
    pub(super) plain_len: Option<usize>,
    /// Whether a sum is estimated.
    pub(super) is_estimated: bool,
}
