//! The same polls on two scales with the same ends of buckets: OTLP's exponential one, and explicit
//! bounds.

use std::sync::Arc;
use std::time::Duration;

use worker_metrics::histogram::Scale;
use worker_metrics_otel::Numbers;

use crate::subject::{Attached, Bridge, Delivered, Export, Halves, pool};

/// Four buckets for each power of two, as Tokio's log histogram has by default, over the same
/// range.
#[must_use]
pub fn exponential() -> Scale {
    Scale::exponential(2, Duration::from_nanos(100), Duration::from_secs(60)).expect("a good range")
}

/// The buckets of `scale`, given by their bounds.
#[must_use]
pub fn explicit(scale: &Scale) -> Scale {
    let ranges_ns = (0..scale.buckets()).filter_map(|bucket| scale.bucket_range(bucket));
    let ends_ns: Vec<_> = ranges_ns.map(|range_ns| range_ns.end).collect();
    Scale::from_bucket_ends_ns(&ends_ns).expect("they ascend")
}

/// What an export of the histograms of so many workers delivers.
#[must_use]
pub fn delivered(workers: usize, scale: &Scale) -> Delivered {
    let attached = Attached::new(vec![Arc::new(pool(workers, Some(scale)))], Numbers::Meter);
    Bridge::new(&attached, Halves::Otlp).delivered()
}
