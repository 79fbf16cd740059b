//! A ledger, the sources that it records, and the requests that it makes, at chosen times.

use std::sync::Arc;

use opentelemetry::InstrumentationScope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::Temporality;
use worker_metrics::Metric as Row;
use worker_metrics::histogram::HistogramSnapshot;

use super::super::Ledger;
use super::source::TestSource;
use super::time;
use crate::options::{HistogramOptions, Histograms, Options};
use crate::otlp::wire::{Envelope, Limits, Request, Requests};
use crate::source::{Attached, Registry, Snapshots};

/// A ledger with attached sources.
pub(super) struct Rig {
    pub(super) ledger: Ledger,
    pub(super) requests: Requests,
    registry: Registry,
    options: Options,
    snapshots: Snapshots,
}

impl Rig {
    /// Histograms are those of each worker.
    pub(super) fn new(temporality: Temporality, options: HistogramOptions, limits: Limits) -> Self {
        let scope = InstrumentationScope::builder("worker-metrics").build();
        Self {
            ledger: Ledger::new(temporality, options),
            requests: Requests::new(limits, Envelope::new(&Resource::builder_empty().build(), &scope)),
            registry: Registry::default(),
            options: Options::default().with_histograms(Histograms::Worker),
            snapshots: Snapshots::default(),
        }
    }

    /// Attaches a source at so many seconds.
    pub(super) fn attach(&self, source: &Arc<TestSource>, seconds: u64) -> Arc<Attached> {
        self.registry.add(source.clone(), &self.options, time(seconds)).expect("it is not attached")
    }

    /// Detaches a source at so many seconds.
    pub(super) fn detach(&mut self, attached: &Arc<Attached>, seconds: u64) {
        let last = self.registry.remove(attached).expect("it did not panic");
        self.ledger.end(&last.attached, &last.snapshot, true, time(seconds));
    }

    /// Collects every attached source at so many seconds, and writes the requests.
    pub(super) fn export(&mut self, seconds: u64) -> Vec<Request> {
        let mut requests = Vec::new();
        self.snapshots.refresh(&self.registry, true);
        self.export_collected(seconds, &mut requests);
        requests
    }

    /// Exports what was collected last.
    pub(super) fn export_collected(&mut self, seconds: u64, requests: &mut Vec<Request>) {
        let export = self.ledger.begin(time(seconds));
        for (attached, snapshot) in self.snapshots.iter() {
            self.ledger.record(&attached, snapshot, true);
        }
        self.requests.begin(export);
        self.ledger.finish(&mut self.requests);
        self.requests.finish(requests);
    }

    /// Collects every attached source.
    pub(super) fn collect(&mut self) {
        self.snapshots.refresh(&self.registry, true);
    }

    /// Ends an export: all of its requests have this outcome, or none. Returns how many series are
    /// given up.
    pub(super) fn conclude(&mut self, requests: &[Request], is_taken: Option<bool>) -> usize {
        if let Some(is_taken) = is_taken {
            requests.iter().for_each(|request| self.ledger.settle(request.id, is_taken));
        }
        self.ledger.export_is_over()
    }
}

/// A rig with one source, attached at 1 s, of which one histogram is exported.
pub(super) struct HistogramRig {
    pub(super) rig: Rig,
    pub(super) attached: Arc<Attached>,
    pub(super) source: Arc<TestSource>,
}

impl HistogramRig {
    pub(super) fn new(temporality: Temporality) -> Self {
        Self::with_options(temporality, HistogramOptions::default())
    }

    pub(super) fn with_options(temporality: Temporality, options: HistogramOptions) -> Self {
        let rig = Rig::new(temporality, options, Limits::default());
        let source = TestSource::new("timer", 0, &[Row::TimerDelay]);
        let attached = rig.attach(&source, 1);
        Self { rig, attached, source }
    }

    /// Sets what the source has counted.
    pub(super) fn set(&self, histogram: &HistogramSnapshot) {
        self.source.set(|snapshot| snapshot.timer_delay_histogram.clone_from(histogram));
    }

    /// An export of these counts.
    pub(super) fn export(&mut self, seconds: u64, histogram: &HistogramSnapshot) -> Vec<Request> {
        self.set(histogram);
        self.rig.export(seconds)
    }

    /// An export of these counts that is taken.
    pub(super) fn delivered(&mut self, seconds: u64, histogram: &HistogramSnapshot) -> Vec<Request> {
        let requests = self.export(seconds, histogram);
        self.rig.conclude(&requests, Some(true));
        requests
    }

    pub(super) fn detach(&mut self, seconds: u64) {
        let attached = self.attached.clone();
        self.rig.detach(&attached, seconds);
    }
}
