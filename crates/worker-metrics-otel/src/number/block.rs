//! The series of one metric of one attached source.

use bytes::{BufMut, BytesMut};
use opentelemetry::KeyValue;

use super::point::{ATTRIBUTES, Point};
use super::series::{Due, Rule, Series};
use crate::otlp::{Descriptor, Moment, wire};
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
    whole: Whole,
}

/// The points of all series as they are written while each has a total since its start: from one export to the next only times and numbers
/// change.
#[derive(Debug, Default)]
struct Whole {
    points: BytesMut,
    /// Where the number of each point is; its time stands a key and 8 bytes before it.
    numbers: Vec<usize>,
}

impl Block {
    pub(super) fn new<'a>(
        attachment: u64,
        start_ns: u64,
        attributes: impl Iterator<Item = &'a [KeyValue]>,
    ) -> Self {
        let mut block = Self {
            attachment,
            series: Vec::new(),
            attributes: Vec::new(),
            ends: Vec::new(),
            seen: 0,
            whole: Whole::default(),
        };
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

    /// Settles what is due: what was sent before and not settled has failed. If every series has a total to tell, returns the bytes of all
    /// points at once, each as a field of its metric.
    pub(super) fn decide(&mut self, rule: Rule, now: Moment) -> Option<usize> {
        let has_ended = self.has_ended(now);
        let mut is_whole = true;
        for series in &mut self.series {
            series.fail();
            series.decide(rule, has_ended);
            is_whole &= series.has_total(rule);
        }
        is_whole.then(|| self.whole_len(rule, now))
    }

    fn whole_len(&mut self, rule: Rule, now: Moment) -> usize {
        let Self { series, attributes, ends, whole, .. } = self;
        if whole.numbers.is_empty() {
            let mut start = 0;
            for (series, &end) in series.iter().zip(ends.iter()) {
                let point = point(rule, now, series, &attributes[start..end]);
                Descriptor::put_before_point(&mut whole.points, point.len());
                point.put(&mut whole.points);
                // The number, its key before and the attributes behind it.
                whole.numbers.push(whole.points.len() - (end - start) - size_of::<u64>());
                start = end;
            }
        }
        whole.points.len()
    }

    /// Writes all points at once, into that part.
    pub(super) fn put_whole(&mut self, part: usize, to: &mut BytesMut) {
        let Self { series, whole, .. } = self;
        for (series, &number) in series.iter_mut().zip(&whole.numbers) {
            let time = number - wire::FIXED64_LEN;
            whole.points[time..time + 8].copy_from_slice(&series.recorded_ns().to_le_bytes());
            whole.points[number..number + 8].copy_from_slice(&series.bits().to_le_bytes());
            series.sent(part);
        }
        to.put_slice(&whole.points);
    }

    /// Tells the length of each point of what is due.
    pub(super) fn lens(&mut self, rule: Rule, now: Moment, lens: &mut Vec<usize>) {
        lens.extend(self.due().map(|(series, attributes)| point(rule, now, series, attributes).len()));
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
