//! One series at one destination: its life, its attributes and its values.

use std::sync::Arc;

use bytes::BytesMut;
use opentelemetry::KeyValue;
use worker_metrics::histogram::HistogramSnapshot;

use super::buckets::Layout;
use super::histogram::HistogramValues;
use super::life::{Due, Life};
use super::number::NumberValues;
use super::rule::Rule;
use super::totals::Totals;
use crate::options::Sum;
use crate::otlp::wire::fields::POINTS;
use crate::otlp::wire::{DataKind, encoded_attributes, put_nested};

/// One series.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) life: Life,
    /// Encoded as fields of a point.
    pub(super) attributes: Box<[u8]>,
    pub(super) values: Values,
}

#[derive(Debug)]
pub(super) enum Values {
    Number(NumberValues),
    Histogram(Box<HistogramValues>),
}

impl Series {
    /// A number whose counter counts from `base`.
    pub(super) fn number(kind: DataKind, start_ns: u64, attributes: &[KeyValue], base: u64) -> Self {
        let attributes = encoded_attributes(kind, attributes);
        Self { life: Life::new(start_ns), attributes, values: Values::Number(NumberValues::new(base)) }
    }

    /// A histogram that counts from `base`, the values at the attachment.
    pub(super) fn histogram(
        layout: &Arc<Layout>,
        start_ns: u64,
        attributes: &[KeyValue],
        base: Totals,
        sum: Sum,
    ) -> Self {
        let attributes = encoded_attributes(layout.kind(), attributes);
        let values = Values::Histogram(Box::new(HistogramValues::new(layout.clone(), base, sum)));
        Self { life: Life::new(start_ns), attributes, values }
    }

    pub(super) fn is_on(&self, layout: &Arc<Layout>) -> bool {
        matches!(&self.values, Values::Histogram(values) if Arc::ptr_eq(&values.layout, layout))
    }

    pub(super) fn record_number(&mut self, rule: Rule, time_ns: u64, bits: u64) {
        if let Values::Number(values) = &mut self.values {
            values.record(rule, bits);
            self.life.record(time_ns);
        }
    }

    pub(super) fn record_histogram(&mut self, time_ns: u64, snapshot: &HistogramSnapshot) {
        if let Values::Histogram(values) = &mut self.values {
            values.record(snapshot);
            self.life.record(time_ns);
        }
    }

    fn has_changed(&self) -> bool {
        match &self.values {
            Values::Number(values) => values.has_changed(),
            Values::Histogram(values) => values.has_changed(),
        }
    }

    pub(super) fn supersede_by(&mut self, next: &mut Self, rule: Rule) {
        let counts_from_here = !rule.is_delta || self.life.is_pending() && self.has_changed();
        self.life.supersede_by(&mut next.life, counts_from_here);
    }

    /// Settles what is due; whatever was sent before and has no outcome has failed.
    pub(super) fn decide(&mut self, rule: Rule, has_ended: bool) {
        let has_changed = !rule.is_delta || self.has_changed();
        let due = self.life.decide(has_changed, has_ended);
        if let Values::Histogram(values) = &mut self.values
            && due.value
        {
            values.stage();
        }
    }

    pub(super) fn is_due(&self) -> bool {
        self.life.due() != Due::default()
    }

    pub(super) fn is_estimated(&self) -> bool {
        matches!(&self.values, Values::Histogram(values) if values.is_estimated())
    }

    /// Writes the points that are due, as fields of their metric.
    pub(super) fn put(&self, rule: Rule, to: &mut BytesMut) {
        let ((start_ns, time_ns), due) = (self.life.interval_ns(), self.life.due());
        if due.value {
            self.put_point(rule, (start_ns, time_ns), false, to);
        }
        if due.end {
            self.put_point(rule, (start_ns, self.life.end_ns()), true, to);
        }
    }

    fn put_point(&self, rule: Rule, times_ns: (u64, u64), is_end: bool, to: &mut BytesMut) {
        match &self.values {
            Values::Number(values) => {
                put_nested(to, POINTS, 0, |to| values.put(rule, &self.attributes, times_ns, is_end, to));
            }
            Values::Histogram(values) => {
                put_nested(to, POINTS, 128, |to| values.put(&self.attributes, times_ns, is_end, to));
            }
        }
    }

    /// Notes that what is due was put into a request.
    pub(super) fn sent(&mut self, rule: Rule, request: usize) {
        if rule.is_delta && self.life.due().value {
            match &mut self.values {
                Values::Number(values) => values.keep_sent(),
                Values::Histogram(values) => values.keep_sent(),
            }
        }
        self.life.sent(request);
    }

    pub(super) fn settle(&mut self, rule: Rule, request: usize, is_taken: bool) {
        if self.life.settle(request, is_taken, rule.is_delta) && rule.is_delta {
            match &mut self.values {
                Values::Number(values) => values.base = values.sent,
                Values::Histogram(values) => std::mem::swap(&mut values.base, &mut values.sent),
            }
        }
    }
}
