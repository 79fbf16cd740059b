//! What a worker spends its time on.
//!
//! Kept by a [`Batch`](crate::Batch) that was asked for it, read by collectors at any moment. Each
//! state is one word, so that no reader sees a torn time.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::atomic::AtomicU64;

/// What a worker is doing at one moment: exactly one of these, at any time.
///
/// # Examples
///
/// ```
/// use worker_metrics::{Batch, Microstate, WorkerConfig, WorkerMetrics};
///
/// let config = WorkerConfig::new().with_microstates();
/// let mut batch = Batch::new(WorkerMetrics::from_config(&config));
/// batch.enter(Microstate::Searching);
/// batch.about_to_park(); // enters `Parked`
/// let times = batch.metrics().microstate_times(batch.clock().now_ns()).expect("they are kept");
/// assert!(times.of(Microstate::Searching) <= times.total());
/// ```
///
/// **Source**: the microstate accounting of the BEAM (`erlang:statistics(microstate_accounting)`),
/// with the states that a worker of an async runtime has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Microstate {
    /// It polls a task or runs a job.
    Polling,
    /// It runs the executor's own code between two polls.
    Scheduling,
    /// Its own queue is empty, and it looks for work elsewhere.
    Searching,
    /// It drives I/O and timers.
    Driving,
    /// It is parked.
    Parked,
}

impl Microstate {
    /// Every state, in the order of the series.
    pub const ALL: [Self; 5] =
        [Self::Polling, Self::Scheduling, Self::Searching, Self::Driving, Self::Parked];

    /// The value of the attribute.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::Scheduling => "scheduling",
            Self::Searching => "searching",
            Self::Driving => "driving",
            Self::Parked => "parked",
        }
    }

    const fn index(self) -> usize {
        self as usize
    }
}

/// The time that a worker has been in each state; their sum is the time since its batch was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MicrostateTimes([Duration; Microstate::ALL.len()]);

impl MicrostateTimes {
    /// The times that `of` gives for each state, for a source that keeps them itself.
    #[must_use]
    pub fn new(of: impl FnMut(Microstate) -> Duration) -> Self {
        Self(Microstate::ALL.map(of))
    }

    /// The time in `state`.
    #[must_use]
    pub fn of(&self, state: Microstate) -> Duration {
        self.0[state.index()]
    }

    /// The time in all states.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.0.iter().sum()
    }

    /// Raises each time to that of an earlier reading, if that is larger.
    pub(crate) fn raise(&mut self, earlier: &Self) {
        for (time, earlier) in self.0.iter_mut().zip(&earlier.0) {
            *time = (*time).max(*earlier);
        }
    }
}

/// What readers see of the states: one word each.
///
/// A state that the worker is not in holds its time. The one that it is in holds the time on the
/// clock at which it would have begun, had it been in that state without a break: constant for as
/// long as the state lasts, so that the time up to any moment follows from one word. The lowest bit
/// tells which of the two it is; 63 bits of nanoseconds last 292 years.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct SharedMicrostates([AtomicU64; Microstate::ALL.len()]);

impl SharedMicrostates {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }

    fn left(&self, state: Microstate, total_ns: u64) {
        self.0[state.index()].store(total_ns << 1, Relaxed);
    }

    fn entered(&self, state: Microstate, total_ns: u64, now_ns: u64) {
        self.0[state.index()].store(now_ns.saturating_sub(total_ns) << 1 | 1, Relaxed);
    }

    pub(crate) fn times(&self, now_ns: u64) -> MicrostateTimes {
        MicrostateTimes(std::array::from_fn(|state| {
            let word = self.0[state].load(Relaxed);
            let ns = word >> 1;
            Duration::from_nanos(if word & 1 == 0 { ns } else { now_ns.saturating_sub(ns) })
        }))
    }
}

/// What the worker itself knows of its states: plain integers.
#[derive(Debug)]
pub(crate) struct LocalMicrostates {
    state: Microstate,
    since_ns: u64,
    totals_ns: [u64; Microstate::ALL.len()],
}

impl LocalMicrostates {
    pub(crate) fn new(state: Microstate, now_ns: u64, to: &SharedMicrostates) -> Self {
        to.entered(state, 0, now_ns);
        Self { state, since_ns: now_ns, totals_ns: [0; Microstate::ALL.len()] }
    }

    #[inline]
    pub(crate) fn enter(&mut self, state: Microstate, now_ns: u64, to: &SharedMicrostates) {
        if state == self.state {
            return;
        }
        self.leave(now_ns, to);
        self.state = state;
        to.entered(state, self.totals_ns[state.index()], self.since_ns);
    }

    /// Ends the state: the times stand still from then on.
    #[inline]
    pub(crate) fn leave(&mut self, now_ns: u64, to: &SharedMicrostates) {
        let now_ns = now_ns.max(self.since_ns);
        let total_ns = &mut self.totals_ns[self.state.index()];
        *total_ns += now_ns - self.since_ns;
        self.since_ns = now_ns;
        to.left(self.state, *total_ns);
    }
}
