//! Workers whose looks are made up: healthy ones that were taken for stuck, and stuck ones.

use std::time::{Duration, Instant};

use worker_metrics_thread_dump::{Call, CallLine, Look};

use crate::stall::observation::{Limits, Observation};
use crate::stall::proof::{Begun, Change, Doing, Doubt, Proof, Sleep, WorkerProof};

const INTERVAL: Duration = Duration::from_millis(100);
const SECOND: Duration = Duration::from_secs(1);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A worker, its thread, and the watchdog that looks at both.
struct Worker {
    proof: WorkerProof,
    limits: Limits,
    seen: Observation,
    stalls: Vec<Begun>,
    durations: Vec<Duration>,
    suspicions: usize,
    long_polls: Vec<Duration>,
}

impl Worker {
    fn new() -> Self {
        let look = Look { call: Call::Running, cpu_time: ms(0), run_delay: Some(ms(0)), time_slices: 1 };
        Self {
            proof: WorkerProof::default(),
            limits: Limits { interval: INTERVAL, threshold: SECOND },
            seen: Observation {
                at: Instant::now(),
                is_running: true,
                is_driven: Some(true),
                progress: 0,
                poll_age: None,
                thread: Some(look),
                may_be_elsewhere: false,
            },
            stalls: Vec::new(),
            durations: Vec::new(),
            suspicions: 0,
            long_polls: Vec::new(),
        }
    }

    /// One on stable Tokio whose thread is not known.
    fn without_a_thread() -> Self {
        let mut worker = Self::new();
        worker.seen.thread = None;
        worker
    }

    fn thread(&mut self) -> &mut Look {
        self.seen.thread.as_mut().unwrap()
    }

    /// The watchdog looks, `after` its last look.
    fn look_after(&mut self, after: Duration) -> Change {
        self.seen.at += after;
        let change = self.proof.observe(&self.seen, &self.limits);
        self.stalls.extend(change.begun);
        self.durations.extend(change.ended);
        self.suspicions += usize::from(change.suspected);
        self.long_polls.extend(change.long_polls);
        change
    }

    fn look(&mut self) -> Change {
        self.look_after(INTERVAL)
    }

    /// The thread computes for `share` of each interval and waits for a CPU in the rest, until it
    /// has been looked at `looks` times.
    fn computes(&mut self, looks: u64, share: f64) {
        for _ in 0..looks {
            let cpu = INTERVAL.mul_f64(share);
            let thread = self.thread();
            thread.call = Call::Running;
            thread.cpu_time += cpu;
            thread.time_slices += 1;
            thread.run_delay = thread.run_delay.map(|delay| delay + (INTERVAL - cpu));
            self.look();
        }
    }

    fn falls_asleep(&mut self) {
        let thread = self.thread();
        thread.time_slices += 1;
        thread.cpu_time += ms(1);
        thread.call = Call::In(CallLine {
            number: 230,
            arguments: [0; 6],
            stack_pointer: 0x7fff_0000,
            program_counter: 0x5555_0000,
        });
    }

    fn sleeps(&mut self, looks: u64) {
        for _ in 0..looks {
            self.look();
        }
    }

    fn wakes(&mut self) {
        let thread = self.thread();
        thread.call = Call::Running;
        thread.time_slices += 1;
        thread.cpu_time += ms(1);
    }

    fn publishes(&mut self) {
        self.seen.progress += 1;
    }

    fn parks(&mut self) {
        self.seen.is_running = false;
        self.publishes();
    }

    #[track_caller]
    fn is_well(&self) {
        assert_eq!((&self.stalls[..], &self.durations[..]), (&[][..], &[][..]));
    }

    #[track_caller]
    fn stalled_once(&self) -> (Begun, Duration) {
        let ([stall], [duration]) = (&self.stalls[..], &self.durations[..]) else {
            panic!("{:?}, {:?}", self.stalls, self.durations);
        };
        (*stall, *duration)
    }
}

