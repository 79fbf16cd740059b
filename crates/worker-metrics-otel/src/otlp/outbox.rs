//! The outbox of one destination: its ledger, and the requests of the export under way.
//!
//! Filled by each export and when a source is detached. Holds no lock while requests travel.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::Temporality;

use super::delivery::Ledger;
use super::wire::{Envelope, Limits, Request, RequestId, Requests};
use crate::lock::lock;
use crate::options::HistogramOptions;
use crate::scope::scope;
use crate::source::{Attached, Last, Registry, Snapshots};

/// What goes to one destination. It outlives the pipeline that it was made for: the next one to the
/// same destination goes on from there, so that nothing is counted twice.
pub(crate) struct Outbox {
    state: Mutex<State>,
    /// Whether a pipeline uses it.
    is_in_use: AtomicBool,
}

struct State {
    ledger: Ledger,
    requests: Requests,
    /// The requests of an export, while none is under way.
    spare: Vec<Request>,
    snapshots: Snapshots,
    is_under_way: bool,
    last_export: Instant,
    /// Whether anything was recorded since the last export: last values, and ends.
    has_last_values: bool,
    /// Whether numbers go this way, as of the last export.
    with_numbers: bool,
    given_up: u64,
}

/// Time without any export after which the last values of detached sources are given up: nobody
/// exports.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// The requests of one export. Dropping it ends the export: what has no outcome then has failed.
pub(crate) struct Export {
    outbox: Arc<Outbox>,
    requests: Vec<Request>,
}

impl Outbox {
    pub(crate) fn new(temporality: Temporality, options: HistogramOptions, limits: Limits) -> Self {
        let envelope = Envelope::new(&Resource::builder_empty().build(), &scope());
        Self {
            state: Mutex::new(State {
                ledger: Ledger::new(temporality, options),
                requests: Requests::new(limits, envelope),
                spare: Vec::new(),
                snapshots: Snapshots::default(),
                is_under_way: false,
                last_export: Instant::now(),
                has_last_values: false,
                with_numbers: false,
                given_up: 0,
            }),
            is_in_use: AtomicBool::new(false),
        }
    }

    /// Takes it for a pipeline; returns whether it was free.
    pub(crate) fn take(&self) -> bool {
        !self.is_in_use.swap(true, Relaxed)
    }

    /// Gives it back.
    pub(crate) fn release(&self) {
        self.is_in_use.store(false, Relaxed);
    }

    /// Sets the limits of the pipeline that has taken it.
    pub(crate) fn set_limits(&self, limits: Limits) {
        lock(&self.state).requests.limits = limits;
    }

    /// Begins an export of every attached source. `None` while another one is under way.
    pub(crate) fn begin(
        self: &Arc<Self>,
        registry: &Registry,
        resource: &Resource,
        with_numbers: bool,
        time: SystemTime,
    ) -> Option<Export> {
        let mut state = lock(&self.state);
        if std::mem::replace(&mut state.is_under_way, true) {
            return None;
        }
        let State { ledger, requests, spare, snapshots, .. } = &mut *state;
        if requests.envelope.resource != *resource {
            requests.envelope = Envelope::new(resource, &scope());
        }
        let export = ledger.begin(time);
        snapshots.refresh(registry, true);
        for (attached, snapshot) in snapshots.iter() {
            ledger.record(&attached, snapshot, with_numbers);
        }
        for attached in snapshots.panicked() {
            ledger.end_without_values(&attached);
        }
        requests.begin(export);
        ledger.finish(requests);
        let mut under_way = std::mem::take(spare);
        requests.finish(&mut under_way);
        state.last_export = Instant::now();
        state.has_last_values = false;
        state.with_numbers = with_numbers;
        drop(state);
        Some(Export { outbox: self.clone(), requests: under_way })
    }

    /// Whether sources were detached since the last export.
    pub(crate) fn has_last_values(&self) -> bool {
        lock(&self.state).has_last_values
    }

    /// Takes the last values of a source that was detached at `time`.
    pub(crate) fn end(&self, last: &Last, with_numbers: bool, time: SystemTime) {
        let mut state = lock(&self.state);
        if state.last_export.elapsed() > LONGEST_WAIT {
            let forgotten = state.ledger.forget_ended();
            state.given_up += forgotten as u64;
        }
        let with_numbers = with_numbers || state.with_numbers;
        state.ledger.end(&last.attached, &last.snapshot, with_numbers, time);
        state.has_last_values = true;
    }

    /// Ends the series of a source of which nothing more is known: it panicked when it was asked
    /// for its last values.
    pub(super) fn end_without_values(&self, attached: &Attached) {
        let mut state = lock(&self.state);
        state.ledger.end_without_values(attached);
        state.has_last_values = true;
    }

    /// Whether nothing is left to send, now or later.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        lock(&self.state).ledger.is_empty()
    }

    /// The number of series that were given up: nobody took their last values.
    pub(crate) fn given_up(&self) -> u64 {
        lock(&self.state).given_up
    }
}

impl Export {
    pub(crate) fn requests(&self) -> &[Request] {
        &self.requests
    }

    /// Notes what became of a request.
    pub(crate) fn settle(&self, request: RequestId, is_taken: bool) {
        lock(&self.outbox.state).ledger.settle(request, is_taken);
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        // Without the requests, whose buffers are reused.
        self.requests.clear();
        let mut state = lock(&self.outbox.state);
        let given_up = state.ledger.export_is_over();
        state.given_up += given_up as u64;
        state.spare = std::mem::take(&mut self.requests);
        state.is_under_way = false;
    }
}
