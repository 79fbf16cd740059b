//! Which fault the next request meets.
//! Written by `Receiver`, read by the gates of both servers.
//! Never hands the same fault of a script to two requests.

use std::collections::VecDeque;

use tokio::sync::watch;

use crate::Fault;

/// The faults to come, shared by the receiver and its servers.
#[derive(Debug)]
pub(crate) struct Script(watch::Sender<Faults>);

#[derive(Debug, Default)]
struct Faults {
    /// One for each of the next requests.
    next: VecDeque<Fault>,
    /// For all after those.
    then: Fault,
    /// Counts the changes that end a hang.
    edition: u64,
}

/// The fault that a request met.
#[derive(Debug)]
pub(crate) struct Met {
    pub(crate) fault: Fault,
    edition: u64,
}

impl Script {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(Faults::default()))
    }

    /// Every request from now on meets this fault.
    pub(crate) fn set(&self, fault: Fault) {
        self.0.send_modify(|faults| {
            faults.edition += u64::from(fault != Fault::Hang);
            faults.next.clear();
            faults.then = fault;
        });
    }

    /// Each of the next requests meets its own fault, and all after them none.
    pub(crate) fn set_each(&self, next: impl IntoIterator<Item = Fault>) {
        let next = next.into_iter().collect();
        self.0.send_modify(|faults| {
            *faults = Faults { next, then: Fault::None, edition: faults.edition + 1 };
        });
    }

    /// The fault that the next request meets.
    pub(crate) fn peek(&self) -> Fault {
        let faults = self.0.borrow();
        faults.next.front().unwrap_or(&faults.then).clone()
    }

    /// The fault of a request that has arrived.
    pub(crate) fn take(&self) -> Met {
        self.take_if(|_| true).expect("every fault will do")
    }

    /// The fault of the request, if it is one that this request is to meet; otherwise it is left
    /// for another.
    pub(crate) fn take_if(&self, wanted: impl FnOnce(&Fault) -> bool) -> Option<Met> {
        let mut met = None;
        // Nobody waits for a fault to be used up.
        self.0.send_if_modified(|faults| {
            let fault = faults.next.front().unwrap_or(&faults.then);
            if wanted(fault) {
                let fault = faults.next.pop_front().unwrap_or_else(|| faults.then.clone());
                met = Some(Met { fault, edition: faults.edition });
            }
            false
        });
        met
    }

    /// Waits until a request that met this fault is no longer held back.
    pub(crate) async fn changed_since(&self, met: &Met) {
        // No error: this holds the sender.
        _ = self.0.subscribe().wait_for(|faults| faults.edition != met.edition).await;
    }
}
