//! Buckets of OTLP against those of the source, by slow comparison of their bounds.

use opentelemetry_sdk::metrics::Temporality;
use worker_metrics::histogram::Scale;

use super::super::buckets::{Buckets, Layout};
use super::{ascending, explicit_point, exponential_point, exported, scales, snapshot};
use crate::options::{BoundsError, HistogramOptions};

const MAXIMA: [usize; 10] = [0, 1, 2, 3, 4, 5, 10, 23, 30, 1000];

fn at_most(max_buckets: usize) -> HistogramOptions {
    HistogramOptions::default().with_max_buckets(max_buckets)
}

/// Where a bucket of the source belongs: below the first bound that is no smaller than its own.
fn merged_slowly(scale: &Scale, counts: &[u64], bounds_s: &[f64]) -> Vec<u64> {
    let of_source_s = scale.bounds_s();
    let mut merged = vec![0; bounds_s.len() + 1];
    for (bucket, count) in counts.iter().enumerate() {
        let upper_s = of_source_s.get(bucket).copied().unwrap_or(f64::INFINITY);
        let mut target = 0;
        while bounds_s.get(target).is_some_and(|&bound_s| bound_s < upper_s) {
            target += 1;
        }
        merged[target] += count;
    }
    merged
}

fn merged(layout: &Layout, counts: &[u64]) -> Vec<u64> {
    let mut merged = Vec::new();
    layout.merge(counts, &mut merged);
    merged
}

#[test]
fn the_count_is_the_sum_of_the_buckets_and_bounds_ascend() {
    let (mut explicit, mut exponential) = (0, 0);
    for scale in scales() {
        for max_buckets in MAXIMA {
            let snapshot = ascending(&scale);
            let metric = exported(&at_most(max_buckets), Temporality::Cumulative, &snapshot);
            if scale.as_exponential().is_some() {
                let point = exponential_point(&metric);
                let positive = point.positive.expect("positive buckets");
                assert_eq!(point.count, point.zero_count + positive.bucket_counts.iter().sum::<u64>());
                assert_eq!(point.count, snapshot.count());
                exponential += 1;
            } else {
                let point = explicit_point(&metric);
                assert_eq!(point.count, point.bucket_counts.iter().sum::<u64>());
                assert_eq!(point.count, snapshot.count());
                assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
                assert!(point.explicit_bounds.windows(2).all(|pair| pair[0] < pair[1]), "{scale:?}");
                explicit += 1;
            }
        }
    }
    assert!(explicit >= 70 && exponential >= 50);
}

#[test]
fn merged_explicit_buckets_hold_what_a_scan_puts_there() {
    let mut merged = 0;
    for scale in scales().iter().filter(|scale| scale.as_exponential().is_none()) {
        for max_buckets in MAXIMA {
            let snapshot = ascending(scale);
            let point = explicit_point(&exported(&at_most(max_buckets), Temporality::Delta, &snapshot));
            assert!(point.bucket_counts.len() <= max_buckets.max(1));
            assert!(point.explicit_bounds.iter().all(|bound_s| scale.bounds_s().contains(bound_s)));
            let expected = merged_slowly(scale, &snapshot.buckets, &point.explicit_bounds);
            assert_eq!(point.bucket_counts, expected, "{scale:?}");
            merged += usize::from(point.bucket_counts.len() < scale.buckets());
        }
    }
    assert!(merged > 20);
}

#[test]
fn the_default_of_tokio_fits_30_buckets() {
    let tokio = Scale::log().build().expect("valid");
    assert!(tokio.buckets() > 100);
    let point = explicit_point(&exported(&at_most(30), Temporality::Delta, &ascending(&tokio)));
    assert!((15..=30).contains(&point.bucket_counts.len()));
}

#[test]
fn a_lowered_scale_merges_each_index_with_its_neighbour() {
    let mut lowered = 0;
    for scale in scales() {
        let Some(source) = scale.as_exponential() else { continue };
        for max_buckets in MAXIMA {
            let snapshot = ascending(&scale);
            let layout = Layout::new(&scale, &at_most(max_buckets));
            let Buckets::Exponential(to) = *layout.buckets() else { panic!("explicit") };
            let counts = merged(&layout, &snapshot.buckets);
            assert!(counts.len() <= max_buckets.max(3), "{} > {max_buckets}", counts.len());
            let is_needed = to.scale == source.scale || {
                let finer = Layout::new(&scale, &at_most(max_buckets.max(3) * 2 + 1));
                merged(&finer, &snapshot.buckets).len() > max_buckets
            };
            assert!(is_needed, "scale {} lowered to {} for {max_buckets}", source.scale, to.scale);

            let mut expected = vec![0; counts.len()];
            for (bucket, count) in snapshot.buckets.iter().enumerate() {
                let mut target = 0;
                if bucket > 0 {
                    let mut index = source.offset + i32::try_from(bucket).expect("few") - 1;
                    for _ in to.scale..source.scale {
                        index = index.div_euclid(2);
                    }
                    target = usize::try_from(index - to.offset).expect("from the offset on") + 1;
                }
                expected[target] += count;
            }
            assert_eq!(counts, expected, "scale {} to {}", source.scale, to.scale);
            assert!(to.zero_threshold_s.total_cmp(&source.zero_threshold_s).is_eq());
            lowered += usize::from(to.scale < source.scale);
        }
    }
    assert!(lowered > 15);
}

#[test]
fn any_bounds_of_the_source_can_be_asked_for() {
    let mut asked = 0;
    for scale in scales() {
        let of_source_s = scale.bounds_s();
        for step in [1, 2, 3, 7] {
            let mut bounds_s: Vec<_> = of_source_s.iter().copied().step_by(step).collect();
            bounds_s.dedup();
            let Ok(options) = HistogramOptions::default().with_bounds(&bounds_s) else { continue };
            assert_eq!(options.check(&scale), Ok(()));
            let snapshot = ascending(&scale);
            // Those asked for stay, however many they are.
            let options = options.with_max_buckets(1);
            let point = explicit_point(&exported(&options, Temporality::Cumulative, &snapshot));
            assert_eq!(point.explicit_bounds, bounds_s);
            assert_eq!(point.bucket_counts, merged_slowly(&scale, &snapshot.buckets, &bounds_s));
            asked += 1;
        }
    }
    assert!(asked > 30);
}

#[test]
fn bounds_that_the_source_lacks_leave_it_its_own() {
    let scale = Scale::preset();
    let options = HistogramOptions::default().with_bounds(&[0.000_131_072, 0.001]).expect("ascend");
    assert!(matches!(options.check(&scale), Err(BoundsError::NotOfSource { .. })));
    let counts: Vec<_> = (0..23).collect();
    let point =
        explicit_point(&exported(&options, Temporality::Cumulative, &snapshot(&scale, &counts, None)));
    assert_eq!(point.explicit_bounds, scale.bounds_s());
    assert_eq!(point.bucket_counts, counts);
}
