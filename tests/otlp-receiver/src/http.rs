//! OTLP/HTTP with protobuf bodies: `POST /v1/metrics` and `POST /v1/logs` over the store.
//! Served by `server`, behind the gate.
//! Never decides on a fault: the gate did.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use prost::Message;
use tonic::Code;

use crate::{
    encoding::{EncodingError, decode},
    fault::PartialSuccess,
    gate::GARBAGE,
    grpc::acknowledgement,
    store::Store,
};

/// The path of the metrics signal, as OTLP fixes it.
pub(crate) const PATH: &str = "/v1/metrics";
/// The path of the logs signal.
const PATH_OF_LOGS: &str = "/v1/logs";

/// The media type of the messages.
pub(crate) const PROTOBUF: &str = "application/x-protobuf";

/// The HTTP server's routes.
pub(crate) fn router(store: Arc<Store>) -> Router {
    // The gate limits bodies already.
    Router::new()
        .route(PATH, post(export))
        .route(PATH_OF_LOGS, post(export_logs))
        .layer(DefaultBodyLimit::disable())
        .with_state(store)
}

async fn export(
    State(store): State<Arc<Store>>,
    Extension(partial_success): Extension<PartialSuccess>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match read::<ExportMetricsServiceRequest>(&headers, &body) {
        Ok(request) => {
            store.accept(request);
            protobuf(StatusCode::OK, acknowledgement(Some(&partial_success)).encode_to_vec())
        }
        Err(refused) => *refused,
    }
}

async fn export_logs(State(store): State<Arc<Store>>, headers: HeaderMap, body: Bytes) -> Response {
    match read::<ExportLogsServiceRequest>(&headers, &body) {
        Ok(request) => {
            store.accept_logs(request);
            protobuf(StatusCode::OK, ExportLogsServiceResponse::default().encode_to_vec())
        }
        Err(refused) => *refused,
    }
}

/// The message of a request, or the refusal of one that is none.
fn read<M: Message + Default>(headers: &HeaderMap, body: &Bytes) -> Result<M, Box<Response>> {
    let refusal = |status, code, message: &str| Err(Box::new(refusal(status, code, message, None)));
    if !is_protobuf(headers.get(header::CONTENT_TYPE)) {
        let message = "the content type is not accepted; send application/x-protobuf";
        return refusal(415, Code::InvalidArgument, message);
    }
    let encoding = match headers.get(header::CONTENT_ENCODING).map(HeaderValue::to_str).transpose() {
        Ok(encoding) => encoding,
        Err(_) => Some("not even text"),
    };
    let decoded = match decode(encoding, body) {
        Ok(decoded) => decoded,
        Err(EncodingError::Unsupported) => {
            let message = "the content encoding is not accepted; send gzip, zstd or none";
            return refusal(415, Code::InvalidArgument, message);
        }
        Err(EncodingError::Broken) => {
            let message = "the body is not what its content encoding says; compress it anew";
            return refusal(400, Code::InvalidArgument, message);
        }
        Err(EncodingError::TooLarge) => {
            let message = "the body is too large; send fewer points at once";
            return refusal(413, Code::ResourceExhausted, message);
        }
    };
    M::decode(&*decoded).or_else(|error| {
        refusal(400, Code::InvalidArgument, &format!("the body is no {}: {error}", name_of::<M>()))
    })
}

fn name_of<M>() -> &'static str {
    std::any::type_name::<M>().rsplit("::").next().unwrap_or_default()
}

/// A status with a `google.rpc.Status` as its body.
pub(crate) fn refusal(status: u16, code: Code, message: &str, retry_after: Option<Duration>) -> Response {
    let body = tonic_types::Status { code: code.into(), message: message.to_owned(), details: Vec::new() };
    let status = StatusCode::from_u16(status).ok().filter(|status| !status.is_informational());
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = protobuf(status, body.encode_to_vec());
    if let Some(delay) = retry_after {
        let seconds = delay.as_secs().saturating_add(u64::from(delay.subsec_nanos() > 0));
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// A success whose body is no protobuf.
pub(crate) fn garbage() -> Response {
    protobuf(StatusCode::OK, GARBAGE.to_vec())
}

fn protobuf(status: StatusCode, body: Vec<u8>) -> Response {
    (status, [(header::CONTENT_TYPE, PROTOBUF)], body).into_response()
}

/// Whether a content type is protobuf, with or without parameters.
fn is_protobuf(content_type: Option<&HeaderValue>) -> bool {
    content_type
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case(PROTOBUF))
}
