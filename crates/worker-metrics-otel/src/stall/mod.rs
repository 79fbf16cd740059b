//! What a stall is: what proves it, why it is, how often, and how it reads. Pure.
//!
//! `Observation → WorkerProof → Stalls → Stall`

mod cause;
mod observation;
mod own_time;
mod proof;
mod record;
#[allow(clippy::module_inception, reason = "a file is named after the noun that it holds")]
mod stall;
mod stalls;
#[cfg(test)]
mod tests;

pub(crate) use cause::cause;
pub(crate) use observation::{Limits, Observation};
pub use proof::Proof;
pub(crate) use proof::{Begun, Doing, Doubt, Sleep};
pub(crate) use record::StallRecord;
pub use stall::Stall;
pub(crate) use stalls::Stalls;
