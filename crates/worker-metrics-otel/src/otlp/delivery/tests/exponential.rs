//! Exponential buckets against their definition, in whole numbers.

use std::cmp::Ordering;
use std::time::Duration;

use num_bigint::BigUint;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets as Positive;
use opentelemetry_sdk::metrics::Temporality;
use worker_metrics::histogram::Scale;

use super::{exponential, exponential_point, exported, snapshot};
use crate::options::HistogramOptions;

/// `value_ns` nanoseconds against `base^exponent` seconds.
fn against_power(scale: i32, exponent: i32, value_ns: u64) -> Ordering {
    let root = 1_u32 << scale.max(0);
    let twos = i64::from(exponent) << (-scale).max(0);
    let (value, second) = (BigUint::from(value_ns).pow(root), BigUint::from(1_000_000_000_u64).pow(root));
    if twos < 0 {
        (value << twos.unsigned_abs()).cmp(&second)
    } else {
        value.cmp(&(second << twos.unsigned_abs()))
    }
}

fn is_above(scale: i32, exponent: i32, value_ns: u64) -> bool {
    against_power(scale, exponent, value_ns) == Ordering::Greater
}

/// Sends one value and compares the bucket that it arrives in with the definition of that.
fn check(source: &Scale, options: &HistogramOptions, value_ns: u64) {
    let bucket = source.bucket_of(value_ns);
    let mut counts = vec![0; source.buckets()];
    counts[bucket] = 1;
    let metric = exported(options, Temporality::Delta, &snapshot(source, &counts, None));
    let point = exponential_point(&metric);
    let Positive { offset, bucket_counts } = point.positive.expect("positive buckets");
    let layout = source.as_exponential().expect("exponential");
    if bucket == 0 {
        assert_eq!((point.zero_count, bucket_counts), (1, vec![]));
        assert!(!is_above(layout.scale, layout.offset, value_ns), "{value_ns} ns is above the threshold");
        assert!(point.zero_threshold.total_cmp(&layout.zero_threshold_s).is_eq());
        return;
    }
    assert_eq!((point.zero_count, bucket_counts), (0, vec![1]), "trimmed");
    assert!(is_above(layout.scale, layout.offset, value_ns), "{value_ns} ns is not above the threshold");
    assert!(is_above(point.scale, offset, value_ns), "{value_ns} ns in {offset} at {}", point.scale);
    let is_open = bucket + 1 == source.buckets();
    assert!(
        is_open || !is_above(point.scale, offset + 1, value_ns),
        "{value_ns} ns in {offset} at {}",
        point.scale
    );
}

#[test]
fn every_value_arrives_in_the_bucket_whose_definition_contains_it() {
    let mut checked = 0;
    for resolution in -4..=6 {
        let source = exponential(resolution, Duration::from_micros(1), Duration::from_secs(10));
        // At fine scales not every bucket: its ends are the same powers.
        let step = (source.buckets() / 50).max(1);
        for max_buckets in [usize::MAX, 40, 12, 3] {
            let options = HistogramOptions::default().with_max_buckets(max_buckets);
            for bucket in (0..source.buckets()).step_by(step) {
                let start_ns = source.bucket_range(bucket).expect("a bucket").start;
                for value_ns in [start_ns.saturating_sub(1), start_ns, start_ns + 1] {
                    check(&source, &options, value_ns);
                    checked += 1;
                }
            }
            check(&source, &options, u64::MAX);
        }
    }
    assert!(checked > 3000, "{checked}");
}

#[test]
fn zeros_at_both_ends_are_not_sent() {
    let source = exponential(0, Duration::from_micros(1), Duration::from_secs(1));
    let mut counts = vec![0; source.buckets()];
    (counts[4], counts[6]) = (1, 2);
    let options = HistogramOptions::default();
    let point = exponential_point(&exported(&options, Temporality::Delta, &snapshot(&source, &counts, None)));
    assert_eq!(point.positive, Some(Positive { offset: -17, bucket_counts: vec![1, 0, 2] }));
}

#[test]
fn nothing_counted_is_no_bucket() {
    let source = exponential(0, Duration::from_micros(1), Duration::from_secs(1));
    let counts = vec![0; source.buckets()];
    let options = HistogramOptions::default();
    let metric = exported(&options, Temporality::Cumulative, &snapshot(&source, &counts, None));
    let point = exponential_point(&metric);
    assert_eq!((point.count, point.zero_count, point.sum), (0, 0, Some(0.0)));
    assert_eq!(point.positive.map(|positive| positive.bucket_counts), Some(vec![]));
}
