//! One metric, and its series of every attached source.

use opentelemetry::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality;

use super::Kind;
use super::block::{Block, point};
use super::series::Rule;
use crate::otlp::{Descriptor, MetricInfo, Moment, Requests};

#[derive(Debug)]
pub(super) struct Metric {
    descriptor: Descriptor,
    rule: Rule,
    /// In the order of the attachments.
    blocks: Vec<Block>,
    /// Where the next is expected that is recorded: sources are read in the same order each time.
    next: usize,
}

impl Metric {
    pub(super) fn new(metric: &MetricInfo<'_>, kind: Kind, temporality: AggregationTemporality) -> Self {
        Self {
            descriptor: Descriptor::new(metric, kind.otlp()),
            rule: Rule { kind, temporality: kind.temporality(temporality) },
            blocks: Vec::new(),
            next: 0,
        }
    }

    pub(super) fn is_of(&self, metric: &MetricInfo<'_>, kind: Kind) -> bool {
        self.descriptor.is_of(metric, kind.otlp())
    }

    pub(super) fn rule(&self) -> Rule {
        self.rule
    }

    /// The block of an attachment, made where there is none.
    pub(super) fn block<'a>(
        &mut self,
        attachment: u64,
        start_ns: u64,
        attributes: impl Iterator<Item = &'a [KeyValue]>,
    ) -> &mut Block {
        let Self { blocks, next, .. } = self;
        let is_expected = blocks.get(*next).is_some_and(|block| block.attachment() == attachment);
        let place =
            if is_expected { Ok(*next) } else { blocks.binary_search_by_key(&attachment, Block::attachment) };
        let place = place.unwrap_or_else(|place| {
            blocks.insert(place, Block::new(attachment, start_ns, attributes));
            place
        });
        *next = place + 1;
        &mut blocks[place]
    }

    /// Begins a cycle.
    pub(super) fn begin(&mut self) {
        self.next = 0;
    }

    /// Adds what is due to `requests`; `lens` is a buffer.
    pub(super) fn finish(&mut self, now: Moment, lens: &mut Vec<usize>, requests: &mut Requests) {
        let Self { descriptor, rule, blocks, .. } = self;
        let points = blocks.iter().map(Block::len).sum();
        let mut whole = Some(0);
        for block in blocks.iter_mut() {
            whole = block.decide(*rule, now).and_then(|len| Some(whole? + len));
        }
        let is_written = whole.is_some_and(|len| {
            requests.add_whole(descriptor, rule.temporality, points, len, |part, to| {
                blocks.iter_mut().for_each(|block| block.put_whole(part, to));
            })
        });
        if is_written {
            return;
        }
        lens.clear();
        blocks.iter_mut().for_each(|block| block.lens(*rule, now, lens));
        let mut due = blocks.iter_mut().flat_map(Block::due);
        requests.add(descriptor, false, rule.temporality, lens, |_, part, to| {
            if let Some((series, attributes)) = due.next() {
                point(*rule, now, series, attributes).put(to);
                series.sent(part);
            }
        });
        drop(due);
        blocks.retain(|block| !block.is_through(now));
    }

    pub(super) fn settle(&mut self, part: usize, is_delivered: bool, now: Moment) {
        let rule = self.rule;
        for series in self.blocks.iter_mut().flat_map(Block::series_mut).filter(|series| series.is_in(part)) {
            if is_delivered { series.acknowledge(rule) } else { series.fail() }
        }
        self.blocks.retain(|block| !block.is_through(now));
    }

    /// The number of series that have ended and are not through.
    pub(super) fn ended(&self, now: Moment) -> usize {
        self.blocks.iter().filter(|block| block.has_ended(now)).map(Block::len).sum()
    }

    /// Forgets the oldest blocks that have ended, until so many series are gone or there are none; returns how many went.
    pub(super) fn forget(&mut self, at_least: usize, now: Moment) -> usize {
        let mut gone = 0;
        self.blocks.retain(|block| {
            let goes = gone < at_least && block.has_ended(now);
            gone += if goes { block.len() } else { 0 };
            !goes
        });
        gone
    }

    pub(super) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }
}
