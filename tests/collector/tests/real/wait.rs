//! Waiting for what other processes do.

use std::thread;
use std::time::{Duration, Instant};

/// So long may a busy machine take for what it does at once, before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// Other processes give no signal: they are asked again and again.
const PAUSE: Duration = Duration::from_millis(50);

/// Waits until there is what was asked for, and tells otherwise what there was last.
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match ask() {
            Ok(answer) => return answer,
            Err(last) => assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}, but {last}"),
        }
        thread::sleep(PAUSE);
    }
}
