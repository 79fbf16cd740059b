//! Whether a worker gets on, told from two looks at what it published.
//!
//! Tokio publishes a worker's numbers when it parks, when it unparks and every `event_interval`
//! polls. While one poll blocks, they stand still and the worker looks idle. Called at each
//! collection; it must never report more than Tokio will in the end. Instrumented tasks tell more:
//! which poll is in progress, and since when.

use std::thread::ThreadId;
use std::time::{Duration, Instant};

use crate::stable::Look;
use crate::tasks::{Activity, Sequence};

/// What is remembered of one worker between two looks.
#[derive(Debug)]
pub(crate) struct Progress {
    last: Look,
    running: bool,
    /// A moment at which the worker had published `last` already, and was running or not as it is.
    unchanged_since: Instant,
    /// A moment at which the worker had not published `last` yet.
    published_after: Instant,
    looked_at: Instant,
    hooked: Option<Hooked>,
    reported_busy: Duration,
    reported_polls: u64,
}

/// What hooks told of the polls at the last look, where they do.
#[derive(Clone, Copy, Debug)]
struct Hooked {
    told: (ThreadId, Sequence),
    /// A moment at which that was told already.
    since: Instant,
    /// Whether the worker has published since, which none does in a poll: it was handed over.
    was_elsewhere: bool,
}

/// What two looks tell.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// For how long a running worker has made no progress that is known; 0 for a parked one.
    pub(crate) age: Duration,
    /// For how long the poll that holds the worker up has lasted, where that is known exactly.
    pub(crate) poll_age: Option<Duration>,
    /// The busy time that Tokio published, and the time for which it has published nothing.
    pub(crate) busy_duration: Duration,
    /// Whether the worker has published anything since the last look.
    pub(crate) published: bool,
}

impl Progress {
    pub(crate) fn new(look: Look, running: bool, looked_at: Instant) -> Self {
        Self {
            last: look,
            running,
            unchanged_since: looked_at,
            published_after: looked_at,
            looked_at,
            hooked: None,
            reported_busy: look.busy_duration,
            reported_polls: 0,
        }
    }

    /// The polls that Tokio has published, less those of this source's own tasks, which may not be
    /// among them yet.
    pub(crate) fn polls(&mut self, published: u64, own: u64) -> u64 {
        self.reported_polls = self.reported_polls.max(published.saturating_sub(own));
        self.reported_polls
    }

    /// Takes the next look, which was made between `before` and `after`, with what instrumented
    /// tasks tell of the worker.
    ///
    /// What has changed is dated after the look and aged before it, so that the age is never above
    /// the time for which the worker really published nothing.
    ///
    /// The worker may have published a moment before it goes on to its tasks. If the system
    /// deschedules it just there, and a look falls into that gap, the live busy time runs ahead by
    /// the rest of the gap; it then stands still until Tokio's own has caught up.
    pub(crate) fn observe(
        &mut self,
        look: Look,
        running: bool,
        activity: Activity,
        before: Instant,
        after: Instant,
    ) -> Reading {
        let published = look != self.last;
        if published {
            self.published_after = self.looked_at;
        }
        if published || running != self.running {
            self.last = look;
            self.running = running;
            self.unchanged_since = after;
        }
        self.looked_at = before;
        self.remember(activity, published, after);
        if !running {
            self.reported_busy = self.reported_busy.max(look.busy_duration);
            let busy_duration = self.reported_busy;
            return Reading { age: Duration::ZERO, poll_age: None, busy_duration, published };
        }
        let unpublished = before.saturating_duration_since(self.unchanged_since);
        let (hooked_poll_age, hooked_pause) = self.hooked(before);
        let poll_age = self.poll_age(activity, published, before).max(hooked_poll_age);
        let quiet_for = [activity.quiet_for, hooked_pause].into_iter().flatten().min();
        let quiet_for = quiet_for.unwrap_or(Duration::MAX);
        let age = poll_age.unwrap_or(unpublished.min(quiet_for));
        let live = unpublished.max(poll_age.unwrap_or_default());
        self.reported_busy = self.reported_busy.max(look.busy_duration + live);
        Reading { age, poll_age, busy_duration: self.reported_busy, published }
    }

    /// Keeps what hooks tell. It was asked before the look: what has been published since the look
    /// before was so during the poll that both saw.
    fn remember(&mut self, activity: Activity, published: bool, after: Instant) {
        self.hooked = activity.sequence.map(|told| match self.hooked {
            Some(known) if known.told == told => {
                Hooked { was_elsewhere: known.was_elsewhere || published, ..known }
            }
            _ => Hooked { told, since: after, was_elsewhere: false },
        });
    }

    /// For how long hooks have told of the same poll, or of the same pause after one.
    fn hooked(&self, before: Instant) -> (Option<Duration>, Option<Duration>) {
        let Some(hooked) = self.hooked.filter(|hooked| !hooked.was_elsewhere) else { return (None, None) };
        let age = Some(before.saturating_duration_since(hooked.since));
        if hooked.told.1.is_poll() { (age, None) } else { (None, age) }
    }

