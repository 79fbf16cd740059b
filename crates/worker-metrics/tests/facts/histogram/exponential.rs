use std::cmp::Ordering;
use std::time::Duration;

use num_bigint::BigUint;
use worker_metrics::histogram::{ExponentialLayout, Scale};

const SCALES: std::ops::RangeInclusive<i32> = -4..=6;

/// `value_ns` nanoseconds against `base^exponent` seconds, in whole numbers.
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

fn layout(scale: &Scale) -> ExponentialLayout {
    scale.as_exponential().expect("built as exponential")
}

/// Index of a bucket from 1 on among OTLP's positive buckets.
fn index(scale: &Scale, bucket: usize) -> i32 {
    layout(scale).offset + i32::try_from(bucket).expect("few buckets") - 1
}

#[test]
fn every_end_is_exact() {
    for resolution in SCALES {
        // Beyond 2^53 ns, 104 days, floating point alone would be wrong.
        let scale = Scale::exponential(resolution, Duration::from_nanos(1), Duration::MAX).expect("valid");
        let mut ends = 0;
        for bucket in 0..scale.buckets() - 1 {
            // The index of the next bucket is the exponent of the end of this one.
            let exponent = index(&scale, bucket + 1);
            let end_ns = scale.bucket_range(bucket).expect("below the number of buckets").end;
            for value_ns in [end_ns.saturating_sub(2), end_ns - 1, end_ns, end_ns.saturating_add(1)] {
                let above = against_power(resolution, exponent, value_ns) == Ordering::Greater;
                assert_eq!(
                    above,
                    value_ns >= end_ns,
                    "{value_ns} ns, scale {resolution}, exponent {exponent}"
                );
                assert_eq!(above, scale.bucket_of(value_ns) > bucket, "{value_ns} ns, scale {resolution}");
                ends += 1;
            }
        }
        assert!(ends >= 8, "scale {resolution}");
    }
}

#[test]
fn the_smallest_and_the_largest_value_have_a_bucket_of_their_scale() {
    let (ns, max) = (Duration::from_nanos, u64::MAX);
    for resolution in SCALES {
        for (min_ns, max_ns) in
            [(1, 1), (1, 100), (999, 1_000_000_000), (1_000_000_000, 1_000_000_001), (1, max)]
        {
            let scale = Scale::exponential(resolution, ns(min_ns), ns(max_ns)).expect("valid");
            assert_eq!(scale.bucket_of(min_ns), 1, "{min_ns} ns, scale {resolution}");
            for value_ns in [min_ns, max_ns] {
                let index = index(&scale, scale.bucket_of(value_ns));
                assert_eq!(against_power(resolution, index, value_ns), Ordering::Greater, "{value_ns} ns");
                assert_ne!(
                    against_power(resolution, index + 1, value_ns),
                    Ordering::Greater,
                    "{value_ns} ns"
                );
            }
            let open = usize::from(max_ns != max);
            assert_eq!(
                scale.bucket_of(max_ns) + open,
                scale.buckets() - 1,
                "{max_ns} ns, scale {resolution}"
            );
        }
    }
}

#[test]
fn what_is_outside_the_range_counts_in_the_first_and_the_last_bucket() {
    for resolution in SCALES {
        let scale =
            Scale::exponential(resolution, Duration::from_micros(1), Duration::from_secs(10)).expect("valid");
        assert_eq!(scale.bucket_of(0), 0);
        assert_eq!(scale.bucket_of(u64::MAX), scale.buckets() - 1);
    }
}

#[test]
fn bounds_are_the_powers_of_the_base_in_seconds() {
    for resolution in SCALES {
        let scale =
            Scale::exponential(resolution, Duration::from_micros(1), Duration::from_secs(10)).expect("valid");
        let base = 2_f64.powf(2_f64.powi(-resolution));
        let ExponentialLayout { scale: reported, offset, zero_threshold_s } = layout(&scale);
        assert_eq!(reported, resolution);
        assert_eq!(scale.bounds_s().first(), Some(&zero_threshold_s));
        for (exponent, bound_s) in (offset..).zip(scale.bounds_s()) {
            let expected = base.powi(exponent);
            assert!((bound_s / expected - 1.0).abs() < 1e-12, "{bound_s} s, not {expected} s");
        }
    }
}

#[test]
fn a_microsecond_at_scale_0_has_index_minus_20() {
    let scale = Scale::exponential(0, Duration::from_micros(1), Duration::from_secs(1)).expect("valid");
    assert_eq!(
        layout(&scale),
        ExponentialLayout { scale: 0, offset: -20, zero_threshold_s: 2_f64.powi(-20) }
    );
    // One second is the upper end of index -1, and 2^-20 s are 953.67 ns.
    assert_eq!(index(&scale, scale.bucket_of(1_000_000_000)), -1);
    assert_eq!(index(&scale, scale.bucket_of(1_000_000_001)), 0);
    assert_eq!(scale.bucket_range(0), Some(0..954));
}

#[test]
fn no_other_scale_is_exponential() {
    let others = super::scales().into_iter().filter(|scale| !format!("{scale:?}").contains("Exponential"));
    let others: Vec<_> = others.collect();
    assert!(others.len() >= 4);
    assert!(others.iter().all(|scale| scale.as_exponential().is_none()));
}
