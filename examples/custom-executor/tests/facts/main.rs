//! What the example promises to authors of executors: every field, at the right moment.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod abort;
mod every_field;
mod gate;
mod guard;
mod jobs;
mod joining;
mod parking;
mod program;
mod shutdown;
mod stealing;
mod stress;
mod times;
mod totals;
mod waiting;
mod wakes;
