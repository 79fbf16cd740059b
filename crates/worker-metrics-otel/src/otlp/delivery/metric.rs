//! One metric at one destination: a block for each attached source that has it.

use super::block::Block;
use super::numbers::Rule;
use crate::otlp::wire::{DataKind, Descriptor, Entry, MetricInfo, Requests};

#[derive(Debug)]
pub(super) struct Metric {
    descriptor: Descriptor,
    rule: Rule,
    /// In the order of the attachments.
    blocks: Vec<Block>,
    /// Where the block is expected that is recorded next: sources are read in the same order each
    /// time.
    next: usize,
}

impl Metric {
    pub(super) fn new(info: &MetricInfo<'_>, kind: DataKind, rule: Rule) -> Self {
        Self { descriptor: Descriptor::new(info, kind), rule, blocks: Vec::new(), next: 0 }
    }

    pub(super) fn is_of(&self, info: &MetricInfo<'_>, kind: DataKind) -> bool {
        self.descriptor.is_of(info, kind)
    }

    pub(super) fn name(&self) -> &str {
        self.descriptor.name()
    }

    /// Begins an export.
    pub(super) fn begin(&mut self) {
        self.next = 0;
    }

    /// The block of an attachment, made where there is none.
    pub(super) fn block(&mut self, attachment: u64, new: impl FnOnce(Rule) -> Block) -> &mut Block {
        let Self { blocks, next, rule, .. } = self;
        let is_expected = blocks.get(*next).is_some_and(|block| block.attachment() == attachment);
        let place =
            if is_expected { Ok(*next) } else { blocks.binary_search_by_key(&attachment, Block::attachment) };
        let place = place.unwrap_or_else(|place| {
            blocks.insert(place, new(*rule));
            place
        });
        *next = place + 1;
        &mut blocks[place]
    }

    /// The block of an attachment, if there is one.
    pub(super) fn existing_block(&mut self, attachment: u64) -> Option<&mut Block> {
        let place = self.blocks.binary_search_by_key(&attachment, Block::attachment).ok()?;
        self.blocks.get_mut(place)
    }

    /// Adds what is due to `requests`; `entries` is a buffer.
    pub(super) fn finish(&mut self, entries: &mut Vec<Entry>, requests: &mut Requests) {
        let Self { descriptor, rule, blocks, .. } = self;
        let (mut plain_len, mut is_estimated) = (Some(0), false);
        for block in blocks.iter_mut() {
            let decision = block.decide(*rule);
            plain_len = plain_len.and_then(|len| Some(len + decision.plain_len?));
            is_estimated |= decision.is_estimated;
        }
        blocks.retain(|block| !block.is_through());
        let points = blocks.iter().map(Block::len).sum();
        let is_written = plain_len.is_some_and(|len| {
            requests.add_whole(descriptor, rule.temporality, points, len, |request, to| {
                for numbers in blocks.iter_mut().filter_map(Block::numbers) {
                    numbers.put_from_template(*rule, request, to);
                }
            })
        });
        if is_written {
            return;
        }
        entries.clear();
        blocks.iter().for_each(|block| block.entries(*rule, entries));
        let (mut block, mut from) = (0, 0);
        requests.add(descriptor, is_estimated, rule.temporality, entries, |request, to| {
            while let Some(current) = blocks.get_mut(block) {
                if let Some(next) = current.put_next(*rule, from, request, to) {
                    from = next;
                    return;
                }
                (block, from) = (block + 1, 0);
            }
        });
    }

    pub(super) fn settle(&mut self, request: usize, is_taken: bool) {
        let rule = self.rule;
        self.blocks.iter_mut().for_each(|block| block.settle(rule, request, is_taken));
    }

    /// Notes that an export is over: forgets what has nothing left to send, and gives up what was
    /// not delivered for long. Returns the number of series that were given up.
    pub(super) fn export_is_over(&mut self) -> usize {
        let mut given_up = 0;
        self.blocks.retain_mut(|block| {
            if block.is_through() {
                return false;
            }
            let is_given_up = block.export_is_over();
            given_up += if is_given_up { block.len() } else { 0 };
            !is_given_up
        });
        given_up
    }

    /// Forgets everything that has ended; returns the number of its series.
    pub(super) fn forget_ended(&mut self) -> usize {
        let mut forgotten = 0;
        self.blocks.retain(|block| {
            forgotten += if block.has_ended() { block.len() } else { 0 };
            !block.has_ended()
        });
        forgotten
    }

    pub(super) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }
}
