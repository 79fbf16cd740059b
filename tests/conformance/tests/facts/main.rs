//! What the crates promise together, through the real SDK.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod bridge;
mod delivery;
mod documents;
mod histograms;
mod lifecycle;
mod registry;
mod replay;
mod rig;
mod scalars;
mod scope;
mod sink;
mod stalls;
mod steady;
mod tasks;
mod watchdog;
mod wire;
