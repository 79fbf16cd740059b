//! Histograms through an instrument of the SDK, for exporters that are not OTLP.
//!
//! Run once a cycle, on the reader's thread. Records each counted value anew, so that the cost
//! grows with what was counted.

use std::collections::HashMap;
use std::time::Instant;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, Meter};
use worker_metrics::histogram::{HistogramSnapshot, Scale};
use worker_metrics::{Metric, Namespace, Snapshot};

use super::cycle::LONGEST_WAIT;
use crate::options::ReplayOptions;
use crate::source::{Attached, Last, Row, Snapshots};

/// The histograms of one meter, and how far each has been replayed.
#[derive(Default)]
pub(super) struct Replay {
    options: ReplayOptions,
    instruments: Vec<Replayed>,
    progress: HashMap<SeriesKey, Progress>,
    /// What earlier meters have recorded already.
    recorded_before: Recorded,
    /// The last values of detached sources that have not been replayed as a whole, and since when
    /// they wait.
    unfinished: Vec<(Last, Instant)>,
    merged: HistogramSnapshot,
}

/// A series: by attachment, metric and index.
type SeriesKey = (u64, Metric, usize);

/// What has been recorded of each series, by bucket.
pub(super) type Recorded = HashMap<SeriesKey, Vec<u64>>;

/// An instrument that a row is replayed through.
pub(super) struct Replayed {
    namespace: Namespace,
    metric: Metric,
    histogram: Histogram<f64>,
}

impl Replayed {
    /// An instrument for a row, with the bounds of `attached`: where a later source of the
    /// namespace has others, its values land in the buckets that they fall into. `None` if the
    /// source has no such histogram.
    ///
    /// Takes the lock of the SDK's pipeline, and must not be called with one that a callback takes.
    pub(super) fn new(meter: &Meter, attached: &Attached, row: &Row) -> Option<Self> {
        let mut snapshot = Snapshot::with_histograms();
        if !attached.collect(&mut snapshot) {
            return None;
        }
        let (mut scale, mut merged) = (None, HistogramSnapshot::default());
        row.for_each_histogram(&snapshot, &mut merged, |_, histogram| {
            scale = scale.take().or_else(|| histogram.scale.clone());
        });
        let scale = scale?;
        let histogram = meter
            .f64_histogram(row.name.to_string())
            .with_description(row.definition.description)
            .with_unit(row.definition.unit)
            .with_boundaries(scale.bounds_s())
            .build();
        Some(Self { namespace: attached.identity().namespace.clone(), metric: row.metric, histogram })
    }
}

/// What of one series has been recorded.
struct Progress {
    values_s: Vec<f64>,
    recorded: Vec<u64>,
    /// What is still to be recorded, by bucket; a buffer.
    due: Vec<u64>,
}

impl Progress {
    /// What was recorded already, or else was counted before the attachment.
    fn new(scale: &Scale, recorded: Option<Vec<u64>>) -> Self {
        let recorded = recorded.filter(|recorded| recorded.len() == scale.buckets());
        let recorded = recorded.unwrap_or_else(|| vec![0; scale.buckets()]);
        Self { values_s: values_s(scale), due: vec![0; recorded.len()], recorded }
    }

    /// Brings `due` up to date; returns its sum.
    fn count_due(&mut self, counts: &[u64]) -> u64 {
        for ((due, count), recorded) in self.due.iter_mut().zip(counts).zip(&self.recorded) {
            *due = count.saturating_sub(*recorded);
        }
        self.due.iter().fold(0, |sum, due| sum.saturating_add(*due))
    }

    /// Records at most `share` values, in proportion to what is due in each bucket and at least one
    /// of each: slow polls are rare, and must not wait for the fast ones.
    fn record(&mut self, total: u64, share: u64, histogram: &Histogram<f64>, attributes: &[KeyValue]) {
        for ((due, recorded), value_s) in self.due.iter_mut().zip(&mut self.recorded).zip(&self.values_s) {
            let part = if total <= share { *due } else { part_of(*due, share, total) };
            for _ in 0..part {
                histogram.record(*value_s, attributes);
            }
            *recorded += part;
            *due -= part;
        }
    }
}

/// What of `due` is recorded when `share` of `total` may be.
fn part_of(due: u64, share: u64, total: u64) -> u64 {
    let part = u128::from(due) * u128::from(share) / u128::from(total.max(1));
    u64::try_from(part).unwrap_or(u64::MAX).max(1).min(due)
}

impl Replay {
    /// `recorded_before` is what earlier meters have recorded, and is not recorded again.
    pub(super) fn new(options: ReplayOptions, recorded_before: Recorded) -> Self {
        Self { options, recorded_before, ..Self::default() }
    }

    /// What has been recorded, here and by earlier meters.
    pub(super) fn recorded(&self) -> Recorded {
        let mut recorded = self.recorded_before.clone();
        recorded.extend(self.progress.iter().map(|(key, progress)| (*key, progress.recorded.clone())));
        recorded
    }

