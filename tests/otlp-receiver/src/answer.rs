//! An answer made by hand.
//! Set by tests as `Fault::Answer`; sent by the gate in place of the server's own.
//! Never checked against OTLP: that it may be wrong is what it is for.

use std::{convert::Infallible, io::Write};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    response::Response,
};
use flate2::{Compression, write::GzEncoder};
use http_body_util::{BodyExt, Full};
use tonic::{Code, Status};

/// An answer of any status, headers, body and trailers.
///
/// Over HTTP/1.1, trailers are sent only if the peer asked for them (`te: trailers`) and the header
/// `trailer` names them. An answer that HTTP cannot carry becomes a bare 500, and counts as one: a
/// status that is not within `200..=999`, a name or a value that no header can have.
///
/// # Examples
///
/// ```rust
/// use otlp_receiver::{Answer, Code, Fault};
///
/// // Taken, and acknowledged by something else than protobuf.
/// let json = Answer::new(200).header("content-type", "application/json").body("{}");
/// assert!(json.is_acceptance());
/// // Refused by a gRPC server behind a status of 200.
/// let refused = Answer::trailers_only(Code::Unavailable, "try later");
/// assert!(!refused.is_acceptance());
/// let fault = Fault::Answer(json.header("retry-after", "soon"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    trailers: Vec<(String, Vec<u8>)>,
}

impl Answer {
    /// An answer of this HTTP status, without headers and body.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), trailers: Vec::new() }
    }

    /// A page of HTML with this HTTP status, as a proxy or a load balancer answers.
    #[must_use]
    pub fn html(status: u16) -> Self {
        let page = format!("<html><body><h1>{status}</h1></body></html>\n");
        Self::new(status).header("content-type", "text/html").body(page)
    }

    /// A gRPC status in the headers of a 200 without a body.
    #[must_use]
    pub fn trailers_only(code: Code, message: &str) -> Self {
        let answer = Self::new(200).header("content-type", "application/grpc");
        answer.header("grpc-status", i32::from(code).to_string()).header("grpc-message", message)
    }

    /// A gRPC message of these bytes, then a status in the trailers.
    #[must_use]
    pub fn message(bytes: &[u8], code: Code) -> Self {
        let answer = Self::new(200).header("content-type", "application/grpc");
        answer.body(frame(bytes)).trailer("grpc-status", i32::from(code).to_string())
    }

    /// Adds a header; one of the same name stays.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Adds a trailer; one of the same name stays.
    #[must_use]
    pub fn trailer(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.trailers.push((name.to_owned(), value.into()));
        self
    }

    /// Replaces the body.
    #[must_use]
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// Replaces the body by the gzip of these bytes, and adds `content-encoding: gzip`.
    #[must_use]
    pub fn gzip_body(self, body: impl AsRef<[u8]>) -> Self {
        self.header("content-encoding", "gzip").body(gzip(body.as_ref()))
    }

    /// Whether this answer says that the request was taken: its status is 2xx, and no
    /// `grpc-status`, in headers or trailers, is other than 0.
    #[must_use]
    pub fn is_acceptance(&self) -> bool {
        let mut fields = self.headers.iter().chain(&self.trailers);
        let refused = fields
            .any(|(name, value)| name.eq_ignore_ascii_case(Status::GRPC_STATUS.as_str()) && value != b"0");
        (200..300).contains(&self.status) && !refused && self.response().is_some()
    }

    /// The answer as it is sent.
    pub(crate) fn into_response(self) -> Response {
        self.response().unwrap_or_else(|| {
            let mut response = Response::default();
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        })
    }

    /// The response; `None` if HTTP cannot carry it.
    fn response(&self) -> Option<Response> {
        let status = StatusCode::from_u16(self.status).ok().filter(|status| !status.is_informational())?;
        let body = Full::new(Bytes::from(self.body.clone()));
        let trailers = fields(&self.trailers)?;
        // A body that may have trailers has no length of its own: HTTP/1.1 would send it in chunks.
        let body = if trailers.is_empty() {
            Body::new(body)
        } else {
            Body::new(body.with_trailers(async { Some(Ok::<_, Infallible>(trailers)) }))
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = fields(&self.headers)?;
        Some(response)
    }
}

/// Bytes as a gRPC message: not compressed, their length in four bytes, then they themselves.
pub(crate) fn frame(bytes: &[u8]) -> Vec<u8> {
    let mut frame = frame_head(bytes.len()).to_vec();
    frame.extend(bytes);
    frame
}

/// What precedes a gRPC message of this length, or of the greatest one that can be written.
pub(crate) fn frame_head(len: usize) -> [u8; 5] {
    let [a, b, c, d] = u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes();
    [0, a, b, c, d]
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let compressed = encoder.write_all(bytes).and_then(|()| encoder.finish());
    compressed.expect("writing to memory does not fail")
}

fn fields(fields: &[(String, Vec<u8>)]) -> Option<HeaderMap> {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        map.append(HeaderName::try_from(name).ok()?, HeaderValue::from_bytes(value).ok()?);
    }
    Some(map)
}
