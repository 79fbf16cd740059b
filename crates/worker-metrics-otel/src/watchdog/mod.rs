//! A thread that observes every attached source between collections, and counts the stalls of their
//! workers.
//!
//! A layer around a source: registry, options and coverage do not know of it. It must not touch the
//! workers.
//!
//! `WatchedSources → WatchedSource → WatchedWorker → Stalls → Event → Reports → log, callback`

mod event;
mod limit;
mod namesakes;
mod reports;
mod source;
mod sources;
mod thread;
mod watched_worker;
mod witness;
mod worker_thread;

pub(crate) use source::WatchedSource;
pub(crate) use sources::WatchedSources;
pub(crate) use thread::{Emit, WatchdogThread};
pub(crate) use witness::{Sight, Testimony, Witness};
