//! An outbox with attached sources, at chosen times.

use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::Temporality;

use super::receiver::Receiver;
use super::source::TestSource;
use crate::options::{HistogramOptions, Histograms, Options};
use crate::otlp::outbox::{Export, Outbox};
use crate::otlp::wire::Limits;
use crate::source::{Attached, Registry};

/// An outbox with attached sources, and a receiver of what it sends.
pub(super) struct Destination {
    pub(super) outbox: Arc<Outbox>,
    pub(super) receiver: Receiver,
    registry: Registry,
    options: Options,
    resource: Resource,
}

impl Destination {
    /// Taken by a pipeline. Histograms are those of each worker.
    pub(super) fn new(temporality: Temporality, limits: Limits) -> Self {
        let outbox = Arc::new(Outbox::new(temporality, HistogramOptions::default(), limits));
        assert!(outbox.take());
        Self {
            outbox,
            receiver: Receiver::default(),
            registry: Registry::default(),
            options: Options::default().with_histograms(Histograms::Worker),
            resource: Resource::builder_empty().build(),
        }
    }

    pub(super) fn attach(&self, source: &Arc<TestSource>, time: SystemTime) -> Arc<Attached> {
        self.registry.add(source.clone(), &self.options, time).expect("it is not attached")
    }

    /// As the instrumentation detaches a source.
    pub(super) fn detach(&self, attached: &Arc<Attached>, time: SystemTime) {
        match self.registry.remove(attached) {
            Some(last) => self.outbox.end(&last, true, time),
            None => self.outbox.end_without_values(attached),
        }
    }

    pub(super) fn begin(&self, time: SystemTime) -> Export {
        self.outbox.begin(&self.registry, &self.resource, true, time).expect("none is under way")
    }

    /// Whether an export could begin.
    pub(super) fn is_under_way(&self, time: SystemTime) -> bool {
        self.outbox.begin(&self.registry, &self.resource, true, time).is_none()
    }

    /// An export; `is_taken` says what becomes of each request by its index. Returns the number of
    /// requests.
    pub(super) fn export(&mut self, time: SystemTime, is_taken: impl Fn(usize) -> bool) -> usize {
        let export = self.begin(time);
        for (index, request) in export.requests().iter().enumerate() {
            if is_taken(index) {
                self.receiver.take(request);
            }
            export.settle(request.id, is_taken(index));
        }
        export.requests().len()
    }

    /// The pipeline is dropped, and another one is made.
    pub(super) fn rebuild_pipeline(&self) {
        self.outbox.release();
        assert!(self.outbox.take(), "it is free");
    }
}
