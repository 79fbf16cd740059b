//! A thread that observes every attached source between collections, and counts the stalls of their
//! workers.
//!
//! A layer around a source: registry, options and coverage do not know of it. It must not touch the
//! workers.
//!
//! `WatchedSource → Stalls → Stall → log, callback`

mod source;
mod thread;

pub(crate) use source::{WatchedSource, WatchedSources};
pub(crate) use thread::WatchdogThread;
