//! OTLP over HTTP, in protobuf.

use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use prost::Message;

use super::endpoint::Endpoint;
use super::error::{shortened, system_cause};
use super::headers::Headers;
use super::retry::{Again, Failure};
use super::transport::acknowledged;
use super::{Acknowledged, Compression, SendError, SinkError};

/// A client, and the URL that it posts to.
#[derive(Clone)]
pub(super) struct Http {
    client: Arc<dyn HttpClient>,
    endpoint: Endpoint,
}

impl Http {
    /// A client of its own, which ends each attempt after `timeout`.
    pub(super) fn connect(endpoint: &Endpoint, timeout: Duration) -> Result<Self, SinkError> {
        // A blocking client must not be made where a runtime is entered.
        let client = thread::spawn(move || reqwest::blocking::Client::builder().timeout(timeout).build())
            .join()
            .map_err(|_| SinkError::Transport("the HTTP client panicked while it was made".into()))?
            .map_err(|cause| SinkError::Transport(cause.into()))?;
        Ok(Self::new(Arc::new(client), endpoint))
    }

    pub(super) fn new(client: Arc<dyn HttpClient>, endpoint: &Endpoint) -> Self {
        Self { client, endpoint: endpoint.clone() }
    }

    pub(super) fn prepare(
        self,
        request: &ExportMetricsServiceRequest,
        headers: &Headers,
        compression: Compression,
    ) -> Result<HttpOnce, SendError> {
        let refuse = |cause: &dyn fmt::Display| SendError::Request(cause.to_string());
        let body = compression.compress(request.encode_to_vec()).map_err(|cause| refuse(&cause))?;
        let mut all = headers.0.clone();
        all.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        let user_agent = concat!("worker-metrics-otel/", env!("CARGO_PKG_VERSION"));
        all.entry(USER_AGENT).or_insert(HeaderValue::from_static(user_agent));
        if let Some(encoding) = compression.encoding() {
            all.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        Ok(HttpOnce { http: self, headers: all, body: body.into() })
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
    headers: HeaderMap,
    body: Bytes,
}

impl HttpOnce {
    /// Some clients block, and some need a runtime: on a blocking thread of the sink's, both are at home.
    pub(super) async fn send(&self) -> Result<Acknowledged, Failure> {
        let mut request = Request::new(self.body.clone());
        *request.method_mut() = Method::POST;
        request.uri_mut().clone_from(&self.http.endpoint.uri);
        request.headers_mut().clone_from(&self.headers);
        let client = self.http.client.clone();
        let sending = move || futures_executor::block_on(client.send_bytes(request));
        match tokio::task::spawn_blocking(sending).await {
            Ok(Ok(response)) => answer(&response),
            Ok(Err(cause)) => Err(unreachable(&cause)),
            Err(_) => Err(Failure { error: SendError::Stopped, again: Again::Never }),
        }
    }
}

fn answer(response: &Response<Bytes>) -> Result<Acknowledged, Failure> {
    let status = response.status();
    if status.is_success() {
        return ExportMetricsServiceResponse::decode(response.body().clone())
            .map(acknowledged)
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
    let message = message_of(response.body());
    let error = match again {
        Again::Never => SendError::Refused { status, message },
        _ => SendError::Unavailable { status, message },
    };
    Err(Failure { error, again })
}

/// Seconds; a date is not worth a parser of its own, and means some time later.
fn retry_after(response: &Response<Bytes>) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The `google.rpc.Status` that OTLP wants in the body of an error: of it, the message.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(string, tag = "2")]
    message: String,
}

fn message_of(body: &Bytes) -> String {
    RpcStatus::decode(body.clone()).map(|status| shortened(&status.message)).unwrap_or_default()
}

fn unreachable(cause: &HttpError) -> Failure {
    Failure { error: SendError::Unreachable(system_cause(&**cause)), again: Again::Later }
}
