//! A gate that blocks threads, so that a test decides which worker runs what.

use std::sync::{Arc, Condvar, Mutex};

use custom_executor::{Executor, JoinHandle};

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

    /// A task that blocks its worker in the gate; it is in there when this returns.
    pub(crate) fn block_a_worker(&self, executor: &Executor) -> JoinHandle<()> {
        let gate = self.clone();
        let before = self.0.0.lock().unwrap().waiting;
        let blocking = executor.spawn(async move { gate.pass() });
        self.wait_for(before + 1);
        blocking
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
