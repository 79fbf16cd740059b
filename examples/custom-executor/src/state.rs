//! Where a task is on its way: idle, scheduled, running, woken while it runs, or done.
//!
//! Changed by wakers on any thread and by the worker that polls. It alone decides who puts a task
//! into a queue, so that a task is never in two.

use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::{AcqRel, Acquire};

const IDLE: u8 = 0;
const SCHEDULED: u8 = 1;
const RUNNING: u8 = 2;
const WOKEN: u8 = 3;
const DONE: u8 = 4;

/// The state of one task; a new one is idle.
#[derive(Debug)]
pub(crate) struct State(AtomicU8);

/// What becomes of a task that was polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It waits for its waker.
    Wait,
    /// It was woken while it ran: whoever polled it schedules it.
    Again,
    /// It is over.
    Done,
}

impl State {
    pub(crate) fn new() -> Self {
        Self(AtomicU8::new(IDLE))
    }

    /// The task was woken. Whether the caller must put it into a queue.
    pub(crate) fn wake(&self) -> bool {
        // Written also where nothing changes: the poll that follows must see what the waker wrote
        // before.
        let before = self.0.fetch_update(AcqRel, Acquire, |state| match state {
            IDLE => Some(SCHEDULED),
            RUNNING => Some(WOKEN),
            SCHEDULED | WOKEN => Some(state),
            _ => None,
        });
        before == Ok(IDLE)
    }

    /// The task was taken from a queue. Whether the caller may poll it.
    pub(crate) fn start(&self) -> bool {
        self.0.compare_exchange(SCHEDULED, RUNNING, AcqRel, Acquire).is_ok()
    }

    /// The poll returned without a result.
    pub(crate) fn pend(&self) -> Next {
        let before = self.0.fetch_update(AcqRel, Acquire, |state| match state {
            RUNNING => Some(IDLE),
            WOKEN => Some(SCHEDULED),
            _ => None,
        });
        match before {
            Ok(RUNNING) => Next::Wait,
            Ok(_) => Next::Again,
            Err(_) => Next::Done,
        }
    }

    /// The task is over, whatever it was doing.
    pub(crate) fn finish(&self) {
        self.0.swap(DONE, AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_wake_of_an_idle_task_queues_it() {
        let state = State::new();
        assert!(state.wake());
        assert!(!state.wake());
        assert!(state.start());
        assert_eq!(state.pend(), Next::Wait);
        assert!(state.wake());
    }

    #[test]
    fn a_wake_during_the_poll_is_left_to_whoever_polls() {
        let state = State::new();
        assert!(state.wake() && state.start());
        assert!(!state.wake());
        assert!(!state.wake());
        assert_eq!(state.pend(), Next::Again);
        assert!(!state.wake(), "it is scheduled");
        assert!(state.start());
    }

    #[test]
    fn a_task_that_is_over_is_neither_queued_nor_polled() {
        let state = State::new();
        assert!(state.wake() && state.start());
        state.finish();
        assert_eq!(state.pend(), Next::Done);
        assert!(!state.wake());
        assert!(!state.start());
    }
}
