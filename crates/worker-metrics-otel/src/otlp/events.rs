//! Stalls on their way to one receiver, as log records.
//!
//! Sent as they come, beside the exports. The watchdog never waits for them.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::otel_warn;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_sdk::Resource;
use prost::Message;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::client::{Cause, Client, ExportError, NetworkThread, Signal, later};
use super::config::OtlpResource;
use crate::lock::lock;
use crate::scope::scope;
use crate::stall::StallRecord;

/// Sends stalls to one receiver.
pub(super) struct Events {
    client: Arc<Client>,
    runtime: Handle,
    /// The process that has the runtime: a child of `fork` has not.
    process: u32,
    timeout: Duration,
    /// That of the last export; `None` until there was one.
    resource: Mutex<Option<Resource>>,
    places: Arc<Semaphore>,
    /// Whether the receiver takes no logs: nothing is sent to it any more.
    is_refused: Arc<AtomicBool>,
}

/// Records on their way at once, at most: what a receiver does not take in time is dropped. The
/// watchdog reports 10 a minute, ends included.
const MOST_UNDER_WAY: u32 = 16;

impl Events {
    pub(super) fn new(client: Arc<Client>, network: &NetworkThread, timeout: Duration) -> Self {
        Self {
            client,
            runtime: network.runtime().clone(),
            process: std::process::id(),
            timeout,
            resource: Mutex::default(),
            places: Arc::new(Semaphore::new(MOST_UNDER_WAY as usize)),
            is_refused: Arc::default(),
        }
    }

    /// Takes the resource of an export, which is that of the records as well.
    pub(super) fn remember(&self, resource: &Resource) {
        let mut known = lock(&self.resource);
        if known.as_ref() != Some(resource) {
            *known = Some(resource.clone());
        }
    }

    /// Sends a record, within the timeout of an export. It is not sent again later: the metrics
    /// count the stall all the same.
    pub(super) fn send(&self, record: &StallRecord) {
        if self.is_refused.load(Relaxed) || self.process != std::process::id() {
            return;
        }
        let Ok(place) = self.places.clone().try_acquire_owned() else { return };
        let resource = lock(&self.resource).clone();
        let resource = resource.unwrap_or_else(|| OtlpResource::of_environment().into_resource());
        let body = encode(record, &resource).into();
        let (client, is_refused, deadline) =
            (self.client.clone(), self.is_refused.clone(), later(self.timeout));
        self.runtime.spawn(async move {
            let _place = place;
            if let Err(error) = client.send(Signal::Logs, body, deadline).await {
                let is_for_good = takes_no_logs(&error.cause);
                if !(is_for_good && is_refused.swap(true, Relaxed)) {
                    report(&error, is_for_good);
                }
            }
        });
    }

    /// Waits until every record has gone, or failed, or the deadline has passed.
    pub(super) async fn sent(&self, deadline: Instant) {
        // It is never closed.
        let _ = timeout_at(deadline, self.places.acquire_many(MOST_UNDER_WAY)).await;
    }
}

/// Whether the receiver has no place for logs, or none that is known.
fn takes_no_logs(cause: &Cause) -> bool {
    match cause {
        Cause::Request(_) => true,
        Cause::Refused { status, .. } => ["404", "405", "410", "501", "Unimplemented", "NotFound"]
            .iter()
            .any(|word| status.starts_with(word)),
        _ => false,
    }
}

fn report(error: &ExportError, is_for_good: bool) {
    let consequence = if is_for_good { " None is sent there any more." } else { "" };
    otel_warn!(
        name: "WorkerMetrics.StallNotSent",
        message = format!("A stall was not sent as a log record to {error}.{consequence} The metrics count it all the same.")
    );
}

fn encode(record: &StallRecord, resource: &Resource) -> Vec<u8> {
    let nanos = |at: SystemTime| at.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let at_ns = u64::try_from(nanos(record.at)).unwrap_or(u64::MAX);
    let attribute = |(key, value): &(opentelemetry::Key, opentelemetry::logs::AnyValue)| KeyValue {
        key: key.to_string(),
        value: Some(value.clone().into()),
        ..KeyValue::default()
    };
    let scope = scope();
    let schema_url = |url: Option<&str>| url.unwrap_or_default().to_owned();
    let scope_logs = ScopeLogs {
        schema_url: schema_url(scope.schema_url()),
        scope: Some((&scope, None).into()),
        log_records: vec![LogRecord {
            time_unix_nano: at_ns,
            observed_time_unix_nano: at_ns,
            severity_number: StallRecord::SEVERITY as i32,
            severity_text: StallRecord::SEVERITY.name().to_owned(),
            body: Some(opentelemetry::logs::AnyValue::from(record.body.clone()).into()),
            attributes: record.attributes.iter().map(attribute).collect(),
            event_name: record.event_name.clone(),
            ..LogRecord::default()
        }],
    };
    let resource_logs = ResourceLogs {
        resource: Some(resource.into()),
        scope_logs: vec![scope_logs],
        schema_url: schema_url(resource.schema_url()),
    };
    ExportLogsServiceRequest { resource_logs: vec![resource_logs] }.encode_to_vec()
}
