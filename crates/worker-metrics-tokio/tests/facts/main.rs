//! The facts that the Tokio source promises, on real runtimes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod canary;
mod coverage;
mod evidence;
mod histograms;
mod identity;
mod progress;
mod rig;
mod tasks;
mod values;
