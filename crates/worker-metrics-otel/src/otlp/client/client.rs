//! The client of one destination.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use opentelemetry::otel_warn;
use tokio::time::{Instant, timeout_at};

use super::diagnosis::diagnose;
use super::retry::{Failure, Pauses, asked_for};
use super::transport::{Answer, Outgoing};
use super::{Cause, ExportError, Signal, later};
use crate::lock::lock;
use crate::otlp::config::{Compression, Headers, Protocol, RetryPolicy};
use crate::otlp::connection::Connection;

/// The `User-Agent` of every request.
pub(super) const USER_AGENT: &str = concat!("worker-metrics-otel/", env!("CARGO_PKG_VERSION"));

/// Changes the headers of each request before it is sent.
pub(in crate::otlp) type ChangeHeaders = dyn Fn(&mut HeaderMap) + Send + Sync;

/// The client of one destination. Used on its own network thread.
pub(in crate::otlp) struct Client {
    pub(in crate::otlp) connection: Connection,
    pub(in crate::otlp) headers: Headers,
    pub(in crate::otlp) change_headers: Option<Box<ChangeHeaders>>,
    pub(in crate::otlp) compression: Compression,
    pub(in crate::otlp) retry: RetryPolicy,
    /// The end of a wait that the receiver has asked for: it outlives an export.
    pub(in crate::otlp) not_before: Mutex<Option<Instant>>,
    pub(in crate::otlp) has_warned_of_foreign_answer: AtomicBool,
}

impl Client {
    /// Scheme, host and port of the receiver.
    pub(in crate::otlp) fn address(&self) -> String {
        match (&self.connection.endpoint, &self.connection.transport.unusable) {
            (Some(endpoint), _) => endpoint.to_string(),
            (None, Some(_)) => "the address of the environment".to_owned(),
            (None, None) => "the channel of the program".to_owned(),
        }
    }

    pub(in crate::otlp) fn protocol(&self) -> Option<Protocol> {
        self.connection.transport.protocol()
    }

    pub(in crate::otlp) fn error(&self, cause: Cause) -> ExportError {
        ExportError { address: self.address(), protocol: self.protocol(), cause }
    }

    /// Sends one encoded `ExportMetricsServiceRequest` or `ExportLogsServiceRequest`, and sends it
    /// again where that may help, until the deadline. A wait that the receiver asked for is kept,
    /// or is an error if it lasts longer.
    pub(in crate::otlp) async fn send(
        &self,
        signal: Signal,
        body: Bytes,
        deadline: Instant,
    ) -> Result<(), ExportError> {
        if let Some(wait) = self.wait() {
            if later(wait) >= deadline {
                return Err(self.error(Cause::Throttled { wait }));
            }
            tokio::time::sleep(wait).await;
        }
        let begun = Instant::now();
        let mut pauses = Pauses::new(self.retry);
        let mut before = None;
        loop {
            let outgoing = self.outgoing(signal, body.clone());
            let Failure { cause, again } =
                match timeout_at(deadline, self.connection.transport.send(&outgoing)).await {
                    Ok(Ok(answer)) => {
                        self.report(answer);
                        return Ok(());
                    }
                    Ok(Err(failure)) => failure,
                    Err(_) => {
                        self.connection.transport.reconnect();
                        // What was answered before says more than that the last attempt was cut
                        // short.
                        let timeout = deadline.saturating_duration_since(begun);
                        return Err(self.error(before.unwrap_or(Cause::Timeout(timeout))));
                    }
                };
            if let Some(wait) = asked_for(again) {
                self.remember(wait);
            }
            let pause = pauses.next(again).filter(|pause| later(*pause) < deadline);
            let Some(pause) = pause else { return Err(self.error(self.diagnosed(cause, deadline).await)) };
            before = Some(cause);
            tokio::time::sleep(pause).await;
        }
    }

    fn outgoing(&self, signal: Signal, body: Bytes) -> Outgoing<'_> {
        let mut headers = self.headers.map().clone();
        if let Some(change) = &self.change_headers {
            change(&mut headers);
        }
        Outgoing { signal, body, headers, secrets: &self.headers, compression: self.compression }
    }

    /// The cause, more exactly where several are possible.
    async fn diagnosed(&self, cause: Cause, deadline: Instant) -> Cause {
        let Connection { endpoint, tls, .. } = &self.connection;
        let Some(endpoint) = endpoint.as_ref().filter(|_| cause.is_ambiguous()) else { return cause };
        let diagnosis = diagnose(endpoint, tls.as_ref(), self.protocol());
        timeout_at(deadline, diagnosis).await.ok().flatten().unwrap_or(cause)
    }

    /// The rest of the wait that the receiver has asked for.
    fn wait(&self) -> Option<Duration> {
        let not_before = lock(&self.not_before);
        (*not_before)?.checked_duration_since(Instant::now()).filter(|wait| !wait.is_zero())
    }

    fn remember(&self, wait: Duration) {
        *lock(&self.not_before) = Some(later(wait));
    }

    /// Reports what a receiver says of a request that it took.
    fn report(&self, answer: Answer) {
        let Answer { rejected, message: reason, foreign } = answer;
        if rejected != 0 || !reason.is_empty() {
            otel_warn!(
                name: "WorkerMetrics.PartialSuccess",
                address = self.address(),
                rejected = rejected.to_string(),
                reason = reason.as_str(),
                message = "The receiver took the request, but not all that it carried. The rest is not sent again."
            );
        }
        if let Some(answer) = foreign
            && !self.has_warned_of_foreign_answer.swap(true, Relaxed)
        {
            otel_warn!(
                name: "WorkerMetrics.ForeignAnswer",
                address = self.address(),
                answer = answer.as_str(),
                message = "The receiver took the request, and its answer is not OTLP: check that it is an OTLP receiver. This is not \
                           said again."
            );
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("address", &self.address())
            .field("protocol", &self.protocol())
            .field("headers", &self.headers)
            .field("compression", &self.compression)
            .finish_non_exhaustive()
    }
}
