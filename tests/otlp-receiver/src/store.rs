//! The state behind a lock, and the waiting for it.
//! Shared by the two servers, which write, and the `Receiver`, which reads and waits.
//! Never fails: a lock that a panicking condition poisoned is taken all the same.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;

use crate::{Protocol, State, Transport};

#[derive(Debug)]
pub(crate) struct Store {
    state: Mutex<State>,
    changed: Condvar,
}

impl Store {
    pub(crate) fn new(keep_requests: bool) -> Self {
        Self { state: Mutex::new(State::new(keep_requests)), changed: Condvar::new() }
    }

    pub(crate) fn read(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn connected(&self, protocol: Protocol) {
        self.read().connected(protocol);
        self.changed.notify_all();
    }

    pub(crate) fn arrived(&self, transport: Option<Transport>) {
        self.read().arrived(transport);
        self.changed.notify_all();
    }

    pub(crate) fn accept(&self, request: ExportMetricsServiceRequest) {
        self.read().accept(request);
        self.changed.notify_all();
    }

    pub(crate) fn accept_logs(&self, request: ExportLogsServiceRequest) {
        self.read().accept_logs(request);
        self.changed.notify_all();
    }

    /// Whether the condition holds, at once or before the time is over.
    pub(crate) fn wait_until(&self, timeout: Duration, mut condition: impl FnMut(&State) -> bool) -> bool {
        let (_state, waited) = self
            .changed
            .wait_timeout_while(self.read(), timeout, |state| !condition(state))
            .unwrap_or_else(PoisonError::into_inner);
        !waited.timed_out()
    }
}
