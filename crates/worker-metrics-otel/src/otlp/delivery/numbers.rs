//! The numbers of one row of one attached source.
//!
//! Kept by a block of their metric. Steady totals are written from a template: from one export to
//! the next only times and numbers change.

use bytes::{BufMut, BytesMut};
use opentelemetry::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality;

use super::kind::Kind;
use super::number_point::Point;
use super::series::{Due, Series};
use crate::otlp::wire::{self, Descriptor, Entry, Moment, fields};
use crate::source::Number;

/// How a metric of numbers counts.
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

/// One series: its life and its values, each as the 8 bytes on the wire.
#[derive(Clone, Copy, Debug)]
struct NumberSeries {
    life: Series,
    recorded: u64,
    sent: u64,
    /// What counters count from: the value at the attachment; of deltas, the last that was taken.
    base: u64,
    due: Due,
}

impl NumberSeries {
    fn record(&mut self, rule: Rule, time_ns: u64, bits: u64) {
        // A counter never goes back, whatever the source says.
        self.recorded = if rule.kind.is_counter() { rule.kind.larger(self.recorded, bits) } else { bits };
        self.life.record(time_ns);
    }

    fn decide(&mut self, rule: Rule) {
        self.due = self.life.due(!rule.is_delta() || self.recorded != self.base);
    }

    fn value(&self, rule: Rule) -> u64 {
        if rule.kind.is_counter() { rule.kind.difference(self.recorded, self.base) } else { self.recorded }
    }

    fn value_point<'a>(&self, rule: Rule, attributes: &'a [u8]) -> Point<'a> {
        let (start_ns, time_ns) = self.life.interval_ns();
        Point { kind: rule.kind, attributes, start_ns, time_ns, bits: Some(self.value(rule)) }
    }

    fn end_point<'a>(&self, rule: Rule, attributes: &'a [u8]) -> Point<'a> {
        let (start_ns, _) = self.life.interval_ns();
        Point { kind: rule.kind, attributes, start_ns, time_ns: self.life.end_ns(), bits: None }
    }

    /// The points that are due.
    fn points<'a>(&self, rule: Rule, attributes: &'a [u8]) -> impl Iterator<Item = Point<'a>> + use<'a> {
        let value = self.due.has_value().then(|| self.value_point(rule, attributes));
        let end = self.due.has_end().then(|| self.end_point(rule, attributes));
        value.into_iter().chain(end)
    }

    fn sent_in(&mut self, request: usize) {
        self.sent = self.recorded;
        self.life.sent(request, self.due);
    }

    fn taken(&mut self, rule: Rule) {
        let taken = self.life.taken(rule.is_delta());
        if taken.value && rule.is_delta() {
            self.base = self.sent;
        }
        if taken.everything {
            self.due = Due::Nothing;
        }
    }
}

/// Series of numbers that come and go together.
#[derive(Debug)]
pub(super) struct Numbers {
    series: Vec<NumberSeries>,
    /// Encoded attributes of all series, concatenated.
    attributes: Vec<u8>,
    /// Where the attributes of each series end.
    ends: Vec<usize>,
    template: Template,
}

/// Encoded points of all series, as fields of their metric.
#[derive(Debug, Default)]
struct Template {
    points: BytesMut,
    /// Where the number of each point is. Its time is a key and 8 bytes before that, its start
    /// another field before.
    numbers: Vec<usize>,
}

