//! A pipeline: from the attached sources to one receiver.
//!
//! Driven by a push or by the program's reader. What an export takes is bounded by one deadline.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::{BufMut, Bytes, BytesMut};
use opentelemetry::otel_warn;
use opentelemetry_sdk::Resource;
use tokio::time::Instant;

use super::client::{Cause, Client, ExportError, NetworkThread, Signal, named};
use super::events::Events;
use super::outbox::{Export, Outbox};
use crate::lock::lock;
use crate::numbers_route::NumbersRoute;
use crate::source::Registry;
use crate::stall::StallRecord;
use crate::status::OtlpStatus;

/// From the attached sources to one receiver.
pub(super) struct Pipeline {
    /// It keeps no source: only what is attached is in it.
    pub(super) registry: Arc<Registry>,
    pub(super) numbers: Arc<NumbersRoute>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) client: Arc<Client>,
    pub(super) events: Arc<Events>,
    pub(super) network: NetworkThread,
    pub(super) timeout: Duration,
    pub(super) report: Arc<PipelineReport>,
}

/// What has become of the exports of one pipeline.
pub(crate) struct PipelineReport {
    client: Arc<Client>,
    outbox: Arc<Outbox>,
    events: Arc<Events>,
    /// The interval of a push; an exporter is driven by a reader.
    interval: Option<Duration>,
    made_at: std::time::Instant,
    is_open: AtomicBool,
    exports: Mutex<Exports>,
}

/// The exports of one pipeline.
#[derive(Default)]
struct Exports {
    taken: u64,
    failed: u64,
    last_taken: Option<std::time::Instant>,
    last_error: Option<ExportError>,
    warned_at: Option<std::time::Instant>,
}

/// Time between two warnings of failed exports.
const WARNING_PAUSE: Duration = Duration::from_secs(60);

/// Most bytes of a request that carries what the SDK collected and ours.
const MOST_TOGETHER: usize = 1_000_000;

impl Pipeline {
    /// Collects what there is to send.
    pub(super) fn collect(&self, resource: &Resource) -> Option<Export> {
        self.events.remember(resource);
        self.outbox.begin(&self.registry, resource, self.numbers.for_otlp(), SystemTime::now())
    }

    /// Sends an export, and before it `foreign`, an encoded request of the SDK's metrics: in one
    /// request where both fit.
    ///
    /// Returns what became of the SDK's metrics, or of ours if there are none of the SDK's: what is
    /// wrong with ours must not fail the program's own.
    pub(super) fn send(
        &self,
        foreign: Option<Bytes>,
        export: Option<Export>,
        deadline: Instant,
    ) -> impl Future<Output = Result<(), ExportError>> + Send + use<> {
        let (client, report) = (self.client.clone(), self.report.clone());
        async move {
            let Sent { foreign, own } = send(&client, foreign, export, deadline).await;
            let failure_of_foreign = foreign.as_ref().and_then(|foreign| foreign.as_ref().err());
            report.note(own.as_ref().err().or(failure_of_foreign));
            // Whatever is returned to a reader is logged by the SDK.
            let is_returned = foreign.is_none() && report.interval.is_none();
            if let Err(error) = &own
                && failure_of_foreign.is_none()
                && !is_returned
            {
                report.warn(error);
            }
            foreign.unwrap_or(own)
        }
    }

    pub(super) fn error(&self, cause: Cause) -> ExportError {
        self.client.error(cause)
    }

    /// Ends the pipeline: the next one to the same destination goes on where it has ended.
    pub(super) fn close(&self) {
        if self.report.is_open.swap(false, Relaxed) {
            self.outbox.release();
        }
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.close();
    }
}

/// What became of an export.
struct Sent {
    /// Of what the SDK collected, if there was any.
    foreign: Option<Result<(), ExportError>>,
    /// Of ours.
    own: Result<(), ExportError>,
}

