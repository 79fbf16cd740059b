use worker_metrics::histogram::{Histogram, LocalHistogram, Scale};

use super::{scales, values_at_the_edges};

#[test]
fn each_value_counts_once_in_its_bucket() {
    for scale in scales() {
        let values = values_at_the_edges(&scale);
        let mut expected = vec![0; scale.buckets()];
        let mut local = LocalHistogram::new(&scale);
        for &value_ns in &values {
            expected[scale.bucket_of(value_ns)] += 1;
            local.measure(value_ns);
        }
        assert_eq!(local.buckets(), expected);
        assert_eq!(local.scale(), &scale);
    }
}

#[test]
fn measuring_n_times_is_measuring_once_n_times() {
    let scale = Scale::preset();
    let (mut once, mut many) = (LocalHistogram::new(&scale), LocalHistogram::new(&scale));
    for (value_ns, count) in [(0, 3), (9_000, 1), (20_000_000, 7), (u64::MAX >> 8, 5), (77, 0)] {
        many.measure_n(value_ns, count);
        (0..count).for_each(|_| once.measure(value_ns));
    }
    assert_eq!((once.buckets(), once.sum_ns()), (many.buckets(), many.sum_ns()));
}

#[test]
fn the_sum_is_exact() {
    let scale = Scale::preset();
    let (mut local, shared) = (LocalHistogram::new(&scale), Histogram::new(&scale));
    let values = (0..10_000_u64).map(|n| n * n * 7919 + 1);
    values.clone().for_each(|value_ns| local.measure(value_ns));
    local.submit(&shared);
    let sum_ns = values.sum::<u64>();
    assert_eq!((local.sum_ns(), shared.sum_ns(), shared.snapshot().sum_ns), (sum_ns, sum_ns, Some(sum_ns)));
}

#[test]
fn recording_survives_every_extreme() {
    for scale in scales() {
        let (mut local, shared) = (LocalHistogram::new(&scale), Histogram::new(&scale));
        for value_ns in [0, 1, u64::MAX - 1, u64::MAX] {
            for count in [0, 1, u64::MAX, 1] {
                local.measure_n(value_ns, count);
                local.measure(value_ns);
            }
        }
        local.submit(&shared);
        assert_eq!(shared.sum_ns(), u64::MAX);
        assert_eq!(shared.bucket(scale.bucket_of(u64::MAX)), Some(u64::MAX));
        assert_eq!(shared.snapshot().count(), u64::MAX);
    }
}

#[test]
fn the_sum_stays_at_the_largest_number() {
    let mut local = LocalHistogram::new(&Scale::preset());
    local.measure_n(3, u64::MAX / 2);
    assert_eq!(local.sum_ns(), u64::MAX);
    local.measure(1);
    assert_eq!(local.sum_ns(), u64::MAX);
}

#[test]
fn submitting_twice_does_not_double() {
    let scale = Scale::preset();
    let (mut local, shared) = (LocalHistogram::new(&scale), Histogram::new(&scale));
    local.measure(1_000_000);
    local.submit(&shared);
    local.submit(&shared);
    assert_eq!((shared.snapshot().count(), shared.sum_ns()), (1, 1_000_000));
    local.measure(2_000_000);
    local.submit(&shared);
    assert_eq!((shared.snapshot().count(), shared.sum_ns()), (2, 3_000_000));
}

#[test]
fn nothing_is_shared_before_it_is_submitted() {
    let scale = Scale::preset();
    let (mut local, shared) = (LocalHistogram::new(&scale), Histogram::new(&scale));
    local.measure(1_000_000);
    assert_eq!((shared.snapshot().count(), shared.sum_ns()), (0, 0));
}

#[test]
fn a_shared_histogram_of_another_size_takes_the_buckets_it_has() {
    let small = Histogram::new(&Scale::linear(Scale::PRESET_MIN, 2).expect("valid"));
    let large = Histogram::new(&Scale::log().build().expect("valid"));
    let mut local = LocalHistogram::new(&Scale::preset());
    [0, 10_000, 1_000_000, u64::MAX].into_iter().for_each(|value_ns| local.measure(value_ns));
    for shared in [small, large] {
        local.submit(&shared);
        for bucket in 0..shared.scale().buckets() {
            assert_eq!(shared.bucket(bucket), Some(local.buckets().get(bucket).copied().unwrap_or(0)));
        }
    }
}

#[test]
fn a_bucket_that_does_not_exist_is_absent() {
    let shared = Histogram::new(&Scale::preset());
    assert_eq!((shared.bucket(22), shared.bucket(23), shared.bucket(usize::MAX)), (Some(0), None, None));
}
