//! Sums: measured, estimated or absent.

use opentelemetry_sdk::metrics::Temporality;
use proptest::collection::vec;
use proptest::prelude::*;
use worker_metrics::histogram::Scale;

use super::super::buckets::Layout;
use super::rig::{HistogramRig, Rig};
use super::source::TestSource;
use super::{ascending, decoded, explicit_point, exported, only_point, scales, snapshot};
use crate::options::{HistogramOptions, Sum};
use crate::otlp::wire::Limits;

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
    use worker_metrics::Metric::{TaskPollDuration, TaskScheduleDuration};
    let mut rig = Rig::new(Temporality::Cumulative, HistogramOptions::default(), Limits::default());
    let source = TestSource::new("pool", 2, &[TaskPollDuration, TaskScheduleDuration]);
    rig.attach(&source, 1);
    source.set(|values| {
        let [one, other] = values.workers_mut() else { panic!("not two workers") };
        one.poll_time_histogram = snapshot(&Scale::preset(), &[1; 23], Some(5));
        one.schedule_latency_histogram = one.poll_time_histogram.clone();
        other.poll_time_histogram = snapshot(&Scale::preset(), &[1; 23], None);
        other.schedule_latency_histogram = one.poll_time_histogram.clone();
    });
    let requests = rig.export(10);
    let metrics = decoded(&requests[0]);
    assert_eq!(metrics.len(), 2);
    assert!(metrics[0].description.ends_with(NOTE));
    assert_eq!(metrics[1].description, TaskScheduleDuration.definition().description);
}

/// The sums of the points of exports at 10, 20 and 30 s, each taken or not.
fn sums(exports: [(u64, Option<u64>, bool); 3]) -> Vec<Option<Option<f64>>> {
    let mut rig = HistogramRig::new(Temporality::Delta);
    let mut sums = Vec::new();
    for ((count, sum_ns, is_taken), seconds) in exports.into_iter().zip([10, 20, 30]) {
        let mut counts = vec![0; 23];
        counts[0] = count;
        let requests = rig.export(seconds, &snapshot(&Scale::preset(), &counts, sum_ns));
        sums.push((!requests.is_empty()).then(|| only_point(&requests).sum));
        rig.rig.conclude(&requests, Some(is_taken));
    }
    sums
}

#[test]
fn a_sum_that_is_not_known_for_a_while_is_absent_and_then_complete() {
    let sums = sums([(1, Some(1_000), true), (2, None, true), (3, Some(7_000), true)]);
    assert_eq!(sums, [Some(Some(1e-6)), Some(None), Some(Some(6e-6))]);
}

#[test]
fn a_sum_that_was_not_delivered_is_not_lost_with_one_that_is_not_known() {
    let sums = sums([(1, Some(1_000), false), (2, None, true), (3, Some(7_000), true)]);
    assert_eq!(sums, [Some(Some(1e-6)), Some(None), Some(Some(7e-6))]);
}

#[test]
fn a_sum_that_was_read_ahead_of_its_counts_comes_with_them() {
    let sums = sums([(1, Some(1_000), true), (1, Some(3_000), true), (2, Some(3_000), true)]);
    assert_eq!(sums, [Some(Some(1e-6)), None, Some(Some(2e-6))]);
}

#[test]
fn a_sum_before_the_attachment_is_left_out() {
    for temporality in [Temporality::Cumulative, Temporality::Delta] {
        let mut counts = vec![0; 23];
        counts[3] = 5;
        let mut rig = HistogramRig::new(temporality);
        rig.detach(2);
        rig.set(&snapshot(&Scale::preset(), &counts, Some(5_000)));
        rig.attached = rig.rig.attach(&rig.source, 3);
        counts[3] = 7;
        let requests = rig.export(10, &snapshot(&Scale::preset(), &counts, Some(8_000)));
        let point = only_point(&requests);
        assert_eq!((point.count, point.sum, point.bucket_counts[3]), (2, Some(3e-6), 2));
    }
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
        let requests =
            HistogramRig::new(Temporality::Cumulative).export(10, &snapshot(&scale, &counts, None));
        assert_eq!(requests.len(), 1);
    }
}

static SCALES: std::sync::LazyLock<Vec<Scale>> = std::sync::LazyLock::new(scales);

proptest! {
    #[test]
    fn the_estimate_is_linear_in_the_counts(
        which in 0_usize..12,
        pairs in vec((0..1_u64 << 60, 0..1_u64 << 60), 1..40),
    ) {
        let scale = &SCALES[which];
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
