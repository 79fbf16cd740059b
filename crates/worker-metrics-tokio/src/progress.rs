//! Whether a worker gets on, told from two looks at what it published.
//!
//! Tokio publishes a worker's numbers when it parks, when it unparks and every `event_interval` polls. While one poll blocks,
//! they stand still and the worker looks idle. Called at each collection; it must never report more than Tokio will in the end.

use std::time::{Duration, Instant};

use crate::stable::Look;

/// What is remembered of one worker between two looks.
#[derive(Debug)]
pub(crate) struct Progress {
    last: Look,
    running: bool,
    /// A moment at which the worker had published `last` already, and was running or not as it is.
    unchanged_since: Instant,
    reported_busy: Duration,
}

/// What two looks tell.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// For how long a running worker has published nothing; 0 for a parked one.
    pub(crate) age: Duration,
    /// The busy time that Tokio published, and the age.
    pub(crate) busy_duration: Duration,
    /// Whether the worker has published anything since the last look.
    pub(crate) published: bool,
}

impl Progress {
    pub(crate) fn new(look: Look, running: bool, looked_at: Instant) -> Self {
        Self { last: look, running, unchanged_since: looked_at, reported_busy: look.busy_duration }
    }

    /// Takes the next look, which was made between `before` and `after`.
    ///
    /// What has changed is dated after the look and aged before it, so that the age is never above the time for which the worker
    /// really published nothing.
    ///
    /// The worker may have published a moment before it goes on to its tasks. If the system deschedules it just there, and a
    /// look falls into that gap, the live busy time runs ahead by the rest of the gap; it then stands still until Tokio's own
    /// has caught up.
    pub(crate) fn observe(&mut self, look: Look, running: bool, before: Instant, after: Instant) -> Reading {
        let published = look != self.last;
        if published || running != self.running {
            self.last = look;
            self.running = running;
            self.unchanged_since = after;
        }
        let age =
            if running { before.saturating_duration_since(self.unchanged_since) } else { Duration::ZERO };
        self.reported_busy = self.reported_busy.max(look.busy_duration + age);
        Reading { age, busy_duration: self.reported_busy, published }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn look(busy_s: u64, park_unpark_count: u64) -> Look {
        Look {
            busy_duration: SECOND * u32::try_from(busy_s).unwrap(),
            park_count: park_unpark_count.div_ceil(2),
            park_unpark_count,
        }
    }

    #[test]
    fn a_running_worker_that_publishes_nothing_ages_and_is_busy() {
        let start = Instant::now();
        let mut progress = Progress::new(look(5, 2), true, start);
        let later = start + 3 * SECOND;
        let reading = progress.observe(look(5, 2), true, later, later);
        assert_eq!(reading, Reading { age: 3 * SECOND, busy_duration: 8 * SECOND, published: false });
    }

    #[test]
    fn a_worker_that_publishes_has_no_age() {
        let start = Instant::now();
        let mut progress = Progress::new(look(5, 2), true, start);
        let later = start + 3 * SECOND;
        let reading = progress.observe(look(8, 2), true, later, later);
        assert_eq!(reading, Reading { age: Duration::ZERO, busy_duration: 8 * SECOND, published: true });
    }

    #[test]
    fn a_parked_worker_has_no_age_and_is_not_busy() {
        let start = Instant::now();
        let mut progress = Progress::new(look(5, 3), false, start);
        let later = start + 3 * SECOND;
        let reading = progress.observe(look(5, 3), false, later, later);
        assert_eq!(reading, Reading { age: Duration::ZERO, busy_duration: 5 * SECOND, published: false });
    }

    #[test]
    fn a_worker_ages_from_the_first_look_that_sees_it_run() {
        let start = Instant::now();
        let mut progress = Progress::new(look(0, 0), false, start);
        progress.observe(look(0, 0), true, start + 5 * SECOND, start + 5 * SECOND);
        let reading = progress.observe(look(0, 0), true, start + 7 * SECOND, start + 7 * SECOND);
        assert_eq!(reading, Reading { age: 2 * SECOND, busy_duration: 2 * SECOND, published: false });
    }

    #[test]
    fn a_change_is_dated_after_the_look_and_aged_before_it() {
        let start = Instant::now();
        let mut progress = Progress::new(look(5, 2), true, start);
        progress.observe(look(6, 2), true, start + SECOND, start + 2 * SECOND);
        let reading = progress.observe(look(6, 2), true, start + 4 * SECOND, start + 5 * SECOND);
        assert_eq!(reading.age, 2 * SECOND);
    }

    #[test]
    fn busy_time_never_goes_backwards() {
        let start = Instant::now();
        let mut progress = Progress::new(look(5, 2), true, start);
        let live = progress.observe(look(5, 2), true, start + 3 * SECOND, start + 3 * SECOND);
        assert_eq!(live.busy_duration, 8 * SECOND);
        // Tokio counts less in the end: the system had put the worker aside before its tasks began.
        let published = progress.observe(look(7, 3), false, start + 4 * SECOND, start + 4 * SECOND);
        assert_eq!(published.busy_duration, 8 * SECOND);
        let caught_up = progress.observe(look(9, 5), false, start + 9 * SECOND, start + 9 * SECOND);
        assert_eq!(caught_up.busy_duration, 9 * SECOND);
    }
}
