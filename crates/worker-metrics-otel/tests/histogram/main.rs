//! What a user sees of the options of exported histograms.

use std::time::Duration;

use worker_metrics::histogram::Scale;
use worker_metrics_otel::{BoundsError, HistogramOptions, Sum};

fn with_bounds(bounds_s: &[f64]) -> Result<HistogramOptions, BoundsError> {
    HistogramOptions::default().with_bounds(bounds_s)
}

#[test]
fn bounds_must_be_finite_and_ascend() {
    assert_eq!(with_bounds(&[]), Err(BoundsError::Empty));
    assert_eq!(
        with_bounds(&[0.1, f64::INFINITY]),
        Err(BoundsError::NotFinite { index: 1, bound_s: f64::INFINITY })
    );
    assert!(matches!(with_bounds(&[f64::NAN]), Err(BoundsError::NotFinite { index: 0, .. })));
    for bound_s in [0.5, 0.25] {
        assert_eq!(
            with_bounds(&[0.5, bound_s]),
            Err(BoundsError::NotAscending { index: 1, previous_s: 0.5, bound_s })
        );
    }
}

#[test]
fn bounds_written_in_seconds_are_those_of_the_source() {
    // 2^15, 2^20 and 2^30 ns.
    let options = with_bounds(&[0.000032768, 0.001048576, 1.073741824]).expect("ascend");
    assert_eq!(options.check(&Scale::preset()), Ok(()));
    let tokio = Scale::linear(Duration::from_micros(100), 10).expect("valid");
    assert_eq!(with_bounds(&[0.0001, 0.0007]).expect("ascend").check(&tokio), Ok(()));
    assert_eq!(HistogramOptions::default().check(&tokio), Ok(()));
}

#[test]
fn a_bound_that_the_source_lacks_is_named_with_its_neighbours() {
    let scale = Scale::explicit(&[0.001, 0.01, 0.1]).expect("valid");
    for (bound_s, below_s, above_s) in [
        (0.000_5, None, Some(0.001)),
        (0.05, Some(0.01), Some(0.1)),
        // The next number after 0.01.
        (0.01_f64.next_up(), Some(0.01), Some(0.1)),
        (-0.5, None, Some(0.001)),
        (5.0, Some(0.1), None),
    ] {
        assert_eq!(
            with_bounds(&[bound_s, 10.0]).expect("ascend").check(&scale),
            Err(BoundsError::NotOfSource { bound_s, below_s, above_s })
        );
    }
    let one_bucket = Scale::linear(Duration::from_secs(1), 1).expect("valid");
    assert_eq!(
        with_bounds(&[1.0]).expect("ascends").check(&one_bucket),
        Err(BoundsError::NotOfSource { bound_s: 1.0, below_s: None, above_s: None })
    );
}

#[test]
fn each_error_names_the_bound_and_the_remedy() {
    let lacking = |below_s, above_s| BoundsError::NotOfSource { bound_s: 0.05, below_s, above_s };
    for (error, message) in [
        (BoundsError::Empty, "0 bounds make one bucket of everything: give at least 1 bound, in seconds"),
        (
            BoundsError::NotFinite { index: 1, bound_s: f64::INFINITY },
            "bound 1 is inf: give finite seconds; the bucket above the last bound is there anyway",
        ),
        (
            BoundsError::NotAscending { index: 1, previous_s: 0.5, bound_s: 0.25 },
            "bound 1 is 0.25 s and the one before it is 0.5 s: sort them and drop duplicates",
        ),
        (
            lacking(Some(0.01), Some(0.1)),
            "no bucket of the source ends at 0.05 s: give 0.01 s or 0.1 s, which are next to it",
        ),
        (lacking(None, Some(0.1)), "no bucket of the source ends at 0.05 s: give 0.1 s, which is next to it"),
        (
            lacking(Some(0.01), None),
            "no bucket of the source ends at 0.05 s: give 0.01 s, which is next to it",
        ),
        (
            lacking(None, None),
            "no bucket of the source ends at 0.05 s: it has one bucket, so leave the bounds out",
        ),
    ] {
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn options_are_estimated_sums_on_the_buckets_of_the_source_unless_set() {
    let default = HistogramOptions::default();
    assert_eq!(default, default.clone().with_sum(Sum::Estimated));
    assert_ne!(default, default.clone().with_sum(Sum::Measured));
    assert_ne!(default, default.clone().with_max_buckets(30));
}
