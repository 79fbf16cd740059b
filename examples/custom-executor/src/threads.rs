//! The threads of a pool, at its end.
//!
//! Called where a pool is dropped, which may be inside one of its own tasks or jobs.

use std::thread::{self, JoinHandle};

/// Waits for all threads but this one, which ends by itself, and returns what they leave.
pub(crate) fn join_others<T>(threads: impl IntoIterator<Item = JoinHandle<T>>) -> Vec<T> {
    let this = thread::current().id();
    let others = threads.into_iter().filter(|thread| thread.thread().id() != this);
    // A worker catches what its tasks panic with, and has nothing to report.
    others.filter_map(|thread| thread.join().ok()).collect()
}
