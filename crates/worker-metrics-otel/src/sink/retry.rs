//! Sending again what may be sent again.
//!
//! **Source**: the OTLP specification, "OTLP/gRPC Throttling" and "OTLP/HTTP Throttling".

use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Acknowledged, SendError};

/// Why one attempt failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: SendError,
    pub(super) again: Again,
}

/// Whether to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    Never,
    /// Some time later.
    Later,
    /// No sooner than after this.
    After(Duration),
}

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Tries until it is acknowledged, refused for good, or the time is over.
pub(super) async fn until_acknowledged<F>(
    timeout: Duration,
    mut attempt: impl FnMut() -> F,
) -> Result<Acknowledged, SendError>
where
    F: Future<Output = Result<Acknowledged, Failure>>,
{
    let start = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut answer = None;
    loop {
        let Failure { error, again } =
            match tokio::time::timeout(timeout.saturating_sub(start.elapsed()), attempt()).await {
                // What was answered before says more than that the last attempt was cut short.
                Err(_) => return Err(answer.unwrap_or(SendError::Timeout(timeout))),
                Ok(Ok(acknowledged)) => return Ok(acknowledged),
                Ok(Err(failure)) => failure,
            };
        let wait = match again {
            Again::Never => return Err(error),
            Again::Later => jittered(pause),
            Again::After(wait) => wait,
        };
        // A receiver may ask for any wait, also for one that no clock can show.
        if wait >= timeout.saturating_sub(start.elapsed()) {
            return Err(error);
        }
        answer = Some(error);
        sleep(wait).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Between half of the pause and all of it, so that many processes do not come back at once.
fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().hash_one(pause);
    pause / 2 + pause.mul_f64((random % 1_000) as f64 / 2_000.0)
}
