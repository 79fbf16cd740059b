//! Moments to come.

use std::time::Duration;

use tokio::time::Instant;

/// Further than any program runs: 30 years, as far as Tokio's own.
const FAR: Duration = Duration::from_secs(86_400 * 365 * 30);

/// The moment in so much time, or a far one if no clock can count that.
pub(in crate::otlp) fn later(wait: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(wait).unwrap_or(now + FAR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_wait_is_too_long_for_the_clock() {
        let day = Duration::from_secs(86_400);
        assert!(later(Duration::MAX) > Instant::now() + 1_000 * day);
        assert!(later(day) < Instant::now() + 2 * day);
    }
}
