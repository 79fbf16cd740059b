//! A count that threads wait for.
//!
//! Used where tasks and jobs block their workers on purpose. Not for tasks that mean well.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Counts up; whoever waits for a number blocks until it is there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(Arc<(Mutex<usize>, Condvar)>);

impl Tally {
    pub(crate) fn add_one(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.1.notify_all();
    }

    pub(crate) fn wait_for(&self, number: usize) {
        let count = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let reached = self.0.1.wait_while(count, |count| *count < number);
        drop(reached.unwrap_or_else(PoisonError::into_inner));
    }
}
