//! Sums: measured, estimated or absent.

use opentelemetry_sdk::metrics::Temporality;
use proptest::collection::vec;
use proptest::prelude::*;
use worker_metrics::histogram::Scale;

use super::{
    ACKNOWLEDGED, POLLS, ascending, attributes, cycle, decoded, explicit_point, exported, finish, id, ledger,
    only_point, scales, settle_all, snapshot, time,
};
use crate::histogram::layout::Layout;
use crate::histogram::{HistogramOptions, Sum};
use crate::otlp::{MetricInfo, Outcome};

fn estimate_ns(layout: &Layout, counts: &[u64]) -> u128 {
    layout.estimate_ns(counts, counts.iter().copied().fold(0, u64::saturating_add))
}

const NOTE: &str = "The sum is an estimate from the bucket bounds.";

#[test]
fn the_estimate_takes_the_middle_of_each_bucket_and_the_beginning_of_the_last() {
    let scale = Scale::from_bucket_ends_ns(&[10, 30, 100]).expect("valid");
    let metric = exported(
        &HistogramOptions::default(),
        Temporality::Delta,
        &snapshot(&scale, &[1, 100, 10_000], None),
    );
    assert_eq!(explicit_point(&metric).sum, Some(302_005.0 / 1e9));
}

#[test]
fn the_estimate_is_between_the_ends_of_the_buckets() {
    for scale in scales() {
        let layout = Layout::new(&scale, &HistogramOptions::default());
        for bucket in 0..scale.buckets() {
            let mut counts = vec![0; scale.buckets()];
            counts[bucket] = 1000;
            let middle_ns = estimate_ns(&layout, &counts) / 1000;
            let range_ns = scale.bucket_range(bucket).expect("a bucket");
            assert!((u128::from(range_ns.start)..=range_ns.end.into()).contains(&middle_ns));
        }
    }
}

#[test]
fn merging_buckets_leaves_the_sum_as_it_is() {
    for scale in scales() {
        let sum = |options| {
            let metric = exported(&options, Temporality::Delta, &ascending(&scale));
            match scale.as_exponential() {
                Some(_) => super::exponential_point(&metric).sum,
                None => explicit_point(&metric).sum,
            }
        };
        let default = sum(HistogramOptions::default());
        assert!(default.is_some());
        assert_eq!(sum(HistogramOptions::default().with_max_buckets(3)), default);
    }
}

#[test]
fn a_measured_sum_is_sent_as_it_is_and_only_an_estimate_is_described_as_one() {
    let scale = Scale::preset();
    let mut counts = vec![0; 23];
    counts[5] = 3;
    for (measured_ns, sum, expected, noted) in [
        (Some(999), Sum::Estimated, Some(999.0 / 1e9), false),
        (Some(999), Sum::Measured, Some(999.0 / 1e9), false),
        (None, Sum::Estimated, Some(3.0 * 1.5 * 131_072.0 / 1e9), true),
        (None, Sum::Measured, None, false),
    ] {
        let options = HistogramOptions::default().with_sum(sum);
        let metric = exported(&options, Temporality::Cumulative, &snapshot(&scale, &counts, measured_ns));
        assert_eq!(explicit_point(&metric).sum, expected);
        assert_eq!(metric.description.ends_with(NOTE), noted, "{}", metric.description);
    }
}

#[test]
fn one_estimate_among_the_points_is_enough_for_the_note() {
    let mut ledger = ledger(Temporality::Cumulative);
    let scale = Scale::preset();
    ledger.begin(time(10));
    ledger.record(id(1), &POLLS, &attributes(1), time(1), &snapshot(&scale, &[1; 23], Some(5)));
    ledger.record(id(2), &POLLS, &attributes(2), time(1), &snapshot(&scale, &[1; 23], None));
    let other = MetricInfo { name: "other", ..POLLS };
    ledger.record(id(3), &other, &attributes(3), time(1), &snapshot(&scale, &[1; 23], Some(5)));
    let parts = finish(&mut ledger);
    let metrics = decoded(&parts[0]);
    assert_eq!(metrics.len(), 2);
    assert!(metrics[0].description.ends_with(NOTE));
    assert_eq!(metrics[1].description, POLLS.description);
}

