//! OTLP over HTTP, in protobuf.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use futures_util::future::{Either, select};
use http::header::{
    AsHeaderName, CONTENT_ENCODING, CONTENT_TYPE, PROXY_AUTHORIZATION, RETRY_AFTER, USER_AGENT,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::{self, ResponseFuture};
use hyper_util::rt::TokioExecutor;
use opentelemetry_http::{HttpClient, HttpError, ResponseBodyTooLarge};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use prost::Message;
use tokio::sync::{Semaphore, oneshot};

use super::Cause;
use super::error::cause_of;
use super::proxy::ProxyConnector;
use super::retry::{Again, Failure, is_retryable};
use super::transport::{Answer, Outgoing};
use crate::otlp::config::{Endpoint, Headers, TlsConfig};

/// A client, and the URL that it posts to.
pub(in crate::otlp) struct Http {
    client: Client,
    endpoint: Endpoint,
    /// What a proxy wants to see of a request that is not secured.
    proxy_authorization: Option<HeaderValue>,
}

enum Client {
    /// One of our own: an attempt that is given up is cut off.
    Own(Box<dyn Fn(Request<Full<Bytes>>) -> ResponseFuture + Send + Sync>),
    /// One of the program's. It may block, or need a runtime, or neither.
    Given(Arc<dyn HttpClient>, Arc<Semaphore>),
}

/// Most attempts at once through a client of the program's: what never returns must not keep a
/// request of each export.
const MOST_ATTEMPTS: usize = 2;

/// Most bytes that are read of an answer, and the longest time: the status has said already whether
/// the request was taken.
const MOST_OF_AN_ANSWER: usize = 64 * 1024;
const LONGEST_ANSWER: Duration = Duration::from_millis(500);

/// Why log records cannot be sent.
const NO_PATH_OF_LOGS: &str =
    "the address does not end in /v1/metrics, so that nothing says where the receiver takes logs";

impl Http {
    /// A client of our own, by way of the proxy of the environment. It follows no redirect, which
    /// would carry the headers, and the secrets in them, to a place that nobody has set.
    pub(in crate::otlp) fn connect(endpoint: &Endpoint, tls: Option<&TlsConfig>) -> Self {
        let connector = ProxyConnector::of_environment();
        let proxy_authorization = connector.authorization(endpoint.url());
        let builder = legacy::Client::builder(TokioExecutor::new());
        let client = match tls {
            #[cfg(feature = "tls")]
            Some(tls) => {
                let connector = hyper_rustls::HttpsConnectorBuilder::new()
                    .with_tls_config(tls.http.clone())
                    .https_only()
                    .enable_http1()
                    .wrap_connector(connector);
                let client = builder.build(connector);
                Client::Own(Box::new(move |request| client.request(request)))
            }
            _ => {
                let client = builder.build(connector);
                Client::Own(Box::new(move |request| client.request(request)))
            }
        };
        Self { client, endpoint: endpoint.clone(), proxy_authorization }
    }

    /// A client of the program's.
    pub(in crate::otlp) fn given(client: Arc<dyn HttpClient>, endpoint: &Endpoint) -> Self {
        let attempts = Arc::new(Semaphore::new(MOST_ATTEMPTS));
        Self {
            client: Client::Given(client, attempts),
            endpoint: endpoint.clone(),
            proxy_authorization: None,
        }
    }

    pub(super) async fn send(&self, outgoing: &Outgoing<'_>) -> Result<Answer, Failure> {
        let request = self.request(outgoing).map_err(Failure::for_good)?;
        let secrets = outgoing.secrets;
        match &self.client {
            Client::Own(client) => {
                let response = client(request.map(Full::new)).await.map_err(|cause| failure(&cause))?;
                let (head, body) = response.into_parts();
                answer(head.status, &head.headers, &beginning(body).await, secrets)
            }
            Client::Given(client, attempts) => {
                match send_apart(client.clone(), attempts.clone(), request).await? {
                    Ok(response) => answer(response.status(), response.headers(), response.body(), secrets),
                    // The status is not known. To send it again could count it again, without end.
                    Err(cause) if cause.downcast_ref::<ResponseBodyTooLarge>().is_some() => {
                        Ok(Answer::foreign("very long".to_owned()))
                    }
                    Err(cause) => Err(failure(&*cause)),
                }
            }
        }
    }

    fn request(&self, outgoing: &Outgoing<'_>) -> Result<Request<Bytes>, Cause> {
        let compressed = outgoing.compression.compress(outgoing.body.clone());
        let mut request = Request::new(compressed.map_err(|cause| Cause::Request(cause.to_string()))?);
        *request.method_mut() = Method::POST;
        let nowhere = || Cause::Request(NO_PATH_OF_LOGS.to_owned());
        *request.uri_mut() = self.endpoint.url_of(outgoing.signal).ok_or_else(nowhere)?;
        let headers = request.headers_mut();
        headers.clone_from(&outgoing.headers);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(super::client::USER_AGENT));
        if let Some(authorization) = &self.proxy_authorization {
            headers.insert(PROXY_AUTHORIZATION, authorization.clone());
        }
        if let Some(encoding) = outgoing.compression.encoding() {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        Ok(request)
    }
}

/// The beginning of the body of an answer.
async fn beginning(mut body: Incoming) -> Bytes {
    let mut read = BytesMut::new();
    let reading = async {
        while let Some(Ok(frame)) = body.frame().await {
            if let Ok(data) = frame.into_data() {
                read.extend_from_slice(&data);
            }
            if read.len() >= MOST_OF_AN_ANSWER {
                break;
            }
        }
    };
    // What was read until then is enough.
    let _ = tokio::time::timeout(LONGEST_ANSWER, reading).await;
    read.freeze()
}

/// What a status means: a success is taken, whatever the body holds.
fn answer(
    status: StatusCode,
    headers: &HeaderMap,
    body: &Bytes,
    secrets: &Headers,
) -> Result<Answer, Failure> {
    if let Some(code) = grpc_status(headers).filter(|code| *code != 0) {
        return Err(refused_by_grpc(code, headers, secrets));
    }
    if status.is_success() {
        return Ok(read(headers, body, secrets));
    }
    let again = match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            retry_after(headers).map_or(Again::Later, Again::After)
        }
        StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => Again::Later,
        _ => Again::Never,
    };
    Err(Failure::of_status(status.to_string(), secrets.redact(&message_of(headers, body)), again))
}