#[test]
fn a_thread_that_sleeps_in_one_call_for_a_second_is_stalled() {
    let mut worker = Worker::new();
    worker.look();
    worker.falls_asleep();
    worker.sleeps(11);
    assert_eq!(worker.stalls.len(), 1);
    let begun = worker.stalls[0];
    assert_eq!((begun.proof, begun.age, begun.doing), (Proof::Asleep, SECOND, Doing::Blocked));
    assert_eq!(begun.doubt, None);
    worker.sleeps(39);
    worker.wakes();
    worker.parks();
    worker.look();
    let (_, duration) = worker.stalled_once();
    // It fell asleep after a look and woke before one: 5 s, and nobody knows it better.
    assert_eq!(duration, 5 * SECOND);
    assert!(!worker.proof.is_stalled());
}

#[test]
fn a_thread_that_has_run_in_between_was_not_asleep() {
    let mut worker = Worker::new();
    for _ in 0..100 {
        worker.falls_asleep(); // anew: it has run for a millisecond
        worker.look();
    }
    // Short waits in one poll: only their own time says something, after 5 s.
    assert!(worker.stalls.iter().all(|stall| stall.proof == Proof::OwnTime));
    let mut worker = Worker::new();
    for _ in 0..40 {
        worker.falls_asleep();
        worker.look();
    }
    worker.is_well();
}

#[test]
fn a_parked_worker_is_not_stalled_however_long_it_sleeps() {
    let mut worker = Worker::new();
    worker.falls_asleep();
    worker.parks();
    worker.sleeps(1_000);
    worker.is_well();
    assert_eq!(worker.suspicions, 0);
}

#[test]
fn a_thread_that_sleeps_is_suspected_from_half_a_second_on_and_a_probe_that_is_answered_clears_it() {
    let mut worker = Worker::new();
    worker.look();
    worker.falls_asleep();
    worker.sleeps(4);
    assert_eq!(worker.suspicions, 0);
    worker.sleeps(2);
    assert_eq!(worker.suspicions, 1);
    worker.publishes();
    worker.sleeps(9);
    worker.is_well();
}

/// A worker that sleeps for a second, while another thread of its name runs.
fn maybe_elsewhere() -> Worker {
    let mut worker = Worker::new();
    worker.look();
    worker.falls_asleep();
    worker.seen.may_be_elsewhere = true;
    worker.sleeps(11);
    let [begun] = &worker.stalls[..] else { panic!("{:?}", worker.stalls) };
    assert_eq!((begun.proof, begun.doubt), (Proof::Asleep, Some(Doubt::Place)));
    assert!(!worker.proof.is_stalled(), "not before the stack has settled it");
    worker
}

#[test]
fn a_worker_that_another_thread_may_have_is_stalled_once_its_stack_shows_that_none_has() {
    let mut worker = maybe_elsewhere();
    assert_eq!(worker.proof.sleep(), Sleep::Settled);
    worker.proof.is_certain();
    worker.sleeps(9);
    assert!(worker.proof.is_stalled());
    assert_eq!(worker.proof.sleep(), Sleep::Settled, "nobody is searched for while a stall goes on");
    worker.publishes();
    worker.look();
    assert_eq!(worker.stalled_once().1, 2 * SECOND);
}

#[test]
fn a_worker_that_another_thread_has_is_not_stalled_however_long_its_own_sleeps() {
    let mut worker = maybe_elsewhere();
    worker.proof.refute();
    worker.sleeps(1_000);
    assert_eq!((worker.stalls.len(), worker.durations.len()), (1, 0));
    assert_eq!(worker.proof.sleep(), Sleep::Settled);
}

#[test]
fn where_the_stack_does_not_say_a_worker_without_a_sign_of_life_for_21_seconds_is_not_elsewhere() {
    let mut worker = maybe_elsewhere();
    worker.proof.leave_unsettled();
    assert_eq!(worker.proof.sleep(), Sleep::InDoubt);
    worker.sleeps(199);
    assert_eq!(worker.stalls.len(), 1);
    worker.sleeps(1);
    assert_eq!((worker.stalls[1].age, worker.stalls[1].doubt), (21 * SECOND, None));
    // And where the other thread turns out to be at rest, at once.
    let mut worker = maybe_elsewhere();
    worker.proof.leave_unsettled();
    worker.seen.may_be_elsewhere = false;
    worker.sleeps(1);
    assert_eq!(worker.stalls[1].doubt, None);
}

#[test]
fn a_thread_that_is_not_known_proves_nothing() {
    let mut worker = Worker::without_a_thread();
    worker.sleeps(1_000);
    worker.is_well();
}

