//! The running total of a series of deltas.
//! Called by `State` for every point with delta temporality.
//! Never panics or grows without bound, whatever offsets and scales a peer sends.

use std::ops::Range;

use crate::{Buckets, Data, ExponentialHistogram, Histogram, Number, Point};

/// The most buckets that a merge of exponential histograms may need before it gives up resolution:
/// the SDKs' default (opentelemetry-specification, metrics/sdk.md, "MaxSize", 160). A longer
/// histogram from the peer keeps its length.
const MAX_BUCKETS: usize = 160;

/// Adds a delta to the total: the values add up, the first start time stays, the last time is
/// taken.
///
/// A delta that cannot be added begins a new total: a histogram with other bounds than before.
pub(crate) fn accumulate(total: &mut Point, delta: Point) {
    let sum = match (&total.data, &delta.data) {
        (Data::Number { value: a }, Data::Number { value: b }) => {
            Some(Data::Number { value: add_numbers(*a, *b) })
        }
        (Data::Histogram(a), Data::Histogram(b)) => add_histograms(a, b).map(Data::Histogram),
        (Data::ExponentialHistogram(a), Data::ExponentialHistogram(b)) => {
            add_exponential(a, b).map(Data::ExponentialHistogram)
        }
        _ => None,
    };
    match sum {
        Some(data) => {
            total.data = data;
            total.time_unix_nano = delta.time_unix_nano;
        }
        None => *total = delta,
    }
}

fn add_numbers(a: Number, b: Number) -> Number {
    match (a, b) {
        (Number::Int(a), Number::Int(b)) => Number::Int(a.saturating_add(b)),
        _ => Number::Double(a.as_f64() + b.as_f64()),
    }
}

fn add_sums(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    Some(a? + b?)
}

fn add_histograms(a: &Histogram, b: &Histogram) -> Option<Histogram> {
    if a.bounds != b.bounds || a.bucket_counts.len() != b.bucket_counts.len() {
        return None;
    }
    Some(Histogram {
        count: a.count.saturating_add(b.count),
        sum: add_sums(a.sum, b.sum),
        bounds: a.bounds.clone(),
        bucket_counts: a
            .bucket_counts
            .iter()
            .zip(&b.bucket_counts)
            .map(|(a, b)| a.saturating_add(*b))
            .collect(),
    })
}

/// Adds two exponential histograms at the finest scale that both have and at which the result fits.
///
/// The larger zero threshold is taken; buckets below it stay where they are.
fn add_exponential(a: &ExponentialHistogram, b: &ExponentialHistogram) -> Option<ExponentialHistogram> {
    let none = Buckets::default();
    let (a_negative, b_negative) =
        (a.negative.as_ref().unwrap_or(&none), b.negative.as_ref().unwrap_or(&none));
    let (a_scale, b_scale) = (i64::from(a.scale), i64::from(b.scale));
    let mut scale = a_scale.min(b_scale);
    // Ends: after 63 steps every index is 0 or -1.
    let (positive, negative) = loop {
        let positive = Run::of(&a.positive, a_scale - scale).join(Run::of(&b.positive, b_scale - scale));
        let negative = Run::of(a_negative, a_scale - scale).join(Run::of(b_negative, b_scale - scale));
        let fits = |run: &Run, a: &Buckets, b: &Buckets| {
            run.len() <= MAX_BUCKETS.max(a.bucket_counts.len()).max(b.bucket_counts.len())
        };
        if fits(&positive, &a.positive, &b.positive) && fits(&negative, a_negative, b_negative) {
            break (positive, negative);
        }
        scale -= 1;
    };
    let add = |run: Run, a: &Buckets, b: &Buckets| -> Option<Buckets> {
        let mut counts = vec![0_u64; run.len()];
        run.count(a, a_scale - scale, &mut counts);
        run.count(b, b_scale - scale, &mut counts);
        Some(Buckets { offset: i32::try_from(run.0.start).ok()?, bucket_counts: counts })
    };
    Some(ExponentialHistogram {
        count: a.count.saturating_add(b.count),
        sum: add_sums(a.sum, b.sum),
        scale: i32::try_from(scale).ok()?,
        zero_count: a.zero_count.saturating_add(b.zero_count),
        zero_threshold: a.zero_threshold.max(b.zero_threshold),
        positive: add(positive, &a.positive, &b.positive)?,
        negative: Some(add(negative, a_negative, b_negative)?).filter(|run| !run.bucket_counts.is_empty()),
    })
}

/// The indices that some buckets take up; empty buckets take up none.
#[derive(Debug)]
struct Run(Range<i64>);

