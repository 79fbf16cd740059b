use proptest::prelude::*;
use worker_metrics::histogram::Scale;

use super::BOUNDS_S;

/// Bucket by the comparison that defines it.
fn compared_in_seconds(bounds_s: &[f64], value_ns: u64) -> usize {
    bounds_s.iter().position(|&bound_s| value_ns as f64 / 1e9 <= bound_s).unwrap_or(bounds_s.len())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "near is enough, and the cast saturates"
)]
fn check(bounds_s: &[f64]) {
    let scale = Scale::explicit(bounds_s).expect("bounds ascend");
    for value_ns in (0..64).map(|bit| 1 << bit) {
        assert_eq!(scale.bucket_of(value_ns), compared_in_seconds(bounds_s, value_ns), "{value_ns} ns");
    }
    for &bound_s in bounds_s {
        let near = (bound_s * 1e9) as u64;
        // Above 2^53 ns many integers are one `f64`: look further there.
        for distance in [0, 1, 2, 3, 512, 1024, 2048, 4096] {
            for value_ns in [near.saturating_sub(distance), near.saturating_add(distance)] {
                let expected = compared_in_seconds(bounds_s, value_ns);
                assert_eq!(scale.bucket_of(value_ns), expected, "{value_ns} ns near {bound_s} s");
            }
        }
    }
    for bucket in 0..scale.buckets() {
        let start = scale.bucket_range(bucket).expect("below the number of buckets").start;
        for value_ns in [start.saturating_sub(1), start, start.saturating_add(1)] {
            assert_eq!(scale.bucket_of(value_ns), compared_in_seconds(bounds_s, value_ns), "{value_ns} ns");
        }
    }
}

#[test]
fn bounds_decide_as_the_comparison_in_seconds_does() {
    check(&BOUNDS_S);
    check(&[0.0]);
    check(&[1e-10, 2e-10, 1e-9, 1.5e-9, 2e-9]);
    // Two in one part of a doubling, of which the second is its last value.
    check(&[657e-9, 767e-9]);
    check(&[0.1, 0.2, 0.1 + 0.2, 0.7, 1.1, 3.3]);
    check(&[
        1e6,
        9_007_199.254_740_992,
        9_007_199.254_740_994,
        1e9,
        1.8e10,
        18_446_744_073.709_55,
        1.9e10,
        1e300,
    ]);
}

#[test]
fn a_bound_is_in_the_bucket_below_it() {
    let scale = Scale::explicit(&[0.5, 1.0]).expect("bounds ascend");
    assert_eq!(
        [500_000_000, 500_000_001, 1_000_000_000, 1_000_000_001].map(|ns| scale.bucket_of(ns)),
        [0, 1, 1, 2]
    );
}

proptest! {
    #[test]
    fn any_bounds_decide_as_the_comparison_in_seconds_does(
        mut bounds_s in proptest::collection::vec(prop_oneof![0.0..1e-6, 0.0..100.0, 0.0..2e10], 1..40),
    ) {
        bounds_s.sort_by(f64::total_cmp);
        bounds_s.dedup();
        check(&bounds_s);
    }
}
