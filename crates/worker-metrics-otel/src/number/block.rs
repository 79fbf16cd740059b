//! The series of one metric of one attached source.

use opentelemetry::KeyValue;

use super::point::{ATTRIBUTES, Point};
use super::series::{Due, Rule, Series};
use crate::otlp::{Moment, wire};
use crate::reading::Number;

/// Series that come and go together.
#[derive(Debug)]
pub(super) struct Block {
    attachment: u64,
    series: Vec<Series>,
    /// Of all series, one behind the other, as fields of a point.
    attributes: Vec<u8>,
    /// Where those of each series end.
    ends: Vec<usize>,
    /// Last cycle in which the source had the series.
    seen: u64,
}

impl Block {
    pub(super) fn new<'a>(
        attachment: u64,
        start_ns: u64,
        attributes: impl Iterator<Item = &'a [KeyValue]>,
    ) -> Self {
        let mut block =
            Self { attachment, series: Vec::new(), attributes: Vec::new(), ends: Vec::new(), seen: 0 };
        for attributes in attributes {
            block.attributes.extend_from_slice(&wire::attributes(ATTRIBUTES, attributes));
            block.ends.push(block.attributes.len());
            block.series.push(Series::new(start_ns));
        }
        block
    }

    pub(super) fn attachment(&self) -> u64 {
        self.attachment
    }

    pub(super) fn see(&mut self, now: Moment) {
        self.seen = now.cycle;
    }

    pub(super) fn record(&mut self, rule: Rule, now: Moment, series: usize, number: Number) {
        if let Some(series) = self.series.get_mut(series) {
            series.record(rule, now.time_ns, rule.kind.bits(number));
        }
    }

    pub(super) fn has_ended(&self, now: Moment) -> bool {
        self.seen != now.cycle
    }

    /// Settles what is due, and tells the length of each point.
    pub(super) fn decide(&mut self, rule: Rule, now: Moment, lens: &mut Vec<usize>) {
        let has_ended = self.has_ended(now);
        let mut start = 0;
        for (series, &end) in self.series.iter_mut().zip(&self.ends) {
            if series.decide(rule, has_ended) != Due::Nothing {
                lens.push(point(rule, now, series, &self.attributes[start..end]).len());
            }
            start = end;
        }
    }

    /// The series of which something is due, each with its attributes.
    pub(super) fn due(&mut self) -> impl Iterator<Item = (&mut Series, &[u8])> {
        let Self { series, attributes, ends, .. } = self;
        let attributes: &[u8] = attributes;
        let mut start = 0;
        series
            .iter_mut()
            .zip(ends)
            .map(move |(series, end)| (series, &attributes[std::mem::replace(&mut start, *end)..*end]))
            .filter(|(series, _)| series.due() != Due::Nothing)
    }

    pub(super) fn series_mut(&mut self) -> &mut [Series] {
        &mut self.series
    }

    pub(super) fn len(&self) -> usize {
        self.series.len()
    }

    /// Whether there is nothing left to deliver.
    pub(super) fn is_through(&self, now: Moment) -> bool {
        self.has_ended(now) && self.series.iter().all(Series::is_through)
    }
}

/// The point of what is due.
pub(super) fn point<'a>(rule: Rule, now: Moment, series: &Series, attributes: &'a [u8]) -> Point<'a> {
    let value = series.value(rule, now.time_ns);
    Point { kind: rule.kind, attributes, start_ns: value.start_ns, time_ns: value.time_ns, bits: value.bits }
}
