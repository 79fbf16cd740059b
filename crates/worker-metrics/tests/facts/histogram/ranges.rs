use std::time::Duration;

use worker_metrics::histogram::{MAX_BUCKETS, Scale};

use super::{BOUNDS_S, scales, values_at_the_edges};

#[test]
fn every_value_falls_where_a_scan_of_the_ranges_puts_it() {
    for scale in scales() {
        let ranges: Vec<_> = (0..scale.buckets()).filter_map(|bucket| scale.bucket_range(bucket)).collect();
        for value_ns in values_at_the_edges(&scale) {
            let holds = |range: &std::ops::Range<u64>| range.contains(&value_ns) || range.end == u64::MAX;
            let scanned = ranges.iter().position(holds);
            assert_eq!(Some(scale.bucket_of(value_ns)), scanned, "{value_ns} ns on {scale:?}");
        }
    }
}

#[test]
fn ranges_join_from_0_to_u64_max() {
    for scale in scales() {
        let mut end = 0;
        for bucket in 0..scale.buckets() {
            let range = scale.bucket_range(bucket).expect("below the number of buckets");
            assert!(range.start == end && range.end >= end, "bucket {bucket} of {scale:?} is {range:?}");
            end = range.end;
        }
        assert_eq!(end, u64::MAX, "{scale:?}");
        assert_eq!(scale.bucket_range(scale.buckets()), None);
        assert_eq!(scale.bucket_range(usize::MAX), None);
    }
}

#[test]
fn the_preset_has_23_buckets() {
    let preset = Scale::preset();
    assert_eq!(preset.buckets(), 23);
    assert_eq!(preset.bucket_range(0), Some(0..8_192));
    assert_eq!(preset.bucket_range(22), Some(17_179_869_184..u64::MAX));
    let built = Scale::log()
        .precision_exact(Scale::PRESET_PRECISION)
        .min_value(Scale::PRESET_MIN)
        .max_value(Scale::PRESET_MAX)
        .build();
    assert_eq!(built, Ok(preset));
}

#[test]
fn bounds_are_the_ends_of_the_ranges_in_seconds() -> Result<(), Box<dyn std::error::Error>> {
    let linear = Scale::linear(Duration::from_micros(100), 4)?;
    assert_eq!(linear.bounds_s(), [0.0001, 0.0002, 0.0003]);
    let imported = Scale::from_bucket_ends_ns(&[250, 1_500, u64::MAX])?;
    assert_eq!(imported.bounds_s(), [2.5e-7, 1.5e-6]);
    for scale in scales() {
        let bounds_s = scale.bounds_s();
        assert_eq!(bounds_s.len(), scale.buckets() - 1, "{scale:?}");
        assert!(bounds_s.is_sorted_by(|low, high| low < high), "{scale:?}");
    }
    Ok(())
}

#[test]
fn explicit_bounds_are_returned_unchanged() -> Result<(), Box<dyn std::error::Error>> {
    for bounds_s in [&BOUNDS_S[..], &[0.0, 1e-10, 0.1 + 0.2, f64::MAX]] {
        assert_eq!(Scale::explicit(bounds_s)?.bounds_s(), bounds_s);
    }
    Ok(())
}

#[test]
fn imported_ends_give_the_ranges_they_came_from() {
    for scale in scales() {
        let ranges: Vec<_> = (0..scale.buckets()).filter_map(|bucket| scale.bucket_range(bucket)).collect();
        if ranges.iter().any(|range| range.is_empty()) {
            continue;
        }
        let ends_ns: Vec<_> = ranges.iter().map(|range| range.end).collect();
        let imported =
            Scale::from_bucket_ends_ns(&ends_ns).expect("ends of buckets that are not empty ascend");
        let of_import = (0..imported.buckets()).filter_map(|bucket| imported.bucket_range(bucket));
        assert!(of_import.eq(ranges), "{scale:?}");
    }
}

#[test]
fn scales_are_equal_when_their_options_are() {
    let (ours, others) = (scales(), scales());
    for (index, scale) in ours.iter().enumerate() {
        let equal: Vec<_> = (0..others.len()).filter(|&other| others[other] == *scale).collect();
        assert_eq!(equal, [index], "{scale:?}");
        assert_eq!(scale, &scale.clone());
    }
}

#[test]
fn the_most_buckets_of_every_kind_work() -> Result<(), Box<dyn std::error::Error>> {
    let us = Duration::from_micros(1);
    let bounds_s: Vec<_> = (1..MAX_BUCKETS).map(|bound| bound as f64).collect();
    let ends_ns: Vec<_> = (1..=MAX_BUCKETS as u64).collect();
    let finest =
        Scale::log().precision_exact(10).min_value(Duration::ZERO).max_value(Duration::MAX).build()?;
    assert_eq!(finest.buckets(), 56_320);
    for scale in [
        Scale::linear(us, MAX_BUCKETS)?,
        Scale::explicit(&bounds_s)?,
        Scale::from_bucket_ends_ns(&ends_ns)?,
        finest,
    ] {
        for bucket in [0, 1, 255, 256, scale.buckets() - 2, scale.buckets() - 1] {
            let start = scale.bucket_range(bucket).expect("below the number of buckets").start;
            assert_eq!(scale.bucket_of(start), bucket);
        }
        assert_eq!(scale.bucket_of(u64::MAX), scale.buckets() - 1);
    }
    Ok(())
}
