//! Workers that are stuck in every way there is, on real Tokio runtimes, and workers that are not:
//! what the watchdog says of them.
//!
//! `animals` are the ways to block, a `Case` is one of them on one runtime, `visit` runs it and
//! `Verdict` judges what was reported against what was measured inside. `healthy` has the runs in
//! which nothing may be reported.
//!
//! No assertion depends on the speed of the machine: a source that is asked at each look says when
//! the watchdog really looked, and what is expected is worked out from that.

#![allow(clippy::unwrap_used, reason = "a scenario that cannot be set up fails its test by panicking")]

mod animals;
mod case;
mod cpu;
mod guard;
mod healthy;
mod looks;
mod stay;
mod verdict;
mod visit;

pub use animals::{ANIMALS, Animal};
pub use case::{Case, Instrumented, Place};
pub use healthy::{Healthy, Reported, SCENARIOS};
pub use verdict::Verdict;
pub use visit::{INTERVAL, Outcome, THRESHOLD, judged, visit};
