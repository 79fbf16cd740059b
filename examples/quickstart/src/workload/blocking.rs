//! Calls of blocking code, where they belong: on the blocking pool.

use std::thread;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::interval;

/// Reads a few slow files at a time.
pub(crate) async fn run() {
    let mut tick = interval(Duration::from_millis(40));
    loop {
        tick.tick().await;
        for _ in 0..3 {
            spawn_blocking(|| thread::sleep(Duration::from_millis(25)));
        }
    }
}
