//! What the crates promise together, through the real SDK.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod attachment;
mod bridge;
mod delivery;
mod documents;
mod histograms;
mod lifecycle;
mod numbers;
mod push;
mod registry;
mod replay;
mod rig;
mod scope;
mod stalls;
mod steady;
mod tasks;
mod watchdog;
mod ways;
mod wire;
