//! The stacks that `worker-metrics-thread-dump` captures, against the truth.
//!
//! A thread runs a random [`chain`] of functions, publishes its own backtrace and blocks in one of
//! the [`block`]s. Another thread captures its stack, and the two are compared: [`settled`]
//! captures a thread that stays blocked, and has it say in a signal handler where it is; [`racing`]
//! captures threads that never stay.

pub mod block;
pub mod chain;
pub mod racing;
pub mod random;
pub mod raw;
pub mod settled;
pub mod signal;
pub mod truth;

/// How many stacks a test captures: `STACKS_CAPTURES`, or `default`.
#[must_use]
pub fn captures(default: usize) -> usize {
    let given = std::env::var("STACKS_CAPTURES").ok();
    given.map_or(default, |given| given.parse().expect("STACKS_CAPTURES is a number"))
}
