//! Many tasks that mostly sleep.

use std::time::Duration;

use tokio::time::sleep;
use worker_metrics_tokio::TaskMetrics;

const TASKS: u64 = 200;

/// Starts tasks that wake up at different times.
pub(crate) async fn run(tasks: TaskMetrics) {
    for task in 0..TASKS {
        tasks.spawn(async move {
            loop {
                sleep(Duration::from_millis(20 + task)).await;
            }
        });
    }
}
