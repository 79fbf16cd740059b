//! The destinations of an instrumentation: where pipelines lead, and what each has received.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use opentelemetry::otel_warn;
use opentelemetry_sdk::metrics::Temporality;

use super::config::Headers;
use super::outbox::Outbox;
use super::pipeline::PipelineReport;
use super::wire::Limits;
use crate::lock::lock;
use crate::options::HistogramOptions;
use crate::source::{Attached, Last};
use crate::stall::StallRecord;

/// Where the pipelines of an instrumentation lead. A pipeline that is rebuilt finds what its
/// receiver has already.
#[derive(Default)]
pub(crate) struct Destinations {
    outboxes: Mutex<Vec<(u64, Arc<Outbox>)>>,
    reports: Mutex<Vec<Arc<PipelineReport>>>,
}

/// What makes a destination: a hash, since the address and the headers may hold secrets.
pub(super) fn key(address: &str, headers: &Headers, temporality: Temporality) -> u64 {
    let mut hasher = DefaultHasher::new();
    address.hash(&mut hasher);
    for (name, value) in headers.map() {
        (name.as_str(), value.as_bytes()).hash(&mut hasher);
    }
    std::mem::discriminant(&temporality).hash(&mut hasher);
    hasher.finish()
}

impl Destinations {
    /// The outbox of a destination, for one pipeline.
    ///
    /// A second pipeline to a destination that is in use has an outbox of its own: the receiver
    /// counts everything twice, which is reported.
    pub(super) fn outbox(
        &self,
        key: u64,
        temporality: Temporality,
        options: &HistogramOptions,
        limits: Limits,
    ) -> Arc<Outbox> {
        let mut outboxes = lock(&self.outboxes);
        let known = || outboxes.iter().filter(|(known, _)| *known == key).map(|(_, outbox)| outbox);
        if let Some(free) = known().find(|outbox| outbox.take()) {
            free.set_limits(limits);
            return free.clone();
        }
        if known().next().is_some() {
            otel_warn!(
                name: "WorkerMetrics.ExportedTwice",
                message = "This instrumentation exports by OTLP to the same destination twice, which counts everything twice: keep one \
                           of the two, or shut the first one down before the second is made."
            );
        }
        let outbox = Arc::new(Outbox::new(temporality, options.clone(), limits));
        outbox.take();
        outboxes.push((key, outbox.clone()));
        outbox
    }

    /// Hands over the last values of a source that was detached.
    pub(crate) fn end(&self, last: &Last, with_numbers: bool) {
        let now = SystemTime::now();
        self.outboxes().iter().for_each(|outbox| outbox.end(last, with_numbers, now));
    }

    /// Ends the series of a source that panicked when it was asked for its last values, or before.
    pub(crate) fn end_without_values(&self, attached: &Attached) {
        self.outboxes().iter().for_each(|outbox| outbox.end_without_values(attached));
    }

    fn outboxes(&self) -> Vec<Arc<Outbox>> {
        lock(&self.outboxes).iter().map(|(_, outbox)| outbox.clone()).collect()
    }

    pub(super) fn add_report(&self, report: &Arc<PipelineReport>) {
        let mut reports = lock(&self.reports);
        reports.retain(|report| report.is_open());
        reports.push(report.clone());
    }

    /// Sends a stall to every receiver, and returns at once.
    pub(crate) fn send_event(&self, record: &StallRecord) {
        self.reports().iter().for_each(|report| report.send_event(record));
    }

    /// The pipelines that there are.
    pub(crate) fn reports(&self) -> Vec<Arc<PipelineReport>> {
        lock(&self.reports).iter().filter(|report| report.is_open()).cloned().collect()
    }

    /// Whether there is a pipeline.
    pub(crate) fn is_any(&self) -> bool {
        !self.reports().is_empty()
    }
}
