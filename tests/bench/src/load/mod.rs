//! What an observed runtime works on while it is measured.
//!
//! ```text
//! Workload ─ start ─ Running ─ its tasks, each with a Tally ─ Board: counts, and the pool of latencies
//! ```

mod board;
mod echo;
mod latencies;
mod running;
mod spawner;
mod workload;
mod yields;

pub(crate) use latencies::{Latencies, QUANTILES, micros};
pub(crate) use running::Running;
pub(crate) use spawner::Spawner;
pub(crate) use workload::{WORKERS, Workload};
