//! Requests that compute for a while, in bursts.

use std::hash::{DefaultHasher, Hasher};
use std::hint::black_box;
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::interval;
use worker_metrics_tokio::TaskMetrics;

/// Spawns a burst of requests every few milliseconds.
pub(crate) async fn run(tasks: TaskMetrics) {
    let mut tick = interval(Duration::from_millis(5));
    loop {
        tick.tick().await;
        for _ in 0..8 {
            tasks.spawn(request());
        }
    }
}

async fn request() {
    for _ in 0..4 {
        let mut hasher = DefaultHasher::new();
        for value in 0..10_000_u64 {
            hasher.write_u64(value);
        }
        black_box(hasher.finish());
        yield_now().await;
    }
}