async fn send(client: &Client, foreign: Option<Bytes>, export: Option<Export>, deadline: Instant) -> Sent {
    let mut requests = export.iter().flat_map(Export::requests);
    let settle = |id, outcome: &Result<(), ExportError>| {
        if let Some(export) = &export {
            export.settle(id, outcome.is_ok());
        }
    };
    let mut own = Ok(());
    let mut of_foreign = None;
    if let Some(foreign) = foreign {
        let together = requests.clone().next().filter(|own| foreign.len() + own.body.len() <= MOST_TOGETHER);
        let mut sent = match together {
            None => client.send(Signal::Metrics, foreign.clone(), deadline).await,
            Some(first) => {
                requests.next();
                // Two encoded requests, one after the other, are one: the field repeats.
                let mut both = BytesMut::with_capacity(foreign.len() + first.body.len());
                both.put_slice(&foreign);
                both.put_slice(&first.body);
                own = client.send(Signal::Metrics, both.freeze(), deadline).await;
                settle(first.id, &own);
                own.clone()
            }
        };
        // What a receiver has against ours must not cost the program its own.
        let is_refused = sent.as_ref().is_err_and(|error| error.cause.is_about_the_contents());
        if is_refused && together.is_some() {
            sent = client.send(Signal::Metrics, foreign, deadline).await;
        }
        let is_over = sent.as_ref().is_err_and(|error| error.cause.is_about_the_connection());
        if is_over && own.is_ok() {
            own.clone_from(&sent);
        }
        of_foreign = Some(sent);
        if is_over {
            return Sent { foreign: of_foreign, own };
        }
    }
    for request in requests {
        let sent = client.send(Signal::Metrics, request.body.clone(), deadline).await;
        settle(request.id, &sent);
        if let Err(error) = sent {
            let is_over = error.cause.is_about_the_connection();
            own = Err(error);
            if is_over {
                break;
            }
        }
    }
    Sent { foreign: of_foreign, own }
}

impl PipelineReport {
    pub(super) fn new(
        client: &Arc<Client>,
        outbox: &Arc<Outbox>,
        events: &Arc<Events>,
        interval: Option<Duration>,
    ) -> Self {
        Self {
            client: client.clone(),
            outbox: outbox.clone(),
            events: events.clone(),
            interval,
            made_at: std::time::Instant::now(),
            is_open: AtomicBool::new(true),
            exports: Mutex::default(),
        }
    }

    fn note(&self, error: Option<&ExportError>) {
        let mut exports = lock(&self.exports);
        match error {
            None => {
                exports.taken += 1;
                exports.last_taken = Some(std::time::Instant::now());
                exports.last_error = None;
            }
            Some(error) => {
                exports.failed += 1;
                exports.last_error = Some(error.clone());
            }
        }
    }

    /// Logs a failure: the first one, and then one a minute at most.
    fn warn(&self, error: &ExportError) {
        let mut exports = lock(&self.exports);
        let now = std::time::Instant::now();
        if exports.warned_at.is_some_and(|at| now.saturating_duration_since(at) < WARNING_PAUSE) {
            return;
        }
        exports.warned_at = Some(now);
        let failed = exports.failed;
        drop(exports);
        otel_warn!(
            name: "WorkerMetrics.ExportFailed",
            failed = failed.to_string(),
            message = format!("Worker metrics are not exported to {error}")
        );
    }

    /// Sends a stall to the receiver, and returns at once.
    pub(super) fn send_event(&self, record: &StallRecord) {
        self.events.send(record);
    }

    /// Whether the pipeline is still there.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open.load(Relaxed)
    }

    /// What has become of the exports.
    pub(crate) fn status(&self, now: std::time::Instant) -> OtlpStatus {
        let exports = lock(&self.exports);
        let since = |at: std::time::Instant| now.saturating_duration_since(at);
        OtlpStatus {
            destination: self.destination(),
            interval: self.interval,
            age: since(self.made_at),
            taken: exports.taken,
            failed: exports.failed,
            last_taken: exports.last_taken.map(since),
            last_error: exports.last_error.as_ref().map(ExportError::to_string),
            lost_series: self.outbox.given_up(),
        }
    }

    /// Address and protocol, for a person to read.
    pub(super) fn destination(&self) -> String {
        format!("{} ({})", self.client.address(), named(self.client.protocol()))
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline")
            .field("client", &self.client)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