impl Run {
    /// The indices of `buckets` at a scale that is coarser by `coarser`.
    fn of(buckets: &Buckets, coarser: i64) -> Self {
        let first = i64::from(buckets.offset);
        match i64::try_from(buckets.bucket_counts.len()) {
            Ok(len @ 1..) => Self(shift(first, coarser)..shift(first.saturating_add(len - 1), coarser) + 1),
            _ => Self(0..0),
        }
    }

    fn join(self, other: Self) -> Self {
        match (self.0.is_empty(), other.0.is_empty()) {
            (_, true) => self,
            (true, false) => other,
            (false, false) => Self(self.0.start.min(other.0.start)..self.0.end.max(other.0.end)),
        }
    }

    fn len(&self) -> usize {
        usize::try_from(self.0.end - self.0.start).unwrap_or(usize::MAX)
    }

    /// Adds the counts of `buckets`, which lie within this run, to `counts`, which are as many as
    /// the run is long.
    fn count(&self, buckets: &Buckets, coarser: i64, counts: &mut [u64]) {
        for (index, bucket) in (i64::from(buckets.offset)..).zip(&buckets.bucket_counts) {
            let slot = usize::try_from(shift(index, coarser) - self.0.start).ok();
            if let Some(count) = slot.and_then(|slot| counts.get_mut(slot)) {
                *count = count.saturating_add(*bucket);
            }
        }
    }
}

/// The index of a bucket at a scale that is coarser by `coarser`: each step halves it, rounding
/// down.
fn shift(index: i64, coarser: i64) -> i64 {
    index >> coarser.clamp(0, 63)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(scale: i32, offset: i32, bucket_counts: Vec<u64>) -> ExponentialHistogram {
        ExponentialHistogram {
            count: bucket_counts.iter().fold(0, |a: u64, b| a.saturating_add(*b)),
            sum: Some(1.0),
            scale,
            zero_count: 0,
            zero_threshold: 0.0,
            positive: Buckets { offset, bucket_counts },
            negative: None,
        }
    }

    #[test]
    fn the_coarser_scale_wins_and_no_count_is_lost() {
        // At scale 1 the buckets -3..=2; at scale 0 they are -2, -1, -1, 0, 0, 1.
        let fine = histogram(1, -3, vec![1, 2, 3, 4, 5, 6]);
        let coarse = histogram(0, 1, vec![10]);
        for total in [add_exponential(&fine, &coarse), add_exponential(&coarse, &fine)] {
            let total = total.unwrap();
            assert_eq!((total.scale, total.count), (0, 31));
            assert_eq!(total.positive, Buckets { offset: -2, bucket_counts: vec![1, 5, 9, 16] });
        }
    }

    #[test]
    fn values_far_apart_are_merged_at_a_scale_at_which_they_fit() {
        let total =
            add_exponential(&histogram(20, -30_000_000, vec![1]), &histogram(20, 30_000_000, vec![2]))
                .unwrap();
        assert!(total.positive.bucket_counts.len() <= MAX_BUCKETS);
        assert!(
            total.positive.bucket_counts.len() > MAX_BUCKETS / 2,
            "no more resolution is lost than needed"
        );
        assert_eq!(total.positive.bucket_counts.iter().sum::<u64>(), 3);
        assert_eq!(i64::from(total.positive.offset), -30_000_000 >> (20 - total.scale));
    }

    #[test]
    fn absurd_scales_offsets_and_counts_are_survived() {
        let extremes = [i32::MIN, -1, 0, 1, i32::MAX];
        let mut added = 0;
        for (a_scale, a_offset) in extremes.into_iter().zip(extremes) {
            for b_scale in extremes {
                for b_offset in extremes {
                    let a = histogram(a_scale, a_offset, vec![u64::MAX, 1]);
                    let b = histogram(b_scale, b_offset, vec![u64::MAX, 1]);
                    if let Some(total) = add_exponential(&a, &b) {
                        assert!(total.positive.bucket_counts.len() <= MAX_BUCKETS);
                        assert_eq!(total.count, u64::MAX);
                        added += 1;
                    }
                }
            }
        }
        assert!(added > 0);
    }

    #[test]
    fn a_histogram_with_other_bounds_begins_a_new_total() {
        let point = |bounds: Vec<f64>, start| Point {
            attributes: crate::Attributes::new(),
            start_time_unix_nano: start,
            time_unix_nano: start + 1,
            data: Data::Histogram(Histogram {
                count: 1,
                sum: None,
                bucket_counts: vec![0; bounds.len() + 1],
                bounds,
            }),
        };
        let mut total = point(vec![1.0], 5);
        accumulate(&mut total, point(vec![2.0], 6));
        assert_eq!(total, point(vec![2.0], 6));
    }
}
