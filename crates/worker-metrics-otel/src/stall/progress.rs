//! When the stalls of one worker begin and end.
//!
//! Fed by the watchdog with each observation and its time. Reads no clock and counts nothing.

use std::time::{Duration, Instant};

use worker_metrics::WorkerState;

/// What is remembered of one worker between two observations.
#[derive(Debug, Default)]
pub(super) struct WorkerProgress {
    /// The last observation, if the worker was stalled.
    stalled: Option<Seen>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    age: Duration,
    at: Instant,
}

/// What an observation reports that is new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// The duration of the stall that has ended.
    pub(super) ended: Option<Duration>,
    /// The age of the stall that has begun.
    pub(super) begun: Option<Duration>,
}

impl WorkerProgress {
    /// Takes the next observation, made at `now`.
    ///
    /// An age that has fallen says that the worker published in between: the stall is over, even if
    /// the next one is under way.
    pub(super) fn observe(&mut self, state: Option<WorkerState>, age: Duration, now: Instant) -> Change {
        let seen = (state == Some(WorkerState::Stalled)).then_some(Seen { age, at: now });
        let before = std::mem::replace(&mut self.stalled, seen);
        let goes_on = before.is_some_and(|before| seen.is_some() && age >= before.age);
        Change {
            ended: before.filter(|_| !goes_on).map(|before| before.duration_until(now, age)),
            begun: seen.filter(|_| !goes_on).map(|seen| seen.age),
        }
    }
}

impl Seen {
    /// The duration of a stall that an observation at `now` finds ended. The worker has published
    /// since, and that was no later than `age` ago.
    fn duration_until(self, now: Instant, age: Duration) -> Duration {
        self.age + now.saturating_duration_since(self.at).saturating_sub(age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use WorkerState::{Busy, Idle, Stalled};

    const SECOND: Duration = Duration::from_secs(1);
    const INTERVAL: Duration = Duration::from_millis(100);

    /// A worker that is looked at once an interval.
    struct Looked {
        watched: WorkerProgress,
        now: Instant,
    }

    impl Looked {
        fn new() -> Self {
            Self { watched: WorkerProgress::default(), now: Instant::now() }
        }

        fn look(&mut self, state: WorkerState, age_ms: u64) -> Change {
            self.now += INTERVAL;
            self.watched.observe(Some(state), ms(age_ms), self.now)
        }
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn begun(age_ms: u64) -> Change {
        Change { begun: Some(ms(age_ms)), ended: None }
    }

    fn ended(duration_ms: u64) -> Change {
        Change { begun: None, ended: Some(ms(duration_ms)) }
    }

    const NOTHING: Change = Change { begun: None, ended: None };

    #[test]
    fn a_stall_that_one_look_falls_into_is_counted_with_its_duration() {
        let mut worker = Looked::new();
        assert_eq!(worker.look(Busy, 950), NOTHING);
        assert_eq!(worker.look(Stalled, 1_050), begun(1_050));
        assert_eq!(worker.look(Idle, 0), ended(1_150));
        assert_eq!(worker.look(Idle, 0), NOTHING);
    }

    #[test]
    fn a_stall_shorter_than_the_threshold_is_none() {
        let mut worker = Looked::new();
        for age_ms in (0..=900).step_by(100) {
            assert_eq!(worker.look(Busy, age_ms), NOTHING);
        }
        assert_eq!(worker.look(Idle, 0), NOTHING);
    }

    #[test]
    fn a_long_stall_is_counted_once() {
        let mut worker = Looked::new();
        assert_eq!(worker.look(Stalled, 1_000), begun(1_000));
        for age_ms in (1_100..=60_000).step_by(100) {
            assert_eq!(worker.look(Stalled, age_ms), NOTHING);
        }
        assert_eq!(worker.look(Idle, 0), ended(60_100));
    }

    #[test]
    fn a_worker_that_works_on_after_its_stall_had_ended_it_before_the_age_that_it_has_now() {
        let mut worker = Looked::new();
        worker.look(Stalled, 5_000);
        assert_eq!(worker.look(Busy, 60), ended(5_040));
    }

    #[test]
    fn of_two_stalls_in_a_row_the_one_ends_where_the_other_begins() {
        let mut worker = Looked::new();
        // With a threshold below the interval, no look need fall between them.
        assert_eq!(worker.look(Stalled, 350), begun(350));
        assert_eq!(worker.look(Stalled, 80), Change { ended: Some(ms(370)), begun: Some(ms(80)) });
        assert_eq!(worker.look(Stalled, 180), NOTHING);
        assert_eq!(worker.look(Idle, 0), ended(280));
    }

    #[test]
    fn an_age_that_grows_unevenly_or_stands_still_is_one_stall() {
        let mut worker = Looked::new();
        assert_eq!(worker.look(Stalled, 1_000), begun(1_000));
        for age_ms in [1_000, 1_001, 1_350, 1_350, 1_400] {
            assert_eq!(worker.look(Stalled, age_ms), NOTHING);
        }
        assert_eq!(worker.look(Idle, 0), ended(1_500));
    }

    #[test]
    fn a_stall_that_no_look_sees_end_has_no_duration() {
        let mut worker = Looked::new();
        assert_eq!(worker.look(Stalled, 1_000), begun(1_000));
        // The source is detached: there is no look any more, and nothing else to tell.
        assert!(worker.watched.stalled.is_some());
    }

    #[test]
    fn the_state_of_the_source_decides_whatever_its_threshold() {
        let mut worker = Looked::new();
        assert_eq!(worker.look(Stalled, 1), begun(1));
        assert_eq!(worker.look(Idle, 0), ended(101));
        assert_eq!(worker.look(Busy, 3_600_000), NOTHING);
    }

    #[test]
    fn a_worker_whose_state_is_not_known_is_not_stalled() {
        let mut watched = WorkerProgress::default();
        assert_eq!(watched.observe(None, SECOND, Instant::now()), NOTHING);
    }

    /// Stalls of every length and phase, on a source that knows ages from the beginning, and on one
    /// that knows them from the first look on, as a Tokio runtime does.
    #[test]
    fn the_duration_differs_from_the_truth_by_no_more_than_one_interval() {
        const THRESHOLD: Duration = Duration::from_millis(50);
        let mut counted = 0;
        for (ages_from_first_look, phase_ms) in
            [true, false].into_iter().flat_map(|of| (0..100).map(move |ms| (of, ms)))
        {
            for length_ms in (1..700).step_by(7) {
                let start = Instant::now();
                let (from, until) = (start + ms(phase_ms), start + ms(phase_ms + length_ms));
                let mut watched = WorkerProgress::default();
                let (mut first_look, mut durations) = (None, Vec::new());
                for now in (0..10).map(|look| start + INTERVAL * look) {
                    let inside = from <= now && now < until;
                    let since =
                        if ages_from_first_look && inside { *first_look.get_or_insert(now) } else { from };
                    let age = if inside { now - since } else { Duration::ZERO };
                    let change = watched.observe(Some(WorkerState::of(inside, age, THRESHOLD)), age, now);
                    durations.extend(change.ended);
                }
                let length = ms(length_ms);
                assert!(durations.len() <= 1);
                assert!(!durations.is_empty() || length < THRESHOLD + 2 * INTERVAL, "{length:?} is not seen");
                for duration in durations {
                    assert!(duration.abs_diff(length) <= INTERVAL, "{length:?} is taken for {duration:?}");
                    counted += 1;
                }
            }
        }
        assert!(counted > 10_000, "{counted}");
    }
}
