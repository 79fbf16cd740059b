//! What the histogram module promises, through its public API.

mod against_tokio;
mod concurrency;
mod errors;
mod explicit;
mod exponential;
mod log;
mod ranges;
mod recording;
mod snapshots;
mod writer;

use std::time::Duration;

use worker_metrics::histogram::{Scale, ScaleError};

#[cfg(not(tokio_unstable))]
#[test]
#[ignore = "needs RUSTFLAGS=\"--cfg tokio_unstable\": Tokio reports no histograms without it"]
fn against_tokio() {}

/// A bound for each of OpenTelemetry's usual seconds.
const BOUNDS_S: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// At least one scale of every kind, from one bucket to a thousand and from the tamest to the
/// oddest.
fn scales() -> Vec<Scale> {
    try_scales().expect("all options are valid")
}

fn try_scales() -> Result<Vec<Scale>, ScaleError> {
    let (ns, us, s) = (Duration::from_nanos, Duration::from_micros, Duration::from_secs);
    let crowded_s: Vec<_> = (1..=1000).map(|ms| f64::from(ms) / 1e3).collect();
    let doubling_ns: Vec<_> = (3..40).map(|bits| (1_u64 << bits) + 1).collect();
    let mut scales = vec![
        Scale::linear(us(100), 10)?,
        Scale::linear(ns(1), 1)?,
        Scale::linear(ns(1), 1000)?,
        Scale::linear(ns(3), 100)?,
        Scale::linear(ns(u64::MAX), 1)?,
        Scale::linear(ns(u64::MAX / 7), 7)?,
        Scale::linear(ns(1 << 62), 3)?,
        Scale::preset(),
        Scale::log().build()?,
        Scale::log().precision_exact(6).build()?,
        Scale::log().min_value(ns(0)).max_value(ns(1)).build()?,
        Scale::log().min_value(ns(0)).max_value(ns(u64::MAX)).precision_exact(3).build()?,
        Scale::log().min_value(s(1)).max_value(s(1)).build()?,
        Scale::log().min_value(Duration::MAX).max_value(Duration::MAX).build()?,
        Scale::explicit(&BOUNDS_S)?,
        Scale::explicit(&[0.0])?,
        Scale::explicit(&[1e-10, 2e-10, 1e-9, 1.5e-9, 2e-9, 1e9, 1e12, f64::MAX])?,
        Scale::explicit(&crowded_s)?,
        Scale::from_bucket_ends_ns(&[u64::MAX])?,
        Scale::from_bucket_ends_ns(&[1, 2, 3, 5, 8, 13, 1_000_000, u64::MAX])?,
        Scale::from_bucket_ends_ns(&doubling_ns)?,
    ];
    for scale in -4..=6 {
        scales.push(Scale::exponential(scale, us(1), s(10))?);
    }
    for scale in [-4, -1, 0, 4] {
        scales.push(Scale::exponential(scale, Duration::ZERO, Duration::MAX)?);
    }
    Ok(scales)
}

/// The values around every edge of a scale, and the extremes.
fn values_at_the_edges(scale: &Scale) -> Vec<u64> {
    let starts =
        (0..scale.buckets()).map(|bucket| scale.bucket_range(bucket).expect("a bucket has a range").start);
    let around = starts.flat_map(|start| [start.saturating_sub(1), start, start.saturating_add(1)]);
    around.chain([0, u64::MAX - 1, u64::MAX]).collect()
}
