use std::time::Duration;

use worker_metrics::histogram::Scale;

#[test]
fn the_default_has_the_119_buckets_of_tokio() {
    let scale = Scale::log().build().expect("the default is valid");
    assert_eq!(scale.buckets(), 119);
    assert_eq!(scale.bucket_range(0), Some(0..96));
    assert_eq!(scale.bucket_range(1), Some(96..112));
}

#[test]
fn a_smallest_value_that_is_the_largest_makes_two_buckets() {
    for ns in [1, 2, 100, 4096, 5000] {
        let value = Duration::from_nanos(ns);
        let scale = Scale::log().min_value(value).max_value(value).precision_exact(0).build().expect("valid");
        let buckets = if ns.is_power_of_two() { 2 } else { 3 };
        assert_eq!(scale.buckets(), buckets, "{ns} ns");
    }
}

#[test]
fn the_range_keeps_its_precision() {
    for precision in 0..=10 {
        for (min_ns, max_ns) in [(1, 1 << 20), (100, 60_000_000_000), (10_000, 10_000_000_001)] {
            let (min, max) = (Duration::from_nanos(min_ns), Duration::from_nanos(max_ns));
            let scale =
                Scale::log().min_value(min).max_value(max).precision_exact(precision).build().expect("valid");
            assert!(scale.bucket_range(0).expect("the first bucket").end <= min_ns);
            assert!(scale.bucket_range(scale.buckets() - 1).expect("the last bucket").start >= max_ns);
            for bucket in 1..scale.buckets() - 1 {
                let range = scale.bucket_range(bucket).expect("below the number of buckets");
                assert!(
                    (range.end - range.start - 1) << precision <= range.start,
                    "{range:?}, precision {precision}"
                );
            }
        }
    }
}

#[test]
fn the_last_precision_asked_for_counts() {
    let default = Scale::log().build();
    assert_eq!(Scale::log().precision_exact(7).max_error(0.25).build(), default);
    assert_eq!(Scale::log().max_error(7.0).precision_exact(2).build(), default);
    assert_eq!(Scale::log().max_error(0.999).build(), default, "an error gives no precision below 2");
    assert_eq!(Scale::log().max_error(1e-9).build(), Scale::log().precision_exact(10).build());
}
