//! Whether a worker is stalled: what proves it, and what does not.
//!
//! Fed by the watchdog with each observation of one worker. Reads no clock, asks nobody, and counts
//! nothing.

use std::time::{Duration, Instant};

use worker_metrics_thread_dump::{Call, Look};

use super::observation::{Limits, Observation};
use super::own_time::{self, OwnTimes};

/// What proved a stall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Proof {
    /// One poll has lasted that long: its age is known exactly, from an instrumented task, a poll
    /// hook, or the executor itself.
    Poll,
    /// The thread sleeps in one system call, and has not run at all for that long.
    Asleep,
    /// The thread has used more time of its own, without a sign of life, than many healthy polls
    /// can take.
    OwnTime,
}

impl Proof {
    /// The value of the attribute.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Poll => "poll",
            Self::Asleep => "asleep",
            Self::OwnTime => "own_time",
        }
    }
}

/// What the thread of a stalled worker was seen to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    /// It was blocked, at most of the looks.
    Blocked,
    /// It ran, at most of the looks.
    Running,
    /// It was ready to run at most of the looks, and got a CPU for less than half of that time.
    Starving,
    /// Its thread is not known.
    Unknown,
}

/// A stall that was just proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Begun {
    pub(crate) proof: Proof,
    /// For how long the worker has been stalled.
    pub(crate) age: Duration,
    /// How much of that was the thread's own time, where the thread is known.
    pub(crate) own_time: Option<Duration>,
    pub(crate) doing: Doing,
    /// What the stack must settle before it is a stall.
    pub(crate) doubt: Option<Doubt>,
}

/// What a stack can settle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// Whether any thread drives the runtime.
    Driver,
    /// Whether the worker was handed to another thread.
    Place,
}

/// What an observation reports that is new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    /// The duration of the stall that has ended.
    pub(crate) ended: Option<Duration>,
    /// The stall that was proved.
    pub(crate) begun: Option<Begun>,
    /// Whether a stall is suspected, so that a probe may settle it before it is told.
    pub(crate) suspected: bool,
    /// The own time between the last two signs of life, if that was too long twice in a row: polls
    /// that are too long, though none is stuck.
    pub(crate) long_polls: Option<Duration>,
}

/// Whether a worker's thread sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sleep {
    /// It has run since the last look, or is not known.
    None,
    /// It has not, and another thread may have the worker.
    InDoubt,
    /// It has not, and what there is to conclude from that is concluded.
    Settled,
}

/// What is remembered of one worker between two observations.
#[derive(Debug, Default)]
pub(crate) struct WorkerProof {
    looked_at: Option<Instant>,
    silence: Option<Silence>,
    own_times: OwnTimes,
    stall: Option<Stalled>,
}

/// A time without any sign of life of a worker that runs.
#[derive(Debug)]
struct Silence {
    progress: u64,
    /// The first look that saw it.
    since: Instant,
    /// Time in which the watchdog itself did not run.
    missed: Duration,
    own: Duration,
    thread: Option<Thread>,
    /// The look since which the thread has not run at all.
    asleep_since: Option<Instant>,
    running_looks: u32,
    blocked_looks: u32,
    /// Time at whose end the thread was found ready to run.
    runnable: Duration,
    /// It was shown that nobody drives the runtime, or that another thread has the worker.
    is_refuted: bool,
    /// The stack has not settled a doubt.
    is_unsettled: bool,
}

#[derive(Clone, Copy, Debug)]
struct Thread {
    first: Look,
    last: Look,
}

/// A stall that goes on.
#[derive(Clone, Copy, Debug)]
struct Stalled {
    proof: Proof,
    /// When it began, as seen by the looks.
    since: Instant,
    /// The exact age of the poll at the last look.
    poll_age: Duration,
    /// When the thread was first seen to run again, if it has slept.
    woke_at: Option<Instant>,
    /// Whether it is known that somebody drives the worker.
    is_certain: bool,
}

/// Own time between two signs of life from which polls are too long: a worker looks at sockets and
/// timers only when it publishes.
const LONG_POLLS: Duration = Duration::from_secs(1);

/// A worker that another thread has taken over shows a sign of life within that time, by a
/// publication or an answer to a probe, on a machine as busy as four threads to a CPU.
const GIVEN_AWAY: Duration = Duration::from_secs(20);

impl WorkerProof {
    /// Whether the worker is stalled, as of the last observation.
    pub(crate) fn is_stalled(&self) -> bool {
        self.stall.is_some_and(|stall| stall.is_certain)
    }