/// Reads the body of a success: it may report a partial success, and decides nothing.
fn read(headers: &HeaderMap, body: &Bytes, secrets: &Headers) -> Answer {
    let content_type = text_of(headers, CONTENT_TYPE).unwrap_or_default();
    let is_json = content_type.starts_with("application/json");
    if body.is_empty() || is_json || headers.contains_key(CONTENT_ENCODING) {
        return Answer::default();
    }
    match ExportMetricsServiceResponse::decode(body.clone()) {
        Ok(response) => Answer::of(response, secrets),
        Err(_) => Answer::foreign(content_type.chars().take(64).collect()),
    }
}

fn text_of(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// A status of gRPC in the headers: a proxy, or a server that takes both protocols, may answer with
/// it.
fn grpc_status(headers: &HeaderMap) -> Option<u32> {
    text_of(headers, "grpc-status")?.parse().ok()
}

fn refused_by_grpc(code: u32, headers: &HeaderMap, secrets: &Headers) -> Failure {
    let message = text_of(headers, "grpc-message").unwrap_or_default();
    let again = if is_retryable(code) { Again::Later } else { Again::Never };
    Failure::of_status(format!("grpc-status {code}"), secrets.redact(message), again)
}

/// Some clients block, and some need a runtime: on a blocking thread of ours both are at home. One
/// that does not block is cut off when the attempt is given up; one that does keeps its place until
/// it returns.
async fn send_apart(
    client: Arc<dyn HttpClient>,
    attempts: Arc<Semaphore>,
    request: Request<Bytes>,
) -> Result<Result<Response<Bytes>, HttpError>, Failure> {
    const BUSY: &str = "the HTTP client that was given has not returned from earlier requests";
    let busy = |_| Failure::for_good(Cause::Request(BUSY.to_owned()));
    let place = attempts.try_acquire_owned().map_err(busy)?;
    let (_waiting, given_up) = oneshot::channel::<()>();
    let sending = move || {
        let _place = place;
        let attempt = select(client.send_bytes(request), given_up);
        match futures_executor::block_on(attempt) {
            Either::Left((response, _)) => Some(response),
            Either::Right(_) => None,
        }
    };
    let stopped = Failure::for_good(Cause::Stopped);
    tokio::task::spawn_blocking(sending).await.ok().flatten().ok_or(stopped)
}

/// Seconds, or a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let wait = text_of(headers, RETRY_AFTER)?;
    let until = || httpdate::parse_http_date(wait).ok();
    let from_now = |date: SystemTime| date.duration_since(SystemTime::now()).unwrap_or_default();
    wait.parse().ok().map(Duration::from_secs).or_else(|| until().map(from_now))
}

/// The `google.rpc.Status` that OTLP wants in the body of an error: its message.
#[derive(Clone, PartialEq, Message)]
pub(super) struct RpcStatus {
    #[prost(string, tag = "2")]
    pub(super) message: String,
}

/// What a receiver says of an error: as OTLP wants it, or as text.
fn message_of(headers: &HeaderMap, body: &Bytes) -> String {
    let content_type = text_of(headers, CONTENT_TYPE).unwrap_or_default();
    if content_type.starts_with("text/plain") || content_type.starts_with("application/json") {
        let text = String::from_utf8_lossy(body);
        return text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    RpcStatus::decode(body.clone()).map(|status| status.message).unwrap_or_default()
}

/// What a connection that failed means. As in opentelemetry-otlp 0.33 the request is sent again,
/// unless it would fail again.
fn failure(error: &(dyn Error + 'static)) -> Failure {
    let cause = cause_of(error);
    let again = match cause {
        Cause::Unreachable(_) | Cause::Broken(_) | Cause::Timeout(_) => Again::Later,
        _ => Again::Never,
    };
    Failure { cause, again }
}
