//! One metric at one destination: a block for each attached source that has it.

use super::block::Block;
use super::rule::Rule;
use crate::otlp::wire::{Descriptor, Requests};

#[derive(Debug)]
pub(super) struct Metric {
    pub(super) descriptor: Descriptor,
    rule: Rule,
    /// In the order of the attachments.
    blocks: Vec<Block>,
    /// Where the block is expected that is recorded next: sources are read in the same order each
    /// time.
    next: usize,
    /// Length of all points in the last request.
    len: usize,
}

impl Metric {
    pub(super) fn new(descriptor: Descriptor, rule: Rule) -> Self {
        Self { descriptor, rule, blocks: Vec::new(), next: 0, len: 0 }
    }

    /// Begins an export.
    pub(super) fn begin(&mut self) {
        self.next = 0;
    }

    /// The block of an attachment, made where there is none.
    pub(super) fn block(&mut self, attachment: u64) -> &mut Block {
        let expected = self.blocks.get(self.next).filter(|block| block.attachment == attachment);
        let place = match expected {
            Some(_) => self.next,
            None => self.place(attachment).unwrap_or_else(|place| {
                self.blocks.insert(place, Block::new(attachment));
                place
            }),
        };
        self.next = place + 1;
        &mut self.blocks[place]
    }

    fn place(&self, attachment: u64) -> Result<usize, usize> {
        self.blocks.binary_search_by_key(&attachment, |block| block.attachment)
    }

    /// The block of an attachment, if there is one.
    pub(super) fn existing_block(&mut self, attachment: u64) -> Option<&mut Block> {
        let place = self.place(attachment).ok()?;
        self.blocks.get_mut(place)
    }

    /// Adds what is due to `requests`.
    pub(super) fn finish(&mut self, requests: &mut Requests) {
        let (rule, mut is_estimated) = (self.rule, false);
        self.blocks.retain_mut(|block| {
            is_estimated |= block.decide(rule);
            !block.is_through()
        });
        let mut writer = requests.metric(&self.descriptor, is_estimated, self.len);
        self.blocks.iter_mut().for_each(|block| block.put(rule, &mut writer));
        self.len = writer.close();
    }

    pub(super) fn settle(&mut self, request: usize, is_taken: bool) {
        let rule = self.rule;
        self.blocks.iter_mut().for_each(|block| block.settle(rule, request, is_taken));
    }

    /// Notes that an export is over: forgets what has nothing left to send, and gives up what was
    /// not delivered for long. Returns the number of series that were given up.
    pub(super) fn export_is_over(&mut self) -> usize {
        self.blocks.retain(|block| !block.is_through());
        self.forget(Block::export_is_over)
    }

    /// Forgets everything that has ended; returns the number of its series.
    pub(super) fn forget_ended(&mut self) -> usize {
        self.forget(|block| block.has_ended)
    }

    fn forget(&mut self, mut is_forgotten: impl FnMut(&mut Block) -> bool) -> usize {
        self.blocks.extract_if(.., |block| is_forgotten(block)).map(|block| block.len()).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }
}
