//! Histograms through an instrument of the SDK, for exporters that take nothing else.
//!
//! Called once a cycle, on the reader's thread. It records each counted value anew, so that it costs time for each value; it must
//! never take longer in one cycle than it was allowed.

use std::collections::HashMap;
use std::num::NonZeroU32;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, Meter};
use worker_metrics::catalogue::CATALOGUE;
use worker_metrics::histogram::{HistogramSnapshot, Scale};
use worker_metrics::{Namespace, Snapshot};

use crate::looks::Looks;
use crate::registry::Attached;

/// The histograms of one meter, and how far they have been replayed.
pub(crate) struct Replay {
    at_most: u32,
    instruments: Vec<Replayed>,
    /// By attachment, row of the catalogue and index of the series.
    progress: HashMap<(u64, usize, usize), Progress>,
    /// Which series comes first in the next cycle: one with a large backlog must not starve the others.
    first: usize,
    merged: HistogramSnapshot,
}

/// An instrument that a row is replayed through.
pub(crate) struct Replayed {
    namespace: Namespace,
    row: usize,
    histogram: Histogram<f64>,
}

impl Replayed {
    /// An instrument for the row with this index in the catalogue, with the bounds of `attached`: where a later source of the
    /// namespace has others, its values land in the buckets that they fall into. `None` where the source has no such histogram.
    ///
    /// Takes the lock of the SDK's pipeline, and must not be called with one that a callback takes.
    pub(crate) fn new(meter: &Meter, attached: &Attached, row: usize) -> Option<Self> {
        let mut snapshot = Snapshot::with_histograms();
        if !attached.collect(&mut snapshot) {
            return None;
        }
        let (mut scale, mut merged) = (None, HistogramSnapshot::default());
        let exported = attached.histogram_rows().iter().find(|exported| exported.index == row)?;
        exported.for_each_series(&snapshot, &mut merged, |_, histogram| {
            scale = scale.take().or_else(|| histogram.scale.clone());
        });
        let scale = scale?;
        let namespace = attached.identity().namespace.clone();
        let definition = &CATALOGUE[row];
        let histogram = meter
            .f64_histogram(namespace.metric(definition))
            .with_description(definition.description)
            .with_unit(definition.unit)
            .with_boundaries(scale.bounds_s())
            .build();
        Some(Self { namespace, row, histogram })
    }
}

/// What of one series has been recorded.
struct Progress {
    values_s: Vec<f64>,
    recorded: Vec<u64>,
}

impl Replay {
    pub(crate) fn new(at_most: NonZeroU32) -> Self {
        Self {
            at_most: at_most.get(),
            instruments: Vec::new(),
            progress: HashMap::new(),
            first: 0,
            merged: HistogramSnapshot::default(),
        }
    }

    /// Replays a row through one more instrument.
    pub(crate) fn add(&mut self, instrument: Replayed) {
        self.instruments.push(instrument);
    }

    /// Records what has been counted since, up to the limit; the rest is left for the next cycle.
    pub(crate) fn run(&mut self, looks: &Looks) {
        let looks: Vec<_> = looks.iter().collect();
        let mut due = Vec::new();
        for (attached, snapshot) in &looks {
            for (instrument, made) in self.instruments.iter().enumerate() {
                if attached.exports(made.row) && attached.identity().namespace == made.namespace {
                    let series = 0..attached.attributes().of(made.row).len();
                    due.extend(series.map(|series| (&**attached, *snapshot, instrument, series)));
                }
            }
        }
        self.progress.retain(|(number, ..), _| due.iter().any(|(attached, ..)| attached.number() == *number));
        if due.is_empty() {
            return;
        }
        let first = self.first % due.len();
        self.first = first + 1;
        due.rotate_left(first);
        let mut left = self.at_most;
        for (attached, snapshot, instrument, series) in due {
            left = self.replay(attached, snapshot, instrument, series, left);
            if left == 0 {
                return;
            }
        }
    }

    /// Records of one series at most `left` values, and returns how many are left then.
    fn replay(
        &mut self,
        attached: &Attached,
        snapshot: &Snapshot,
        instrument: usize,
        index: usize,
        mut left: u32,
    ) -> u32 {
        let Self { instruments, progress, merged, .. } = self;
        let Some(Replayed { row, histogram, .. }) = instruments.get(instrument) else { return left };
        let Some(attributes) = attached.attributes().of(*row).get(index) else { return left };
        let exported = attached.histogram_rows().iter().find(|exported| exported.index == *row);
        let Some(exported) = exported else { return left };
        exported.for_each_series(snapshot, merged, |series, counted| {
            let Some(scale) = counted.scale.as_ref().filter(|_| series == index) else { return };
            let progress = progress.entry((attached.number(), *row, index)).or_insert_with(|| Progress {
                values_s: values_s(scale),
                recorded: vec![0; scale.buckets()],
            });
            for ((count, recorded), value_s) in
                counted.buckets.iter().zip(&mut progress.recorded).zip(&progress.values_s)
            {
                let due = u32::try_from(count.saturating_sub(*recorded)).unwrap_or(u32::MAX).min(left);
                record(histogram, *value_s, attributes, due);
                *recorded += u64::from(due);
                left -= due;
            }
        });
        left
    }
}

fn record(histogram: &Histogram<f64>, value_s: f64, attributes: &[KeyValue], times: u32) {
    for _ in 0..times {
        histogram.record(value_s, attributes);
    }
}

/// A value for each bucket that the SDK counts in it: the midpoint, and just above its lower bound for the open one.
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
}
