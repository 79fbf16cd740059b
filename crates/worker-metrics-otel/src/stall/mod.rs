//! What a stall is: when it begins and ends, how often, and how it reads. Pure.
//!
//! `Snapshot → Stalls (WorkerProgress) → Stall`

mod progress;
#[allow(clippy::module_inception, reason = "a file is named after the noun that it holds")]
mod stall;
mod stalls;

pub use stall::Stall;
pub(crate) use stalls::Stalls;
