use std::error::Error;
use std::time::Duration;

use worker_metrics::histogram::{MAX_BUCKETS, Scale, ScaleError};

#[test]
fn each_error_names_the_value_and_the_remedy() {
    let (ns, us, s) = (Duration::from_nanos, Duration::from_micros, Duration::from_secs);
    let log = Scale::log;
    let too_many_bounds: Vec<_> = (0..MAX_BUCKETS).map(|bound| bound as f64).collect();
    let too_many_ends: Vec<_> = (1..=MAX_BUCKETS as u64 + 1).collect();
    let too_many = ScaleError::TooManyBuckets { required: MAX_BUCKETS + 1, allowed: MAX_BUCKETS };
    let cases = [
        (Scale::linear(us(1), 0), ScaleError::NoBuckets, "0 buckets|at least 1"),
        (Scale::from_bucket_ends_ns(&[]), ScaleError::NoBuckets, "0 buckets|at least 1"),
        (Scale::linear(ns(0), 10), ScaleError::ZeroWidth, "width 0|at least 1 ns"),
        (
            Scale::linear(s(10_000_000_000), 2),
            ScaleError::WidthTimesBuckets { bucket_width: s(10_000_000_000), buckets: 2 },
            "2 buckets of 10000000000s|beyond 18446744073.709551615s|fewer or narrower",
        ),
        (Scale::linear(us(1), MAX_BUCKETS + 1), too_many.clone(), "65537|65536|narrow the range"),
        (Scale::explicit(&too_many_bounds), too_many.clone(), "65537|65536|narrow the range"),
        (Scale::from_bucket_ends_ns(&too_many_ends), too_many, "65537|65536|narrow the range"),
        (
            log().max_buckets(118).build(),
            ScaleError::TooManyBuckets { required: 119, allowed: 118 },
            "119 buckets|118 allowed|lower the precision",
        ),
        (
            log().max_value(ns(0)).min_value(ns(0)).build(),
            ScaleError::MaxZero,
            "largest value of 0|at least 1 ns",
        ),
        (Scale::exponential(0, ns(0), ns(0)), ScaleError::MaxZero, "largest value of 0|at least 1 ns"),
        (
            log().min_value(s(61)).build(),
            ScaleError::MinAboveMax { min: s(61), max: s(60) },
            "61s|60s|lower the first or raise the second",
        ),
        (
            Scale::exponential(3, us(2), us(1)),
            ScaleError::MinAboveMax { min: us(2), max: us(1) },
            "2µs|1µs|lower the first or raise the second",
        ),
        (log().max_error(0.0).build(), ScaleError::MaxError { max_error: 0.0 }, "is 0:|above 0 and below 1"),
        (log().max_error(1.0).build(), ScaleError::MaxError { max_error: 1.0 }, "is 1:|above 0 and below 1"),
        (log().max_error(-0.5).build(), ScaleError::MaxError { max_error: -0.5 }, "is -0.5:|such as 0.25"),
        (log().precision_exact(11).build(), ScaleError::Precision { precision: 11 }, "is 11:|at most 10"),
        (Scale::explicit(&[]), ScaleError::BoundsEmpty, "0 bounds|at least 1"),
        (
            Scale::explicit(&[1.0, f64::INFINITY]),
            ScaleError::BoundNotFinite { index: 1, bound_s: f64::INFINITY },
            "bound 1 is inf|finite seconds",
        ),
        (
            Scale::explicit(&[-0.25, 1.0]),
            ScaleError::BoundNegative { index: 0, bound_s: -0.25 },
            "bound 0 is -0.25 s|leave it out",
        ),
        (
            Scale::explicit(&[0.5, 1.5, 1.5]),
            ScaleError::BoundsNotAscending { index: 2, previous_s: 1.5, bound_s: 1.5 },
            "bound 2 is 1.5 s|before it is 1.5 s|sort them",
        ),
        (
            Scale::explicit(&[2.5, 1.5]),
            ScaleError::BoundsNotAscending { index: 1, previous_s: 2.5, bound_s: 1.5 },
            "bound 1 is 1.5 s|before it is 2.5 s|drop duplicates",
        ),
        (
            Scale::from_bucket_ends_ns(&[0, 5]),
            ScaleError::EndsNotAscending { index: 0, previous_ns: 0, end_ns: 0 },
            "bucket 0 ends at 0 ns|begins at 0 ns|ascend from above 0",
        ),
        (
            Scale::from_bucket_ends_ns(&[5, 4]),
            ScaleError::EndsNotAscending { index: 1, previous_ns: 5, end_ns: 4 },
            "bucket 1 ends at 4 ns|begins at 5 ns|ascend",
        ),
        (
            Scale::exponential(7, us(1), s(1)),
            ScaleError::ExponentialScale { scale: 7 },
            "scale 7|-4 to 6|64 buckets for each power of two|1.1 %",
        ),
        (
            Scale::exponential(-5, us(1), s(1)),
            ScaleError::ExponentialScale { scale: -5 },
            "scale -5|-4 to 6|65536",
        ),
        (
            Scale::exponential(i32::MIN, us(1), s(1)),
            ScaleError::ExponentialScale { scale: i32::MIN },
            "-2147483648",
        ),
    ];
    for (result, expected, parts) in cases {
        let error = result.expect_err(parts);
        assert_eq!(error, expected);
        let message = error.to_string();
        for part in parts.split('|') {
            assert!(message.contains(part), "`{message}` does not contain `{part}`");
        }
        assert!(error.source().is_none(), "the message is the whole cause");
    }
}

#[test]
fn what_is_not_a_number_is_refused() {
    assert!(
        matches!(Scale::log().max_error(f64::NAN).build(), Err(ScaleError::MaxError { max_error }) if max_error.is_nan())
    );
    let bounds = Scale::explicit(&[f64::NAN]);
    assert!(matches!(bounds, Err(ScaleError::BoundNotFinite { index: 0, bound_s }) if bound_s.is_nan()));
}
