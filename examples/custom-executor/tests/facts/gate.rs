//! A gate that blocks threads, so that a test decides which worker runs what.

use std::sync::{Arc, Condvar, Mutex};

/// Closed until it is opened, for good.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<Passage>, Condvar)>);

#[derive(Default)]
struct Passage {
    open: bool,
    waiting: usize,
}

impl Gate {
    /// Blocks this thread until the gate opens.
    pub(crate) fn pass(&self) {
        let mut passage = self.0.0.lock().unwrap();
        passage.waiting += 1;
        self.0.1.notify_all();
        drop(self.0.1.wait_while(passage, |passage| !passage.open).unwrap());
    }

    /// Waits until so many threads have come to it.
    pub(crate) fn wait_for(&self, threads: usize) {
        let passage = self.0.0.lock().unwrap();
        drop(self.0.1.wait_while(passage, |passage| passage.waiting < threads).unwrap());
    }

    pub(crate) fn open(&self) {
        self.0.0.lock().unwrap().open = true;
        self.0.1.notify_all();
    }
}
