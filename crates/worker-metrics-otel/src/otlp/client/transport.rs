//! The transports that are compiled in, and which of them a receiver speaks.

use std::sync::OnceLock;

use bytes::Bytes;
use http::HeaderMap;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;

#[cfg(feature = "grpc-tonic")]
use super::Grpc;
use super::retry::Failure;
use super::{Cause, Http, Signal};
use crate::otlp::config::{Compression, Headers, Protocol};

/// The answer of a receiver that took a request.
#[derive(Debug, Default)]
pub(in crate::otlp) struct Answer {
    /// The number of points that it rejected all the same.
    pub(in crate::otlp) rejected: i64,
    /// What it says of them, without the values of the headers.
    pub(in crate::otlp) message: String,
    /// What the answer is, if it is not OTLP.
    pub(in crate::otlp) foreign: Option<String>,
}

impl Answer {
    /// An answer of OTLP, which has the same fields for metrics and for logs: it may report a
    /// partial success, and decides nothing.
    pub(super) fn of(response: ExportMetricsServiceResponse, secrets: &Headers) -> Self {
        let partial = response.partial_success.unwrap_or_default();
        let message = secrets.redact(&partial.error_message);
        Self { rejected: partial.rejected_data_points, message, foreign: None }
    }

    /// One that is not OTLP.
    pub(super) fn foreign(what: String) -> Self {
        Self { foreign: Some(what), ..Self::default() }
    }
}

/// A request that is ready to be sent, as often as need be.
pub(super) struct Outgoing<'a> {
    pub(super) signal: Signal,
    pub(super) body: Bytes,
    pub(super) headers: HeaderMap,
    /// The headers that were set, whose values no message may show.
    pub(super) secrets: &'a Headers,
    pub(super) compression: Compression,
}

/// How requests travel. Where nothing says which protocol a receiver speaks, HTTP is tried first,
/// and whichever it speaks is kept.
#[derive(Default)]
pub(in crate::otlp) struct Transport {
    pub(in crate::otlp) http: Option<Http>,
    pub(in crate::otlp) grpc: Option<Grpc>,
    /// Why nothing can be sent to the address that the environment names: the program starts all
    /// the same.
    pub(in crate::otlp) unusable: Option<String>,
    /// The protocol, once there is no choice.
    pub(in crate::otlp) settled: OnceLock<Protocol>,
}

impl Transport {
    /// The protocol, if it is settled.
    pub(in crate::otlp) fn protocol(&self) -> Option<Protocol> {
        self.settled.get().copied()
    }

    /// One attempt.
    pub(super) async fn send(&self, outgoing: &Outgoing<'_>) -> Result<Answer, Failure> {
        match (self.protocol(), &self.http, &self.grpc) {
            (Some(Protocol::Grpc), _, Some(grpc)) => grpc.send(outgoing).await,
            (Some(Protocol::HttpProtobuf), Some(http), _) => http.send(outgoing).await,
            (_, Some(http), Some(grpc)) => self.settle(http, grpc, outgoing).await,
            _ => Err(Failure::for_good(Cause::Request(self.unusable.clone().unwrap_or_default()))),
        }
    }

    /// Connects anew next time: the connection may be dead. Of HTTP, a request that is given up
    /// closes its connection.
    pub(super) fn reconnect(&self) {
        self.grpc.iter().for_each(Grpc::reconnect);
    }

    /// Tries HTTP, and gRPC if what answers is no OTLP over HTTP.
    async fn settle(&self, http: &Http, grpc: &Grpc, outgoing: &Outgoing<'_>) -> Result<Answer, Failure> {
        let over_http = http.send(outgoing).await;
        match &over_http {
            Ok(_) => drop(self.settled.set(Protocol::HttpProtobuf)),
            Err(failure) if may_be_grpc(&failure.cause) => {
                let over_grpc = grpc.send(outgoing).await;
                // A status is an answer of gRPC; anything else is not.
                if over_grpc.as_ref().map_or_else(|failure| failure.cause.is_of_the_receiver(), |_| true) {
                    let _ = self.settled.set(Protocol::Grpc);
                    return over_grpc;
                }
            }
            Err(_) => {}
        }
        over_http
    }
}

/// Whether a receiver that answers an HTTP request like this may speak gRPC.
fn may_be_grpc(cause: &Cause) -> bool {
    match cause {
        Cause::Broken(_) | Cause::WrongProtocol | Cause::Handshake(_) | Cause::TlsWanted => true,
        Cause::Refused { status, .. } => {
            ["400", "404", "405", "415", "426", "464", "505"].iter().any(|code| status.starts_with(code))
        }
        _ => false,
    }
}

/// What is not compiled in.
#[cfg(not(feature = "grpc-tonic"))]
pub(in crate::otlp) enum Grpc {}

#[cfg(not(feature = "grpc-tonic"))]
impl Grpc {
    pub(super) async fn send(&self, _: &Outgoing<'_>) -> Result<Answer, Failure> {
        match *self {}
    }

    fn reconnect(&self) {
        match *self {}
    }
}
