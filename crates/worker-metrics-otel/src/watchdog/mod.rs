//! Workers that are stalled, counted while nobody collects.
//!
//! The instrumentation starts it, collections read what it counted. It must not touch the workers.
//!
//! `Snapshot → Stalls (Watched) → Stall → callback, log`

mod options;
mod stall;
mod stalls;
mod thread;
mod watched;

pub use options::{IntervalError, Watchdog};
pub use stall::Stall;
pub(crate) use stalls::Stalls;
pub(crate) use thread::WatchdogThread;