#[test]
fn a_sum_that_is_not_known_for_a_while_is_absent_and_then_complete() {
    let scale = Scale::preset();
    let mut ledger = ledger(Temporality::Delta);
    let mut sums = Vec::new();
    for (seconds, count, sum_ns) in [(10, 1, Some(1_000)), (20, 2, None), (30, 3, Some(7_000))] {
        let mut counts = vec![0; 23];
        counts[0] = count;
        let parts = cycle(&mut ledger, seconds, Some(&snapshot(&scale, &counts, sum_ns)));
        sums.push(only_point(&parts).sum);
        settle_all(&mut ledger, &parts, ACKNOWLEDGED);
    }
    assert_eq!(sums, [Some(1e-6), None, Some(6e-6)]);
}

#[test]
fn a_sum_that_was_not_delivered_is_not_lost_with_one_that_is_not_known() {
    let scale = Scale::preset();
    let mut ledger = ledger(Temporality::Delta);
    let mut sums = Vec::new();
    for (seconds, count, sum_ns, outcome) in [
        (10, 1, Some(1_000), Outcome::Failed),
        (20, 2, None, ACKNOWLEDGED),
        (30, 3, Some(7_000), ACKNOWLEDGED),
    ] {
        let mut counts = vec![0; 23];
        counts[0] = count;
        let parts = cycle(&mut ledger, seconds, Some(&snapshot(&scale, &counts, sum_ns)));
        sums.push(only_point(&parts).sum);
        settle_all(&mut ledger, &parts, outcome);
    }
    assert_eq!(sums, [Some(1e-6), None, Some(7e-6)]);
}

#[test]
fn a_sum_that_was_read_ahead_of_its_counts_comes_with_them() {
    let scale = Scale::preset();
    let mut ledger = ledger(Temporality::Delta);
    let mut sums = Vec::new();
    for (seconds, count, sum_ns) in [(10, 1, 1_000), (20, 1, 3_000), (30, 2, 3_000)] {
        let mut counts = vec![0; 23];
        counts[0] = count;
        let parts = cycle(&mut ledger, seconds, Some(&snapshot(&scale, &counts, Some(sum_ns))));
        sums.push((!parts.is_empty()).then(|| only_point(&parts).sum));
        settle_all(&mut ledger, &parts, ACKNOWLEDGED);
    }
    assert_eq!(sums, [Some(Some(1e-6)), None, Some(Some(2e-6))]);
}

#[test]
fn a_sum_of_nothing_is_zero() {
    let metric = exported(
        &HistogramOptions::default(),
        Temporality::Cumulative,
        // Read while the worker was submitting its first measurement.
        &snapshot(&Scale::preset(), &[0; 23], Some(1234)),
    );
    assert_eq!((explicit_point(&metric).count, explicit_point(&metric).sum), (0, Some(0.0)));
}

#[test]
fn what_no_clock_can_count_saturates() {
    for scale in scales() {
        let counts = vec![u64::MAX; scale.buckets()];
        let mut ledger = ledger(Temporality::Cumulative);
        let parts = cycle(&mut ledger, 10, Some(&snapshot(&scale, &counts, None)));
        assert_eq!(parts.len(), 1);
    }
}

proptest! {
    #[test]
    fn the_estimate_is_linear_in_the_counts(
        which in 0_usize..12,
        pairs in vec((0..1_u64 << 60, 0..1_u64 << 60), 1..40),
    ) {
        let scale = &scales()[which];
        let layout = Layout::new(scale, &HistogramOptions::default());
        let counts = |pick: fn(&(u64, u64)) -> u64| -> Vec<_> {
            pairs.iter().cycle().take(scale.buckets()).map(pick).collect()
        };
        let first_ns = estimate_ns(&layout, &counts(|pair| pair.0));
        let more_ns = estimate_ns(&layout, &counts(|pair| pair.1));
        let both_ns = estimate_ns(&layout, &counts(|pair| pair.0 + pair.1));
        prop_assert_eq!(first_ns + more_ns, both_ns);
        prop_assert!(first_ns as f64 / 1e9 <= both_ns as f64 / 1e9);
    }
}
