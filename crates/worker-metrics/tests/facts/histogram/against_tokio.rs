//! Against Tokio's own histograms, as its runtime reports them.
#![cfg(tokio_unstable)]

use std::ops::Range;
use std::time::Duration;

use proptest::prelude::*;
use tokio::runtime::{Builder, HistogramConfiguration, InvalidHistogramConfiguration, LogHistogram};
use worker_metrics::histogram::{Scale, ScaleError};

/// Above it, adding in `LogHistogramBuilder::build` of Tokio 1.54 overflows.
const MAX_OF_TOKIO_NS: u64 = 1 << 62;

fn ranges_of_tokio(configuration: HistogramConfiguration) -> Vec<Range<u64>> {
    let runtime = Builder::new_current_thread()
        .enable_metrics_poll_time_histogram()
        .metrics_poll_time_histogram_configuration(configuration)
        .build()
        .expect("a runtime without drivers");
    let metrics = runtime.metrics();
    let ns =
        |duration: Duration| u64::try_from(duration.as_nanos()).expect("Tokio's ranges end at u64::MAX ns");
    let range = |bucket| metrics.poll_time_histogram_bucket_range(bucket);
    (0..metrics.poll_time_histogram_num_buckets())
        .map(range)
        .map(|Range { start, end }| ns(start)..ns(end))
        .collect()
}

fn ranges(scale: &Scale) -> Vec<Range<u64>> {
    (0..scale.buckets()).filter_map(|bucket| scale.bucket_range(bucket)).collect()
}

fn assert_equal_ranges(min_ns: u64, max_ns: u64, precision: u32) {
    let (min, max) = (Duration::from_nanos(min_ns), Duration::from_nanos(max_ns));
    let ours = Scale::log().min_value(min).max_value(max).precision_exact(precision).build().expect("valid");
    let tokio = LogHistogram::builder().min_value(min).max_value(max).precision_exact(precision).build();
    let tokio = ranges_of_tokio(HistogramConfiguration::log(tokio));
    assert!(ranges(&ours) == tokio, "{min_ns} ns to {max_ns} ns, precision {precision}");
    let ends_ns: Vec<_> = tokio.iter().map(|range| range.end).collect();
    let imported = Scale::from_bucket_ends_ns(&ends_ns).expect("Tokio's ends ascend");
    assert!(ranges(&imported) == tokio, "{min_ns} ns to {max_ns} ns, precision {precision}, imported");
}

#[test]
fn log_has_the_ranges_of_tokio() {
    let mins = [0, 1, 2, 7, 100, 1_000, 1_023, 1_024, 10_000, 1_000_003];
    let maxes = [2_000_000, 1 << 30, 10_000_000_000, (1 << 36) + 1, 60_000_000_000, MAX_OF_TOKIO_NS];
    let mut configurations = 0;
    for min_ns in mins {
        for max_ns in maxes {
            for precision in 0..=10 {
                assert_equal_ranges(min_ns, max_ns, precision);
                configurations += 1;
            }
        }
    }
    assert!(configurations >= 400);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn any_log_has_the_ranges_of_tokio(
        min_bits in 0..35_u32, max_bits in 36..=61_u32, min_rest: u64, max_rest: u64, precision in 0..=10_u32,
    ) {
        let near = |bits: u32, rest: u64| (1_u64 << bits) + (rest & ((1_u64 << bits) - 1));
        assert_equal_ranges(near(min_bits, min_rest), near(max_bits, max_rest), precision);
    }
}

#[test]
fn errors_become_the_precision_of_tokio() {
    for max_error in [0.999, 0.5, 0.25, 0.249, 0.125, 0.1, 0.0625, 0.03, 0.01, 0.001, 0.0009, 1e-9] {
        let ours = Scale::log().max_error(max_error).build().expect("valid");
        let tokio = LogHistogram::builder().max_error(max_error).build();
        assert!(ranges(&ours) == ranges_of_tokio(HistogramConfiguration::log(tokio)), "{max_error}");
    }
}

#[test]
fn the_default_and_the_preset_have_the_ranges_of_tokio() {
    let default = HistogramConfiguration::log(LogHistogram::default());
    assert_eq!(ranges(&Scale::log().build().expect("valid")), ranges_of_tokio(default));
    let preset = LogHistogram::builder()
        .precision_exact(Scale::PRESET_PRECISION)
        .min_value(Scale::PRESET_MIN)
        .max_value(Scale::PRESET_MAX);
    assert_eq!(ranges(&Scale::preset()), ranges_of_tokio(HistogramConfiguration::log(preset)));
}

#[test]
fn too_many_buckets_are_as_many_as_tokio_says() {
    for precision in 0..=10 {
        for allowed in [0, 2, 5, 100, 1_000, 30_000] {
            let ours = Scale::log().precision_exact(precision).max_buckets(allowed).build();
            match LogHistogram::builder().precision_exact(precision).max_buckets(allowed) {
                Ok(_) => assert!(ours.is_ok(), "precision {precision}, {allowed} allowed"),
                Err(InvalidHistogramConfiguration::TooManyBuckets { required_bucket_count: required }) => {
                    assert_eq!(ours, Err(ScaleError::TooManyBuckets { required, allowed }));
                }
            }
        }
    }
}

#[test]
fn linear_has_the_ranges_of_tokio() {
    for width_ns in [1, 7, 1_000, 100_000, 123_456_789, 1 << 40] {
        for buckets in [1, 2, 10, 1_000] {
            let width = Duration::from_nanos(width_ns);
            let ours = Scale::linear(width, buckets).expect("valid");
            let tokio = ranges_of_tokio(HistogramConfiguration::linear(width, buckets));
            assert!(ranges(&ours) == tokio, "{buckets} of {width_ns} ns");
        }
    }
}
