//! Acknowledgements that are too large or never end.
//! Sent by the gate after it has stored the request.
//! Never held in memory as a whole, except for headers.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use http_body_util::BodyExt;
use hyper::body::Frame;
use tokio::time::Interval;
use tonic::Status;

use crate::{Protocol, answer::frame_head, http};

/// How often an endless body lets another byte drip: far below any timeout, so that a limit on idle
/// time never strikes.
const DRIP: Duration = Duration::from_millis(10);

/// The size of the pieces of a huge body.
const PIECE: usize = 16 << 10;
static ZEROS: [u8; PIECE] = [0; PIECE];

/// A success whose body never ends: a zero byte at a time. Over gRPC every five of them are an
/// empty message.
pub(crate) fn endless_body(protocol: Protocol) -> Response {
    success(protocol, Body::new(Endless(tokio::time::interval(DRIP))))
}

/// A success with a body of so many zero bytes. Over gRPC they are one message, `grpc-status: 0`
/// comes after it.
pub(crate) fn huge_body(protocol: Protocol, size: usize) -> Response {
    let body = match protocol {
        Protocol::Grpc => {
            let trailers = HeaderMap::from_iter([(Status::GRPC_STATUS, HeaderValue::from_static("0"))]);
            let head = Bytes::copy_from_slice(&frame_head(size));
            Body::new(Huge { head, left: size }.with_trailers(async { Some(Ok(trailers)) }))
        }
        Protocol::Http => Body::new(Huge { head: Bytes::new(), left: size }),
    };
    success(protocol, body)
}

/// A success without a body, one of whose headers is of this size.
pub(crate) fn huge_headers(protocol: Protocol, size: usize) -> Response {
    let mut response = success(protocol, Body::empty());
    let value = HeaderValue::from_maybe_shared(Bytes::from(vec![b'x'; size]));
    response.headers_mut().insert("x-huge", value.expect("letters are a value"));
    if protocol == Protocol::Grpc {
        response.headers_mut().insert(Status::GRPC_STATUS, HeaderValue::from_static("0"));
    }
    response
}

fn success(protocol: Protocol, body: Body) -> Response {
    let content_type = match protocol {
        Protocol::Grpc => "application/grpc",
        Protocol::Http => http::PROTOBUF,
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[derive(Debug)]
struct Endless(Interval);

impl hyper::body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        ready!(self.0.poll_tick(context));
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[0])))))
    }
}

#[derive(Debug)]
struct Huge {
    /// What precedes the zeros.
    head: Bytes,
    left: usize,
}

impl hyper::body::Body for Huge {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if !self.head.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.head)))));
        }
        let piece = self.left.min(PIECE);
        self.left -= piece;
        Poll::Ready((piece > 0).then(|| Ok(Frame::data(Bytes::from_static(&ZEROS[..piece])))))
    }
}