    /// Whether the thread sleeps, as of the last observation, and whether it matters who has the
    /// worker.
    pub(crate) fn sleep(&self) -> Sleep {
        match &self.silence {
            Some(Silence { asleep_since: Some(_), is_refuted, .. }) => match self.stall {
                None if !is_refuted => Sleep::InDoubt,
                _ => Sleep::Settled,
            },
            _ => Sleep::None,
        }
    }

    /// Takes the next observation.
    pub(crate) fn observe(&mut self, seen: &Observation, limits: &Limits) -> Change {
        let elapsed = self.looked_at.map_or(Duration::ZERO, |at| seen.at.saturating_duration_since(at));
        let looked_at = self.looked_at.replace(seen.at);
        let mut change = Change::default();
        let rests = !seen.is_running || seen.is_driven == Some(false);
        let goes_on = self.silence.as_ref().is_some_and(|silence| silence.progress == seen.progress);
        if rests || !goes_on {
            change.ended = self.stall.take().map(|stall| stall.duration(seen, looked_at));
            change.long_polls = self.sign_of_life(rests);
        }
        if rests {
            return change;
        }
        let silence = self.silence.get_or_insert_with(|| Silence::new(seen, limits.missed(elapsed)));
        if goes_on {
            silence.go_on(seen, elapsed, limits);
        }
        if let Some(stall) = &mut self.stall {
            stall.go_on(silence, seen);
            return change;
        }
        // The source is read piece by piece: it may tell of the sign of life that has ended a
        // stall, and still of the poll that it ended. Whether another one goes on shows at the next
        // look.
        let is_of_before = change.ended.is_some() && seen.poll_age.is_some_and(|age| age > elapsed);
        let proved = silence.proof(seen, limits, &self.own_times).filter(|_| !is_of_before);
        if let Some((proof, age, doubt)) = proved {
            self.stall = Some(Stalled {
                proof,
                since: seen.at.checked_sub(age).unwrap_or(seen.at),
                poll_age: age,
                woke_at: None,
                is_certain: doubt.is_none(),
            });
            change.begun = Some(Begun {
                proof,
                age,
                own_time: silence.thread.map(|_| silence.own),
                doing: silence.doing(seen),
                doubt,
            });
        } else {
            change.suspected = silence.is_suspected(seen, limits);
        }
        change
    }

    /// The stall that was proved last is one: the stack has settled the doubt.
    pub(crate) fn is_certain(&mut self) {
        if let Some(stall) = &mut self.stall {
            stall.is_certain = true;
        }
    }

    /// Takes back the stall that was proved last, if it goes on: nobody drives the runtime, or
    /// another thread has the worker. It is not proved again before the thread has run.
    pub(crate) fn refute(&mut self) {
        if let (Some(_), Some(silence)) = (self.stall.take(), &mut self.silence) {
            silence.is_refuted = true;
        }
    }

    /// Takes back the stall that was proved last, if it goes on: the stack does not say who has the
    /// worker.
    pub(crate) fn leave_unsettled(&mut self) {
        if let (Some(_), Some(silence)) = (self.stall.take(), &mut self.silence) {
            silence.is_unsettled = true;
        }
    }

    /// The silence is over: its own time if it was too long, as the one before was.
    fn sign_of_life(&mut self, rests: bool) -> Option<Duration> {
        let silence = self.silence.take()?;
        let was_asleep = silence.blocked_looks > silence.running_looks;
        self.own_times.push(silence.own);
        let is_long = !rests && !was_asleep && self.own_times.were_long(LONG_POLLS);
        is_long.then_some(silence.own)
    }
}

impl Silence {
    /// `missed` may all lie within the poll that is in progress.
    fn new(seen: &Observation, missed: Duration) -> Self {
        Self {
            progress: seen.progress,
            since: seen.at,
            missed: missed.min(seen.poll_age.unwrap_or_default()),
            own: Duration::ZERO,
            thread: seen.thread.map(|look| Thread { first: look, last: look }),
            asleep_since: None,
            running_looks: 0,
            blocked_looks: 0,
            runnable: Duration::ZERO,
            is_refuted: false,
            is_unsettled: false,
        }
    }

