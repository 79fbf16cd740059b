//! OTLP over HTTP, in protobuf.

use std::error::Error;
use std::fmt;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::future::{Either, select};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use hyper_util::client::legacy;
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use prost::Message;
use tokio::sync::oneshot;

use super::endpoint::Endpoint;
use super::error::cause_of;
use super::headers::Headers;
use super::retry::{Again, Failure};
use super::tls::Tls;
use super::{Acknowledged, Compression, SendError};

/// A client, and the URL that it posts to.
#[derive(Clone)]
pub(super) struct Http {
    client: Client,
    endpoint: Endpoint,
}

#[derive(Clone)]
enum Client {
    /// One of the sink's own, which works on its runtime: an attempt that is given up is cut off.
    Own(Arc<dyn HttpClient>),
    /// One of the program's. It may block, or need a runtime, or neither.
    Given(Arc<dyn HttpClient>),
}

impl Http {
    /// A client of its own. It follows no redirect, which would carry the headers, and the secrets in them, to a place that nobody
    /// has set. It has no timeout: the one of the send ends it.
    pub(super) fn connect(endpoint: &Endpoint, tls: Option<Tls>) -> Self {
        let client: Arc<dyn HttpClient> = match tls {
            #[cfg(feature = "tls")]
            Some(tls) => {
                let connector = hyper_rustls::HttpsConnectorBuilder::new()
                    .with_tls_config(tls.into_config())
                    .https_only()
                    .enable_http1()
                    .build();
                Arc::new(HyperClient::new(connector, Duration::MAX, None))
            }
            _ => Arc::new(HyperClient::with_default_connector(Duration::MAX, None)),
        };
        Self { client: Client::Own(client), endpoint: endpoint.clone() }
    }

    pub(super) fn new(client: Arc<dyn HttpClient>, endpoint: &Endpoint) -> Self {
        Self { client: Client::Given(client), endpoint: endpoint.clone() }
    }

    pub(super) fn prepare(
        self,
        request: Bytes,
        headers: Headers,
        compression: Compression,
    ) -> Result<HttpOnce, SendError> {
        let refuse = |cause: &dyn fmt::Display| SendError::Request(cause.to_string());
        let body = compression.compress(request).map_err(|cause| refuse(&cause))?;
        let mut all = headers.0.clone();
        all.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        let user_agent = concat!("worker-metrics-otel/", env!("CARGO_PKG_VERSION"));
        all.entry(USER_AGENT).or_insert(HeaderValue::from_static(user_agent));
        if let Some(encoding) = compression.encoding() {
            all.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        Ok(HttpOnce { http: self, secrets: headers, headers: all, body })
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// A request to a URL.
pub(super) struct HttpOnce {
    http: Http,
    /// The headers that were set, which no message may tell.
    secrets: Headers,
    headers: HeaderMap,
    body: Bytes,
}

impl HttpOnce {
    pub(super) async fn send(&self) -> Result<Acknowledged, Failure> {
        let mut request = Request::new(self.body.clone());
        *request.method_mut() = Method::POST;
        request.uri_mut().clone_from(&self.http.endpoint.uri);
        request.headers_mut().clone_from(&self.headers);
        let response = match &self.http.client {
            Client::Own(client) => client.send_bytes(request).await,
            Client::Given(client) => send_apart(client.clone(), request).await?,
        };
        match response {
            Ok(response) => self.answer(&response),
            Err(cause) => Err(failure(&*cause)),
        }
    }

    fn answer(&self, response: &Response<Bytes>) -> Result<Acknowledged, Failure> {
        let status = response.status();
        if status.is_success() {
            return ExportMetricsServiceResponse::decode(response.body().clone())
                .map(|response| Acknowledged::new(response, &self.secrets))
                .map_err(|_| Failure { error: SendError::Answer, again: Again::Never });
        }
        let again = match status {
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => retry_after(response).map_or(Again::Later, Again::After),
            _ => Again::Never,
        };
        let status = status.to_string();
        let message = self.secrets.redact(&message_of(response));
        let error = match again {
            Again::Never => SendError::Refused { status, message },
            _ => SendError::Unavailable { status, message },
        };
        Err(Failure { error, again })
    }
}

/// Some clients block, and some need a runtime: on a blocking thread of the sink's, both are at home. One that does not block is cut
/// off when the attempt is given up.
async fn send_apart(
    client: Arc<dyn HttpClient>,
    request: Request<Bytes>,
) -> Result<Result<Response<Bytes>, HttpError>, Failure> {
    let (_waiting, given_up) = oneshot::channel::<()>();
    let sending = move || {
        let attempt = select(client.send_bytes(request), given_up);
        match futures_executor::block_on(attempt) {
            Either::Left((response, _)) => Some(response),
            Either::Right(_) => None,
        }
    };
    let stopped = Failure { error: SendError::Stopped, again: Again::Never };
    tokio::task::spawn_blocking(sending).await.ok().flatten().ok_or(stopped)
}

/// Seconds, or a date.
fn retry_after(response: &Response<Bytes>) -> Option<Duration> {
    let wait = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    let until = || httpdate::parse_http_date(wait).ok();
    let from_now = |date: SystemTime| date.duration_since(SystemTime::now()).unwrap_or_default();
    wait.parse().ok().map(Duration::from_secs).or_else(|| until().map(from_now))
}

/// The `google.rpc.Status` that OTLP wants in the body of an error: of it, the message.
#[derive(Clone, PartialEq, Message)]
pub(super) struct RpcStatus {
    #[prost(string, tag = "2")]
    pub(super) message: String,
}

fn message_of(response: &Response<Bytes>) -> String {
    RpcStatus::decode(response.body().clone()).map(|status| status.message).unwrap_or_default()
}

/// Only what was surely not sent is sent again.
fn failure(cause: &(dyn Error + 'static)) -> Failure {
    let told = cause_of(cause);
    if is_before_the_request(cause) {
        Failure { error: SendError::Unreachable(told), again: Again::Later }
    } else {
        Failure { error: SendError::Broken(told), again: Again::Never }
    }
}

fn is_before_the_request(cause: &(dyn Error + 'static)) -> bool {
    let mut next = Some(cause);
    while let Some(error) = next {
        let is_connect = error.downcast_ref::<legacy::Error>().is_some_and(legacy::Error::is_connect);
        let is_refused = error.downcast_ref::<std::io::Error>().is_some_and(|error| {
            matches!(
                error.kind(),
                ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable
            )
        });
        if is_connect || is_refused {
            return true;
        }
        next = error.source();
    }
    false
}
