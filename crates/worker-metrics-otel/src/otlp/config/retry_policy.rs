//! When a request that failed is sent again.

use std::time::Duration;

use crate::setters::setters;

/// How often, and after which pauses, a request that failed is sent again within one export.
///
/// The default is that of opentelemetry-otlp 0.33: 3 times, after 100, 200 and 400 ms, with up to
/// 100 ms of jitter. All of it happens within the timeout of the export. A receiver that asks for a
/// longer wait gets it; one that asks for none gets no request earlier.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use worker_metrics_otel::{Instrumentation, RetryPolicy};
///
/// let policy = RetryPolicy::default().with_max_retries(5).with_max_delay(Duration::from_secs(1));
/// let otlp = Instrumentation::default().otlp().with_retry_policy(policy);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    pub(in crate::otlp) max_retries: usize,
    pub(in crate::otlp) initial_delay: Duration,
    pub(in crate::otlp) max_delay: Duration,
    pub(in crate::otlp) max_jitter: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_retries: 3,
            initial_delay: Duration::from_millis(100),
            max_delay: Duration::from_millis(1_600),
            max_jitter: Duration::from_millis(100),
        }
    }
}

impl RetryPolicy {
    /// Sends each request once in an export.
    #[must_use]
    pub fn disabled() -> Self {
        Self { max_retries: 0, ..Self::default() }
    }

    setters! {
        /// Sets how often a request is sent again.
        #[must_use]
        with_max_retries(max_retries: usize) => max_retries;

        /// Sets the pause before the first retry; each further one is twice as long.
        #[must_use]
        with_initial_delay(initial_delay: Duration) => initial_delay;

        /// Sets the longest pause, but for what a receiver asks for.
        #[must_use]
        with_max_delay(max_delay: Duration) => max_delay;

        /// Sets the most that is added to a pause at random, so that many processes do not come
        /// back at once.
        #[must_use]
        with_max_jitter(max_jitter: Duration) => max_jitter;
    }
}
