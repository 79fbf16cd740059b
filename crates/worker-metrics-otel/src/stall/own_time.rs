//! The time that a thread has had for itself: what it waited for a CPU, or was suspended, left out.

use std::time::Duration;

use worker_metrics_thread_dump::{Call, Look};

/// The own time of a thread between two looks, of the `counted` time in between.
///
/// CPU time where it was found ready to run, since the kernel adds what it waits for a CPU only
/// when it gets one; otherwise the time that went by, less what it waited for a CPU.
pub(super) fn between(earlier: &Look, later: &Look, counted: Duration) -> Duration {
    let cpu_time = later.cpu_time.saturating_sub(earlier.cpu_time);
    let own = match later.call {
        Call::Running | Call::Kernel => cpu_time,
        Call::In(_) => counted.saturating_sub(run_delay(earlier, later)).max(cpu_time),
    };
    own.min(counted)
}

/// How long the thread waited for a CPU between two looks, as far as the kernel has added it.
pub(super) fn run_delay(earlier: &Look, later: &Look) -> Duration {
    let of = |look: &Look| look.run_delay.unwrap_or_default();
    of(later).saturating_sub(of(earlier))
}

/// The own times of a worker's last intervals between two signs of life.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OwnTimes {
    /// The last three, the latest first.
    last: [Duration; 3],
}

impl OwnTimes {
    pub(super) fn push(&mut self, own: Duration) {
        self.last = [own, self.last[0], self.last[1]];
    }

    /// The median of the last three: it forgets a single stall, and learns long polls after two
    /// intervals. The largest would hide the stalls that follow one.
    pub(super) fn median(&self) -> Duration {
        let mut sorted = self.last;
        sorted.sort_unstable();
        sorted[1]
    }

    /// Whether the last two intervals were both at least `long`.
    pub(super) fn were_long(&self, long: Duration) -> bool {
        self.last[0] >= long && self.last[1] >= long
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_single_stall_is_forgotten_and_long_polls_are_learned_after_two_intervals() {
        let mut times = OwnTimes::default();
        times.push(6 * SECOND);
        assert_eq!(times.median(), Duration::ZERO);
        times.push(SECOND / 10);
        assert_eq!(times.median(), SECOND / 10);
        times.push(6 * SECOND);
        assert_eq!(times.median(), 6 * SECOND);
        assert!(!times.were_long(SECOND));
        times.push(2 * SECOND);
        assert!(times.were_long(SECOND));
    }
}