#[test]
fn a_computation_is_proved_after_five_seconds_of_its_own_time() {
    let mut worker = Worker::new();
    worker.look();
    worker.computes(49, 1.0);
    worker.is_well();
    worker.computes(1, 1.0);
    let begun = worker.stalls[0];
    assert_eq!((begun.proof, begun.own_time), (Proof::OwnTime, Some(5 * SECOND)));
    assert_eq!(begun.doing, Doing::Running);
    worker.publishes();
    worker.look();
    assert_eq!(worker.stalled_once().1, ms(5_100));
}

#[test]
fn what_a_thread_waits_for_a_cpu_is_not_its_own_time() {
    let mut worker = Worker::new();
    worker.look();
    worker.computes(400, 0.1); // 40 s, of which 4 s are its own
    worker.is_well();
    worker.computes(101, 0.1);
    assert_eq!(worker.stalls[0].doing, Doing::Starving);
}

#[test]
fn polls_of_20_ms_that_keep_a_worker_silent_for_nearly_five_seconds_are_no_stall() {
    let mut worker = Worker::new();
    for _ in 0..20 {
        worker.computes(48, 1.0);
        worker.publishes();
    }
    worker.look();
    worker.is_well();
    // They are too long all the same, and that is said.
    assert!(worker.long_polls.len() > 10);
}

#[test]
fn a_workload_whose_silences_are_long_is_learned_after_two_of_them() {
    let mut worker = Worker::new();
    for _ in 0..6 {
        worker.computes(125, 1.0); // 12.5 s: polls of 50 ms
        worker.publishes();
    }
    worker.look();
    // The first two cannot be told from a poll that is stuck.
    assert_eq!(worker.stalls.len(), 2);
    assert_eq!(worker.durations.len(), 2);
}

#[test]
fn one_stall_does_not_hide_the_next() {
    let mut worker = Worker::new();
    for _ in 0..3 {
        worker.computes(60, 1.0);
        worker.publishes();
        worker.computes(1, 1.0);
        worker.publishes();
        worker.computes(1, 1.0);
        worker.publishes();
    }
    assert_eq!(worker.stalls.len(), 3);
    assert!(worker.long_polls.is_empty());
}

#[test]
fn a_look_that_comes_late_says_that_the_process_was_suspended() {
    // A thread that was asleep when the process was stopped, and a poll of which the source knows
    // the age: neither has lasted.
    for poll_age in [None, Some(SECOND / 10)] {
        let mut worker = Worker::new();
        worker.seen.poll_age = poll_age;
        worker.look();
        worker.falls_asleep();
        worker.sleeps(8);
        worker.seen.poll_age = poll_age.map(|age| age + 5 * SECOND);
        worker.look_after(5 * SECOND);
        worker.sleeps(8);
        worker.is_well();
        worker.sleeps(4);
        // It sleeps on, for a second since.
        assert_eq!(worker.stalls.len(), 1, "{poll_age:?}");
    }
    // Computing: one interval counts of five seconds.
    let mut worker = Worker::new();
    worker.computes(40, 1.0);
    worker.thread().cpu_time += ms(1);
    worker.look_after(5 * SECOND);
    worker.is_well();
}

#[test]
fn a_poll_that_began_before_the_process_was_suspended_is_not_as_old_as_it_looks() {
    let mut worker = Worker::new();
    worker.look();
    worker.publishes();
    worker.seen.poll_age = Some(5 * SECOND);
    worker.look_after(5 * SECOND);
    worker.is_well();
    // What it lasts from then on counts.
    worker.seen.poll_age = Some(5 * SECOND + ms(800));
    worker.computes(1, 1.0);
    assert!(worker.stalls.is_empty());
    worker.seen.poll_age = Some(5 * SECOND + ms(900));
    worker.computes(1, 1.0);
    assert_eq!((worker.stalls[0].proof, worker.stalls[0].age), (Proof::Poll, SECOND));
}

