//! The buckets of OTLP that those of a source are merged into.
//!
//! Made once for each scale. Never splits a bucket of the source.

use opentelemetry_proto::tonic::metrics::v1::HistogramDataPoint;
use prost::Message;
use worker_metrics::histogram::{ExponentialLayout, Scale};

use crate::options::{HistogramOptions, positions_of_bounds};
use crate::otlp::wire::DataKind;

/// Lowest scale of OTLP's exponential histograms: one bucket on each side of 1 s.
///
/// **Source**: `EXPO_MIN_SCALE` of opentelemetry_sdk 0.33.
const MIN_SCALE: i32 = -10;

/// The bucket of OTLP for each bucket of a source.
#[derive(Debug)]
pub(super) struct Layout {
    scale: Scale,
    buckets: Buckets,
    /// By bucket of the source: the bucket of OTLP. Begins at 0 and ascends by steps of at most 1.
    targets: Box<[usize]>,
    /// Whether every bucket of the source is one of OTLP.
    is_one_to_one: bool,
    /// By bucket of the source: what a value in it counts for in an estimate of the sum.
    middles_ns: Box<[u64]>,
}

/// The buckets of OTLP.
#[derive(Debug)]
pub(super) enum Buckets {
    /// With upper bounds in seconds, strictly ascending, written down as the field of a point.
    Explicit(Box<[u8]>),
    /// Bucket 0 is the zero bucket, bucket `n` from 1 on has the index `offset + n - 1`.
    ///
    /// Values above the range of the source are in the last, whose definition reaches less far.
    Exponential(ExponentialLayout),
}

impl Layout {
    pub(super) fn new(scale: &Scale, options: &HistogramOptions) -> Self {
        let bounds_s = scale.bounds_s();
        let asked_for = options.bounds_s().and_then(|asked_s| positions_of_bounds(&bounds_s, asked_s));
        let (buckets, targets) = match (asked_for, scale.as_exponential()) {
            (Some(kept), _) => explicit(&bounds_s, &kept),
            (None, Some(layout)) => lowered(layout, bounds_s.len(), options.max_buckets()),
            (None, None) => explicit(&bounds_s, &reduced(&bounds_s, options.max_buckets())),
        };
        let is_one_to_one = targets.iter().enumerate().all(|(bucket, &target)| bucket == target);
        Self { scale: scale.clone(), buckets, targets, is_one_to_one, middles_ns: middles_ns(scale) }
    }

    pub(super) fn scale(&self) -> &Scale {
        &self.scale
    }

    pub(super) fn buckets(&self) -> &Buckets {
        &self.buckets
    }

    /// Kind of data that holds these buckets.
    pub(super) fn kind(&self) -> DataKind {
        match self.buckets {
            Buckets::Explicit(_) => DataKind::Histogram,
            Buckets::Exponential(_) => DataKind::ExponentialHistogram,
        }
    }

    /// Whether the counts by bucket of the source are those by bucket of OTLP.
    pub(super) fn is_one_to_one(&self) -> bool {
        self.is_one_to_one
    }

    /// Puts the counts by bucket of OTLP, from those by bucket of the source, into `merged`.
    pub(super) fn merge(&self, counts: &[u64], merged: &mut Vec<u64>) {
        merged.clear();
        merged.resize(self.targets.last().map_or(0, |last| last + 1), 0);
        for (&target, &count) in self.targets.iter().zip(counts) {
            merged[target] = merged[target].saturating_add(count);
        }
    }

    /// An estimate of the sum of the values with these counts by bucket of the source, of which
    /// there are `total`, or at least `u64::MAX`.
    pub(super) fn estimate_ns(&self, counts: &[u64], total: u64) -> u128 {
        let products = self.middles_ns.iter().zip(counts);
        let products = products.map(|(&middle_ns, &count)| u128::from(middle_ns) * u128::from(count));
        // Fewer than 2^16 products below 2^112 cannot overflow: the usual case, without a branch
        // for each.
        if total < 1 << 48 {
            products.fold(0, |sum, product| sum.wrapping_add(product))
        } else {
            products.fold(0, u128::saturating_add)
        }
    }
}

/// The middle of each bucket, and the beginning of the last.
fn middles_ns(scale: &Scale) -> Box<[u64]> {
    let last = scale.buckets() - 1;
    let ranges_ns = (0..=last).map_while(|bucket| scale.bucket_range(bucket));
    let middle_ns = |(bucket, range_ns): (usize, std::ops::Range<u64>)| match bucket == last {
        true => range_ns.start,
        false => range_ns.start.midpoint(range_ns.end),
    };
    ranges_ns.enumerate().map(middle_ns).collect()
}

/// The positions of a source's bounds, every second left out until they make few enough buckets.
fn reduced(bounds_s: &[f64], max_buckets: usize) -> Vec<usize> {
    // Ends of buckets that are a nanosecond apart can be the same number of seconds.
    let is_last_of_its_number =
        |&position: &usize| bounds_s.get(position + 1).is_none_or(|&next_s| bounds_s[position] < next_s);
    let mut kept: Vec<_> = (0..bounds_s.len()).filter(is_last_of_its_number).collect();
    while kept.len() + 1 > max_buckets {
        kept = kept.into_iter().skip(1).step_by(2).collect();
    }
    kept
}

/// Buckets between the bounds at these positions among those of the source.
fn explicit(bounds_s: &[f64], kept: &[usize]) -> (Buckets, Box<[usize]>) {
    let target = |bucket| kept.partition_point(|&bound| bound < bucket);
    let targets = (0..=bounds_s.len()).map(target).collect();
    let explicit_bounds = kept.iter().map(|&bound| bounds_s[bound]).collect();
    let field = HistogramDataPoint { explicit_bounds, ..HistogramDataPoint::default() }.encode_to_vec();
    (Buckets::Explicit(field.into()), targets)
}

/// Exponential buckets, two merged into one until they are few enough; the zero bucket stays as it
/// is.
///
/// Each halving of the scale's resolution merges the indices `2n` and `2n + 1` into `n`. The zero
/// threshold need not be a bound of a bucket: the data model calls it "arbitrary and not related to
/// the scale".
fn lowered(source: ExponentialLayout, positive: usize, max_buckets: usize) -> (Buckets, Box<[usize]>) {
    let targets_at = |halvings: u32| {
        let first = source.offset >> halvings;
        let indices = (source.offset..).take(positive).map(move |index| index >> halvings);
        let target = move |index: i32| usize::try_from(index - first).map_or(0, |position| position + 1);
        std::iter::once(0).chain(indices.map(target)).collect::<Box<[usize]>>()
    };
    let lowest = (source.scale - MIN_SCALE).max(0).unsigned_abs();
    let mut halvings = 0;
    let mut targets = targets_at(halvings);
    while halvings < lowest && targets.last().is_some_and(|last| last + 1 > max_buckets) {
        halvings += 1;
        targets = targets_at(halvings);
    }
    let scale = source.scale.saturating_sub_unsigned(halvings);
    let layout = ExponentialLayout { scale, offset: source.offset >> halvings, ..source };
    (Buckets::Exponential(layout), targets)
}
