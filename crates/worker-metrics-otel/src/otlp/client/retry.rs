//! When to send again. Pure.
//!
//! **Source**: the OTLP specification, "OTLP/gRPC Throttling" and "OTLP/HTTP Throttling", and
//! opentelemetry-otlp 0.33.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use super::Cause;
use crate::otlp::config::RetryPolicy;

/// A request that failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) cause: Cause,
    pub(super) again: Again,
}

impl Failure {
    /// One that would come again.
    pub(super) fn for_good(cause: Cause) -> Self {
        Self { cause, again: Again::Never }
    }

    /// A status of the receiver's.
    pub(super) fn of_status(status: String, message: String, again: Again) -> Self {
        let cause = match again {
            Again::Never => Cause::Refused { status, message },
            _ => Cause::Unavailable { status, message },
        };
        Self { cause, again }
    }
}

/// Whether the OTLP specification calls a status of gRPC retryable, whatever comes with it:
/// cancelled, deadline exceeded, aborted, out of range, unavailable, data loss.
pub(super) fn is_retryable(grpc_status: u32) -> bool {
    matches!(grpc_status, 1 | 4 | 10 | 11 | 14 | 15)
}

/// Whether to send again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    Never,
    /// After a pause.
    Later,
    /// No sooner than after this, as the receiver asks.
    After(Duration),
}

/// The longest wait that a receiver is believed to mean.
///
/// **Source**: the cap of opentelemetry-otlp 0.33.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// The pauses of one export.
#[derive(Debug)]
pub(super) struct Pauses {
    policy: RetryPolicy,
    retries: usize,
    delay: Duration,
}

impl Pauses {
    pub(super) fn new(policy: RetryPolicy) -> Self {
        Self { policy, retries: 0, delay: policy.initial_delay }
    }

    /// The pause before the next attempt, or `None` if there is none.
    ///
    /// The longer of what the receiver asks for and the pause that grows: a receiver that asks for
    /// no wait is asked no sooner.
    pub(super) fn next(&mut self, again: Again) -> Option<Duration> {
        if self.retries == self.policy.max_retries {
            return None;
        }
        let asked = match again {
            Again::Never => return None,
            Again::Later => Duration::ZERO,
            Again::After(wait) => wait.min(LONGEST_WAIT),
        };
        self.retries += 1;
        let jitter = jitter(self.policy.max_jitter, self.retries);
        let pause = self.delay.saturating_add(jitter).min(self.policy.max_delay);
        self.delay = self.delay.saturating_mul(2).min(self.policy.max_delay);
        Some(pause.max(asked))
    }
}

/// The wait that a receiver asks for, if it does, as it is remembered.
pub(super) fn asked_for(again: Again) -> Option<Duration> {
    match again {
        Again::After(wait) => Some(wait.min(LONGEST_WAIT)).filter(|wait| !wait.is_zero()),
        Again::Never | Again::Later => None,
    }
}

fn jitter(most: Duration, retry: usize) -> Duration {
    let random = RandomState::new().hash_one(retry);
    most.mul_f64((random % 1_000) as f64 / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn without_jitter() -> RetryPolicy {
        RetryPolicy::default().with_max_jitter(Duration::ZERO)
    }

    fn pauses(policy: RetryPolicy, again: Again) -> Vec<Duration> {
        let mut pauses = Pauses::new(policy);
        std::iter::from_fn(|| pauses.next(again)).take(100).collect()
    }

    #[test]
    fn pauses_grow_and_end() {
        assert_eq!(pauses(without_jitter(), Again::Later), [100 * MS, 200 * MS, 400 * MS]);
        assert!(pauses(without_jitter(), Again::Never).is_empty());
        assert!(pauses(RetryPolicy::disabled(), Again::Later).is_empty());
    }

    #[test]
    fn a_receiver_that_asks_for_no_wait_is_asked_no_sooner() {
        for wait in [Duration::ZERO, MS] {
            assert_eq!(pauses(without_jitter(), Again::After(wait)), [100 * MS, 200 * MS, 400 * MS]);
        }
        assert_eq!(pauses(without_jitter(), Again::After(300 * MS)), [300 * MS, 300 * MS, 400 * MS]);
        assert_eq!(pauses(without_jitter(), Again::After(Duration::MAX)), [LONGEST_WAIT; 3]);
    }

    #[test]
    fn jitter_stays_within_its_limit() {
        let policy = RetryPolicy::default();
        for (pause, least) in pauses(policy, Again::Later).into_iter().zip([100, 200, 400]) {
            assert!(pause >= least * MS && pause <= least * MS + policy.max_jitter, "{pause:?}");
        }
    }
}