    /// For how long the instrumented poll in progress has lasted.
    ///
    /// **Absent when** it is not sure that the poll holds up the worker: it began before the worker
    /// published last, so that `block_in_place` has handed the worker to another thread; or it may
    /// have, and nothing would tell.
    fn poll_age(&self, activity: Activity, published: bool, before: Instant) -> Option<Duration> {
        let age = activity.poll_age.filter(|_| activity.is_settled || !published)?;
        let began_at = before.checked_sub(age)?;
        (began_at >= self.published_after).then_some(age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const UNKNOWN: Activity = Activity { poll_age: None, sequence: None, quiet_for: None, is_settled: false };

    fn in_poll_for(age: Duration, is_settled: bool) -> Activity {
        Activity { poll_age: Some(age), sequence: None, quiet_for: Some(age), is_settled }
    }

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
        let reading = progress.observe(look(5, 2), true, UNKNOWN, later, later);
        assert_eq!(
            reading,
            Reading { age: 3 * SECOND, poll_age: None, busy_duration: 8 * SECOND, published: false }
        );
    }

    #[test]
    fn a_worker_that_publishes_has_no_age() {
        let start = Instant::now();
        let mut progress = Progress::new(look(5, 2), true, start);
        let later = start + 3 * SECOND;
        let reading = progress.observe(look(8, 2), true, UNKNOWN, later, later);
        assert_eq!(
            reading,
            Reading { age: Duration::ZERO, poll_age: None, busy_duration: 8 * SECOND, published: true }
        );
    }

    #[test]
    fn a_parked_worker_has_no_age_and_is_not_busy() {
        let start = Instant::now();
        let mut progress = Progress::new(look(5, 3), false, start);
        let later = start + 3 * SECOND;
        let reading = progress.observe(look(5, 3), false, UNKNOWN, later, later);
        assert_eq!(
            reading,
            Reading { age: Duration::ZERO, poll_age: None, busy_duration: 5 * SECOND, published: false }
        );
    }

    #[test]
    fn a_worker_ages_from_the_first_look_that_sees_it_run() {
        let start = Instant::now();
        let mut progress = Progress::new(look(0, 0), false, start);
        progress.observe(look(0, 0), true, UNKNOWN, start + 5 * SECOND, start + 5 * SECOND);
        let reading = progress.observe(look(0, 0), true, UNKNOWN, start + 7 * SECOND, start + 7 * SECOND);
        assert_eq!(
            reading,
            Reading { age: 2 * SECOND, poll_age: None, busy_duration: 2 * SECOND, published: false }
        );
    }

    #[test]
    fn a_change_is_dated_after_the_look_and_aged_before_it() {
        let start = Instant::now();
        let mut progress = Progress::new(look(5, 2), true, start);
        progress.observe(look(6, 2), true, UNKNOWN, start + SECOND, start + 2 * SECOND);
        let reading = progress.observe(look(6, 2), true, UNKNOWN, start + 4 * SECOND, start + 5 * SECOND);
        assert_eq!(reading.age, 2 * SECOND);
    }

    #[test]
    fn busy_time_never_goes_backwards() {
        let start = Instant::now();
        let mut progress = Progress::new(look(5, 2), true, start);
        let live = progress.observe(look(5, 2), true, UNKNOWN, start + 3 * SECOND, start + 3 * SECOND);
        assert_eq!(live.busy_duration, 8 * SECOND);
        // Tokio counts less in the end: the system had put the worker aside before its tasks began.
        let published = progress.observe(look(7, 3), false, UNKNOWN, start + 4 * SECOND, start + 4 * SECOND);
        assert_eq!(published.busy_duration, 8 * SECOND);
        let caught_up = progress.observe(look(9, 5), false, UNKNOWN, start + 9 * SECOND, start + 9 * SECOND);
        assert_eq!(caught_up.busy_duration, 9 * SECOND);
    }

    #[test]
    fn an_instrumented_poll_is_told_at_the_first_look_and_with_its_whole_age() {
        let start = Instant::now();
        let mut progress = Progress::new(look(5, 2), true, start);
        let now = start + 10 * SECOND;
        let reading = progress.observe(look(13, 2), true, in_poll_for(2 * SECOND, true), now, now);
        assert_eq!(
            reading,
            Reading {
                age: 2 * SECOND,
                poll_age: Some(2 * SECOND),
                busy_duration: 15 * SECOND,
                published: true
            }
        );
    }

    #[test]
    fn without_hooks_it_is_told_when_the_worker_has_published_nothing_since_the_last_look() {
        let start = Instant::now();
        let mut progress = Progress::new(look(5, 2), true, start);
        let now = start + 10 * SECOND;
        let first = progress.observe(look(13, 2), true, in_poll_for(2 * SECOND, false), now, now);
        assert_eq!(first.age, Duration::ZERO);
        let now = now + SECOND;
        let second = progress.observe(look(13, 2), true, in_poll_for(3 * SECOND, false), now, now);
        assert_eq!(
            second,
            Reading {
                age: 3 * SECOND,
                poll_age: Some(3 * SECOND),
                busy_duration: 16 * SECOND,
                published: false
            }
        );
    }

    #[test]
    fn a_poll_whose_worker_was_handed_over_is_not_taken_for_a_stall() {
        let start = Instant::now();
        let mut progress = Progress::new(look(5, 2), true, start);
        let now = start + 2 * SECOND;
        progress.observe(look(6, 2), true, UNKNOWN, now, now);
        let now = start + 3 * SECOND;
        // It began at 1 s, before the last look; the worker has published since.
        let reading = progress.observe(look(7, 2), true, in_poll_for(2 * SECOND, true), now, now);
        assert_eq!(reading.age, Duration::ZERO);
    }

    #[test]
    fn a_saturated_worker_whose_instrumented_polls_are_short_has_no_age() {
        let start = Instant::now();
        let mut progress = Progress::new(look(5, 2), true, start);
        let now = start + 2 * SECOND;
        let between = Activity { quiet_for: Some(SECOND / 100), is_settled: true, ..UNKNOWN };
        let reading = progress.observe(look(5, 2), true, between, now, now);
        // It has published nothing for two seconds, and gets on all the same.
        assert_eq!(
            reading,
            Reading { age: SECOND / 100, poll_age: None, busy_duration: 7 * SECOND, published: false }
        );
    }

    #[test]
    fn a_parked_worker_has_no_age_whatever_its_tasks_tell() {
        let start = Instant::now();
        let mut progress = Progress::new(look(5, 3), false, start);
        let now = start + SECOND;
        assert_eq!(
            progress.observe(look(5, 3), false, in_poll_for(SECOND, true), now, now).age,
            Duration::ZERO
        );
    }

    fn in_poll(sequence: u64) -> Activity {
        let told = (std::thread::current().id(), Sequence::new(sequence));
        Activity { sequence: Some(told), is_settled: true, ..UNKNOWN }
    }

    #[test]
    fn a_hooked_poll_ages_from_the_look_that_saw_it_first() {
        let start = Instant::now();
        let mut progress = Progress::new(look(5, 2), true, start);
        let now = start + 2 * SECOND;
        let first = progress.observe(look(6, 2), true, in_poll(1), now, now);
        assert_eq!((first.poll_age, first.age), (Some(Duration::ZERO), Duration::ZERO));
        let now = now + 3 * SECOND;
        let second = progress.observe(look(6, 2), true, in_poll(1), now, now);
        assert_eq!((second.poll_age, second.age), (Some(3 * SECOND), 3 * SECOND));
        // Another poll, though nothing was published in between.
        let now = now + SECOND;
        let third = progress.observe(look(6, 2), true, in_poll(3), now, now);
        assert_eq!((third.poll_age, third.age), (Some(Duration::ZERO), Duration::ZERO));
    }

    #[test]
    fn a_pause_between_hooked_polls_is_no_poll_and_its_beginning_is_progress() {
        let start = Instant::now();
        let mut progress = Progress::new(look(5, 2), true, start);
        progress.observe(look(5, 2), true, in_poll(1), start + SECOND, start + SECOND);
        let now = start + 2 * SECOND;
        let paused = progress.observe(look(5, 2), true, in_poll(2), now, now);
        assert_eq!((paused.poll_age, paused.age), (None, Duration::ZERO));
        assert_eq!(paused.busy_duration, 7 * SECOND, "it has published nothing for two seconds");
    }

    #[test]
    fn a_hooked_poll_whose_worker_published_meanwhile_was_handed_over_and_has_no_age() {
        let start = Instant::now();
        let mut progress = Progress::new(look(5, 2), true, start);
        progress.observe(look(5, 2), true, in_poll(1), start + SECOND, start + SECOND);
        for seconds in [2, 3] {
            let now = start + seconds * SECOND;
            let reading = progress.observe(look(6, 2), true, in_poll(1), now, now);
            assert_eq!(reading.poll_age, None, "its thread has the worker again, and the poll goes on");
        }
        let now = start + 4 * SECOND;
        let next = progress.observe(look(6, 2), true, in_poll(3), now, now);
        assert_eq!(next.poll_age, Some(Duration::ZERO));
    }

    #[test]
    fn the_longer_of_two_ages_of_one_poll_is_told() {
        let start = Instant::now();
        let mut progress = Progress::new(look(5, 2), true, start);
        let now = start + 3 * SECOND;
        let both = Activity { sequence: in_poll(1).sequence, ..in_poll_for(2 * SECOND, true) };
        assert_eq!(progress.observe(look(5, 2), true, both, now, now).poll_age, Some(2 * SECOND));
    }
}
