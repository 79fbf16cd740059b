//! The mistake: a synchronous call in a task, which blocks its worker.

use std::thread;
use std::time::Duration;

use tokio::time::sleep;

/// How long it blocks: long enough that two exports a second apart see the worker stalled.
pub(crate) const BLOCKED: Duration = Duration::from_millis(3_500);

/// Blocks whichever worker runs it, every few seconds.
pub(crate) async fn run() {
    sleep(Duration::from_millis(1_500)).await;
    loop {
        thread::sleep(BLOCKED);
        sleep(Duration::from_secs(4)).await;
    }
}
