//! The series of one row of one attached source: they come and go together.
//!
//! Steady totals are written from a template: from one export to the next only times and numbers
//! change.

use bytes::{BufMut, BytesMut};

use super::life::Life;
use super::rule::Rule;
use super::series::{Series, Values};
use crate::otlp::wire::{FIXED64_LEN, MetricWriter};

/// A row of an attachment within a metric.
#[derive(Debug, Default)]
pub(super) struct Block {
    /// Number of the attachment, never used twice.
    pub(super) attachment: u64,
    pub(super) has_ended: bool,
    /// Exports since the end that did not deliver all.
    failed_exports: u32,
    /// By index; `None` where nothing is known.
    series: Vec<Option<Series>>,
    /// Histograms whose scale has changed, with what they still have to send.
    superseded: Vec<Series>,
    template: Template,
}

/// Encoded points of all series, as fields of their metric.
#[derive(Debug, Default)]
struct Template {
    /// Whether every series has a plain total to send.
    is_due: bool,
    points: BytesMut,
    /// Where the number of each point is. Its time is a key and 8 bytes before that, its start
    /// another field before.
    numbers: Vec<usize>,
}

/// Failed exports after which the last values of a source that has ended are given up: a receiver
/// that takes nothing must not let them grow without end.
const MOST_FAILED_EXPORTS: u32 = 30;

impl Block {
    pub(super) fn new(attachment: u64) -> Self {
        Self { attachment, ..Self::default() }
    }

    /// The series at an index if it `is_it`, or else a new one, which takes the place of another.
    pub(super) fn series(
        &mut self,
        rule: Rule,
        index: usize,
        is_it: impl FnOnce(&Series) -> bool,
        begin: impl FnOnce() -> Series,
    ) -> &mut Series {
        if self.series.len() <= index {
            self.series.resize_with(index + 1, || None);
        }
        let slot = &mut self.series[index];
        let other = slot.take_if(|series| !is_it(series));
        slot.get_or_insert_with(|| {
            self.template.numbers.clear();
            let mut next = begin();
            if let Some(mut before) = other {
                before.supersede_by(&mut next, rule);
                self.superseded.push(before);
            }
            next
        })
    }

    /// Notes that a series goes on elsewhere under the same attributes.
    pub(super) fn supersede(&mut self, index: usize) {
        if let Some(mut series) = self.series.get_mut(index).and_then(Option::take) {
            series.life.supersede_by(&mut Life::new(0), true);
            self.superseded.push(series);
        }
    }

    fn all(&self) -> impl Iterator<Item = &Series> {
        self.superseded.iter().chain(self.series.iter().flatten())
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Series> {
        self.superseded.iter_mut().chain(self.series.iter_mut().flatten())
    }

    /// Settles what is due. Returns whether a sum is estimated.
    pub(super) fn decide(&mut self, rule: Rule) -> bool {
        let has_ended = self.has_ended;
        let (mut is_plain, mut is_estimated) = (!has_ended && !rule.is_delta, false);
        // Not `for`, here and below: of a chain the compiler makes two loops for `for_each`.
        self.all_mut().for_each(|series| {
            series.decide(rule, has_ended);
            is_estimated |= series.is_estimated();
            is_plain &= matches!(series.values, Values::Number(_)) && series.life.has_value_alone();
        });
        self.template.is_due = is_plain;
        self.forget_superseded();
        is_estimated
    }

    /// Writes the points that are due.
    pub(super) fn put(&mut self, rule: Rule, to: &mut MetricWriter<'_>) {
        if self.template.is_due && self.put_from_template(rule, to) {
            return;
        }
        self.all_mut().filter(|series| series.is_due()).for_each(|series| {
            let request = to.add(series.life.due().points(), |to| series.put(rule, to));
            series.sent(rule, request);
        });
    }

    /// Writes the points of all series from the template, if they fit into the request under way.
    fn put_from_template(&mut self, rule: Rule, to: &mut MetricWriter<'_>) -> bool {
        let Self { series, template, .. } = self;
        if template.numbers.is_empty() {
            *template = Template { is_due: true, ..Template::default() };
            for series in series.iter().flatten() {
                series.put(rule, &mut template.points);
                // The number is followed by the attributes alone.
                template.numbers.push(template.points.len() - series.attributes.len() - size_of::<u64>());
            }
        }
        let Some(request) = to.room_for(template.numbers.len(), template.points.len()) else { return false };
        let mut numbers = template.numbers.iter();
        series.iter_mut().flatten().for_each(|series| {
            let (Values::Number(values), Some(&number)) = (&series.values, numbers.next()) else { return };
            let (start_ns, time_ns) = series.life.interval_ns();
            let time = number - FIXED64_LEN;
            let start = time - FIXED64_LEN;
            template.points[start..start + 8].copy_from_slice(&start_ns.to_le_bytes());
            template.points[time..time + 8].copy_from_slice(&time_ns.to_le_bytes());
            template.points[number..number + 8].copy_from_slice(&values.value(rule).to_le_bytes());
            series.sent(rule, request);
        });
        to.add(template.numbers.len(), |to| to.put_slice(&template.points));
        true
    }

    pub(super) fn settle(&mut self, rule: Rule, request: usize, is_taken: bool) {
        self.all_mut().for_each(|series| series.settle(rule, request, is_taken));
        self.forget_superseded();
    }

    /// Forgets superseded series that have nothing left to send.
    fn forget_superseded(&mut self) {
        self.superseded.retain(|series| !series.life.is_through());
    }

    pub(super) fn len(&self) -> usize {
        self.all().count()
    }

    /// Whether there is nothing left to send, now or later.
    pub(super) fn is_through(&self) -> bool {
        self.has_ended && self.all().all(|series| series.life.is_through())
    }

    /// Notes that an export is over. Returns whether the block is given up.
    pub(super) fn export_is_over(&mut self) -> bool {
        self.failed_exports += u32::from(self.has_ended);
        self.failed_exports > MOST_FAILED_EXPORTS
    }
}