impl Numbers {
    /// Series with these attributes, whose counters count from `base`.
    pub(super) fn new<'a>(
        rule: Rule,
        start_ns: u64,
        attributes: impl Iterator<Item = &'a [KeyValue]>,
        base: impl FnOnce(&mut dyn FnMut(usize, Number)),
    ) -> Self {
        let mut numbers = Self {
            series: Vec::new(),
            attributes: Vec::new(),
            ends: Vec::new(),
            template: Template::default(),
        };
        for attributes in attributes {
            let attributes = wire::attributes(fields::number::ATTRIBUTES, attributes);
            numbers.attributes.extend_from_slice(&attributes);
            numbers.ends.push(numbers.attributes.len());
            let life = Series::new(start_ns);
            numbers.series.push(NumberSeries { life, recorded: 0, sent: 0, base: 0, due: Due::Nothing });
        }
        if rule.kind.is_counter() {
            base(&mut |index, number| {
                if let Some(series) = numbers.series.get_mut(index) {
                    series.base = rule.kind.bits(number);
                    series.recorded = series.base;
                }
            });
        }
        numbers
    }

    pub(super) fn record(&mut self, rule: Rule, now: Moment, index: usize, number: Number) {
        if let Some(series) = self.series.get_mut(index) {
            series.record(rule, now.time_ns, rule.kind.bits(number));
        }
    }

    /// Settles what is due; whatever was sent before and has no outcome has failed. Returns the
    /// length of the points if every series has a plain total.
    pub(super) fn decide(&mut self, rule: Rule, has_ended: bool) -> Option<usize> {
        let mut is_plain = !has_ended && !rule.is_delta();
        for series in &mut self.series {
            series.life.failed();
            if has_ended {
                series.life.end();
            }
            series.decide(rule);
            is_plain &= series.life.has_value_alone();
        }
        is_plain.then(|| self.template_len(rule))
    }

    fn template_len(&mut self, rule: Rule) -> usize {
        let Self { series, attributes, ends, template } = self;
        if template.numbers.is_empty() {
            let mut from = 0;
            for (series, &to) in series.iter().zip(ends.iter()) {
                let point = series.value_point(rule, &attributes[from..to]);
                Descriptor::put_before_point(&mut template.points, point.len());
                point.put(&mut template.points);
                // The number is followed by the attributes alone.
                template.numbers.push(template.points.len() - (to - from) - size_of::<u64>());
                from = to;
            }
        }
        template.points.len()
    }

    /// Writes the points of all series from the template, into that request.
    pub(super) fn put_from_template(&mut self, rule: Rule, request: usize, to: &mut BytesMut) {
        let Self { series, template, .. } = self;
        for (series, &number) in series.iter_mut().zip(&template.numbers) {
            let (start_ns, time_ns) = series.life.interval_ns();
            let time = number - wire::FIXED64_LEN;
            let start = time - wire::FIXED64_LEN;
            template.points[start..start + 8].copy_from_slice(&start_ns.to_le_bytes());
            template.points[time..time + 8].copy_from_slice(&time_ns.to_le_bytes());
            template.points[number..number + 8].copy_from_slice(&series.value(rule).to_le_bytes());
            series.sent_in(request);
        }
        to.put_slice(&template.points);
    }

    /// Lists the points of each series that has any due.
    pub(super) fn entries(&self, rule: Rule, entries: &mut Vec<Entry>) {
        for (series, attributes) in self.series.iter().zip(self.attributes()) {
            if series.due != Due::Nothing {
                let len = |point: Point<'_>| Descriptor::point_field_len(point.len());
                let len = series.points(rule, attributes).map(len).sum();
                entries.push(Entry { points: series.due.points(), len });
            }
        }
    }

    /// Writes the points of the next series that has any due, from index `from` on; returns the
    /// index after it.
    pub(super) fn put_next(
        &mut self,
        rule: Rule,
        from: usize,
        request: usize,
        to: &mut BytesMut,
    ) -> Option<usize> {
        let index = from + self.series.get(from..)?.iter().position(|series| series.due != Due::Nothing)?;
        let attributes = &self.attributes[self.attributes_of(index)];
        let series = &mut self.series[index];
        for point in series.points(rule, attributes) {
            Descriptor::put_before_point(to, point.len());
            point.put(to);
        }
        series.sent_in(request);
        Some(index + 1)
    }

    fn attributes_of(&self, index: usize) -> std::ops::Range<usize> {
        index.checked_sub(1).map_or(0, |before| self.ends[before])..self.ends[index]
    }

    fn attributes(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.ends.len()).map(|index| &self.attributes[self.attributes_of(index)])
    }

    pub(super) fn settle(&mut self, rule: Rule, request: usize, is_taken: bool) {
        for series in self.series.iter_mut().filter(|series| series.life.is_in(request)) {
            if is_taken { series.taken(rule) } else { series.life.failed() }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.series.len()
    }

    /// Whether there is nothing left to send, now or later.
    pub(super) fn is_through(&self) -> bool {
        self.series.iter().all(|series| series.life.is_through(series.due))
    }
}