    /// Another look without a sign of life, `elapsed` after the last one.
    fn go_on(&mut self, seen: &Observation, elapsed: Duration, limits: &Limits) {
        let missed = limits.missed(elapsed);
        let counted = elapsed.saturating_sub(missed);
        self.missed += missed;
        let Some(now) = seen.thread else {
            self.asleep_since = None;
            self.thread = None;
            return;
        };
        let thread = self.thread.get_or_insert(Thread { first: now, last: now });
        let before = std::mem::replace(&mut thread.last, now);
        self.own += own_time::between(&before, &now, counted);
        match now.call {
            Call::Running | Call::Kernel => {
                self.running_looks += 1;
                self.runnable += counted;
            }
            Call::In(_) => self.blocked_looks += 1,
        }
        if !missed.is_zero() || !now.has_not_run_since(&before) {
            self.asleep_since = None;
            self.is_refuted = false;
            self.is_unsettled = false;
        } else {
            let since = seen.at.checked_sub(elapsed).unwrap_or(seen.at);
            self.asleep_since.get_or_insert(since);
        }
    }

    /// For how long the thread has not run at all.
    fn asleep_for(&self, now: Instant) -> Duration {
        self.asleep_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// What proves a stall, its age, and what is left in doubt.
    fn proof(
        &self,
        seen: &Observation,
        limits: &Limits,
        own_times: &OwnTimes,
    ) -> Option<(Proof, Duration, Option<Doubt>)> {
        let poll_age = seen.poll_age.map(|age| age.saturating_sub(self.missed));
        if let Some(age) = poll_age.filter(|age| *age >= limits.threshold) {
            return Some((Proof::Poll, age, None));
        }
        if self.is_refuted {
            return None;
        }
        let asleep_for = self.asleep_for(seen.at);
        let is_here = !seen.may_be_elsewhere || asleep_for >= limits.threshold + GIVEN_AWAY;
        let doubt = match seen.is_driven {
            None => Some(Doubt::Driver),
            Some(_) => (!is_here).then_some(Doubt::Place),
        };
        if asleep_for >= limits.threshold && (doubt.is_none() || !self.is_unsettled) {
            return Some((Proof::Asleep, asleep_for, doubt));
        }
        let enough = limits.own_time_floor().max(own_times.median().saturating_mul(3));
        if self.own >= enough && is_here && seen.is_driven == Some(true) {
            return Some((Proof::OwnTime, seen.at.saturating_duration_since(self.since), None));
        }
        None
    }

    /// From half of what proves it on.
    fn is_suspected(&self, seen: &Observation, limits: &Limits) -> bool {
        self.asleep_for(seen.at) * 2 >= limits.threshold || self.own * 2 >= limits.own_time_floor()
    }

    fn doing(&self, seen: &Observation) -> Doing {
        let Some(Thread { first, last }) = self.thread else {
            return match seen.thread.map(|look| look.call) {
                None => Doing::Unknown,
                Some(Call::Running | Call::Kernel) => Doing::Running,
                Some(Call::In(_)) => Doing::Blocked,
            };
        };
        if self.blocked_looks > self.running_looks {
            return Doing::Blocked;
        }
        let cpu_time = last.cpu_time.saturating_sub(first.cpu_time);
        if self.runnable > Duration::ZERO && cpu_time * 2 < self.runnable {
            return Doing::Starving;
        }
        match (self.running_looks, last.call) {
            (0, Call::In(_)) => Doing::Blocked,
            _ => Doing::Running,
        }
    }
}

impl Stalled {
    fn go_on(&mut self, silence: &Silence, seen: &Observation) {
        match (self.proof, silence.asleep_since) {
            (Proof::Poll, _) => {
                self.poll_age = seen.poll_age.map_or(self.poll_age, |age| age.saturating_sub(silence.missed));
            }
            (Proof::Asleep, None) => {
                self.woke_at.get_or_insert(seen.at);
            }
            (Proof::Asleep, Some(_)) => self.woke_at = None,
            (Proof::OwnTime, _) => {}
        }
    }

    /// The duration of the stall that `seen`, the first look after it, finds ended; the look before
    /// was at `looked_at`.
    ///
    /// An exact age runs on to the latest moment at which the poll can have ended. The other kinds
    /// begin at the first look into them, which is as late, on average, as the first look after
    /// them.
    fn duration(&self, seen: &Observation, looked_at: Option<Instant>) -> Duration {
        match self.proof {
            Proof::Poll => {
                let since_look = looked_at.map_or(Duration::ZERO, |at| seen.at.saturating_duration_since(at));
                self.poll_age + since_look.saturating_sub(seen.poll_age.unwrap_or_default())
            }
            Proof::Asleep | Proof::OwnTime => {
                self.woke_at.unwrap_or(seen.at).saturating_duration_since(self.since)
            }
        }
    }
}