    /// Replays a row through one more instrument.
    pub(super) fn add(&mut self, instrument: Replayed) {
        self.instruments.push(instrument);
    }

    /// Values that are still to be replayed, as of the last run.
    pub(super) fn backlog(&self) -> u64 {
        self.progress.values().flat_map(|progress| &progress.due).fold(0, |sum, due| sum.saturating_add(*due))
    }

    /// Replays the last values of a source that was detached.
    pub(super) fn end(&mut self, last: &Last, now: Instant) {
        self.unfinished.retain(|(_, since)| now.saturating_duration_since(*since) < LONGEST_WAIT);
        self.unfinished.push((last.clone(), now));
    }

    /// Records what has been counted since, up to about the limit; the rest is left for the next
    /// cycle.
    pub(super) fn run(&mut self, snapshots: &Snapshots) {
        let unfinished = std::mem::take(&mut self.unfinished);
        let live: Vec<_> = snapshots.iter().collect();
        let mut all: Vec<_> = live.iter().map(|(attached, snapshot)| (&**attached, *snapshot)).collect();
        all.extend(unfinished.iter().map(|(last, _)| (&*last.attached, &*last.snapshot)));
        let is_there = |number: u64| all.iter().any(|(attached, _)| attached.number() == number);
        self.recorded_before.retain(|(number, ..), _| is_there(*number));
        self.progress.retain(|(number, ..), _| is_there(*number));
        let Self { instruments, progress, recorded_before, merged, .. } = self;
        let (mut series, mut total) = (Vec::new(), 0_u64);
        for &(attached, snapshot) in &all {
            for Replayed { namespace, metric, histogram } in &*instruments {
                let row = attached.row(*metric).filter(|_| attached.identity().namespace == *namespace);
                let Some(row) = row else { continue };
                row.for_each_histogram(snapshot, merged, |index, counted| {
                    let key = (attached.number(), row.metric, index);
                    if let Some(attributes) = row.attributes.get(index) {
                        series.push((key, histogram, attributes));
                    }
                    let Some(scale) = &counted.scale else { return };
                    let progress = progress.entry(key).or_insert_with(|| {
                        let is_on_it = |before: &Vec<u64>| before.len() == scale.buckets();
                        let before = recorded_before.remove(&key).filter(is_on_it);
                        let base = || Some(row.histogram_at(attached.base(), index, scale)?.buckets);
                        Progress::new(scale, before.or_else(base))
                    });
                    total = total.saturating_add(progress.count_due(&counted.buckets));
                });
            }
        }
        let share = self.options.limit.map_or(u64::MAX, |limit| u64::from(limit.get()));
        for (key, histogram, attributes) in series {
            let Some(progress) = progress.get_mut(&key) else { continue };
            let own = progress.due.iter().fold(0_u64, |sum, due| sum.saturating_add(*due));
            let own_share = if total <= share { own } else { part_of(own, share, total) };
            progress.record(own, own_share, histogram, attributes);
        }
        let is_finished = |last: &Last| {
            let of_it = self.progress.iter().filter(|((number, ..), _)| *number == last.attached.number());
            of_it.flat_map(|(_, progress)| &progress.due).all(|due| *due == 0)
        };
        self.unfinished = unfinished.iter().filter(|(last, _)| !is_finished(last)).cloned().collect();
    }
}

/// A value for each bucket that the SDK counts in it: the midpoint, and just above its lower bound
/// for the open one.
fn values_s(scale: &Scale) -> Vec<f64> {
    let bounds_s = scale.bounds_s();
    let lower_s = std::iter::once(0.0).chain(bounds_s.iter().copied());
    let mut values_s: Vec<_> =
        lower_s.zip(&bounds_s).map(|(lower_s, upper_s)| f64::midpoint(lower_s, *upper_s)).collect();
    values_s.push(bounds_s.last().copied().unwrap_or(0.0).next_up());
    values_s
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bucket_has_a_value_that_falls_into_it() {
        let bounds_s = [0.0, 0.5, 1.0, 4.0];
        let scale = Scale::explicit(&bounds_s).unwrap();
        let values_s = values_s(&scale);
        assert_eq!(values_s, [0.0, 0.25, 0.75, 2.5, 4.0_f64.next_up()]);
        for (bucket, value_s) in values_s.iter().enumerate() {
            assert_eq!(bounds_s.partition_point(|bound_s| bound_s < value_s), bucket);
        }
    }

    #[test]
    fn a_share_is_in_proportion_and_at_least_one() {
        assert_eq!(part_of(1_000, 100, 1_100), 90);
        assert_eq!(part_of(1, 100, 1_100), 1);
        assert_eq!(part_of(0, 100, 1_100), 0);
        assert_eq!(part_of(u64::MAX, u64::MAX, 1), u64::MAX);
    }
}