#[test]
fn an_exact_age_is_told_at_the_first_look_and_its_duration_is_within_one_interval() {
    let mut worker = Worker::without_a_thread();
    worker.look();
    worker.publishes();
    worker.seen.poll_age = Some(ms(1_050));
    let change = worker.look();
    let begun = change.begun.unwrap();
    assert_eq!((begun.proof, begun.age, begun.doing), (Proof::Poll, ms(1_050), Doing::Unknown));
    worker.seen.poll_age = Some(ms(1_150));
    worker.look();
    worker.seen.poll_age = None;
    worker.parks();
    worker.look();
    assert_eq!(worker.stalled_once().1, ms(1_250));
}

#[test]
fn of_two_polls_in_a_row_the_one_ends_where_the_other_begins() {
    let mut worker = Worker::without_a_thread();
    worker.limits.threshold = ms(50);
    worker.seen.poll_age = Some(ms(350));
    worker.look();
    worker.publishes();
    worker.seen.poll_age = Some(ms(80));
    let change = worker.look();
    assert_eq!((change.ended, change.begun.unwrap().age), (Some(ms(370)), ms(80)));
}

#[test]
fn a_poll_that_is_read_once_more_at_its_end_is_one_stall() {
    let mut worker = Worker::without_a_thread();
    worker.seen.poll_age = Some(ms(2_300));
    worker.look();
    // The sign of life is read already, and the end of the poll is not yet.
    worker.publishes();
    worker.seen.poll_age = Some(ms(2_400));
    worker.look();
    worker.seen.poll_age = None;
    worker.parks();
    worker.look();
    assert_eq!(worker.stalled_once().1, ms(2_300));
}

#[test]
fn a_runtime_that_nobody_is_known_to_drive_must_be_shown_to_be_driven() {
    let mut worker = Worker::new();
    worker.seen.is_driven = None;
    worker.look();
    worker.falls_asleep();
    worker.sleeps(11);
    assert_eq!(worker.stalls[0].doubt, Some(Doubt::Driver));
    // The stack shows that it is not.
    worker.proof.refute();
    worker.sleeps(100);
    assert_eq!((worker.stalls.len(), worker.durations.len()), (1, 0));
    // It has run since, and sleeps again: asked again.
    worker.wakes();
    worker.look();
    worker.falls_asleep();
    worker.sleeps(12);
    assert_eq!(worker.stalls.len(), 2);
    // And what computes cannot be shown.
    let mut worker = Worker::new();
    worker.seen.is_driven = None;
    worker.computes(200, 1.0);
    worker.is_well();
}

#[test]
fn a_poll_that_sleeps_and_goes_on_has_a_stall_as_long_as_its_sleep() {
    let mut worker = Worker::new();
    worker.look();
    worker.falls_asleep();
    worker.sleeps(20);
    worker.computes(20, 1.0);
    worker.publishes();
    worker.look();
    assert_eq!(worker.stalled_once().1, 2 * SECOND);
}

#[test]
fn a_thread_that_has_ended_ends_its_stall() {
    let mut worker = Worker::new();
    worker.look();
    worker.falls_asleep();
    worker.sleeps(20);
    worker.seen.is_running = false;
    worker.seen.thread = None;
    worker.look();
    assert_eq!(worker.stalled_once().0.proof, Proof::Asleep);
}

/// Sleeps of every length and phase.
#[test]
fn the_duration_differs_from_the_truth_by_no_more_than_one_interval() {
    let mut counted = 0;
    for phase_ms in (0..100).step_by(7) {
        for length_ms in (1..2_500).step_by(13) {
            let mut worker = Worker::new();
            let (from, until) = (ms(phase_ms), ms(phase_ms + length_ms));
            let mut was_inside = false;
            for now in (0..30).map(|look| INTERVAL * look) {
                let is_inside = from <= now && now < until;
                match (was_inside, is_inside) {
                    (false, true) => worker.falls_asleep(),
                    (true, false) => worker.publishes(),
                    (false, false) => worker.publishes(),
                    (true, true) => {}
                }
                if !is_inside {
                    worker.wakes();
                }
                was_inside = is_inside;
                worker.look();
            }
            let length = ms(length_ms);
            assert!(worker.durations.len() <= 1);
            assert!(!worker.durations.is_empty() || length < SECOND + 2 * INTERVAL, "{length:?} is not seen");
            for duration in worker.durations {
                assert!(duration.abs_diff(length) <= INTERVAL, "{length:?} is taken for {duration:?}");
                counted += 1;
            }
        }
    }
    assert!(counted > 1_000, "{counted}");
}
