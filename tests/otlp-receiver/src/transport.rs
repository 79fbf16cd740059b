//! How a request travelled.
//! Filled by the gate for every request, read by tests through `Receiver::last_transport`.
//! Never holds the body, only its size.

use std::fmt;

use axum::http::request::Parts;

/// The two servers of a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP with protobuf bodies.
    Http,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Grpc => "gRPC",
            Self::Http => "HTTP/protobuf",
        })
    }
}

/// How one request travelled: everything but what it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transport {
    /// The server that it came to.
    pub protocol: Protocol,
    /// The path of the request.
    pub path: String,
    /// The headers (gRPC: the metadata as well) in order of arrival, names in lower case. Bytes of
    /// a value that are no UTF-8 are replaced.
    pub headers: Vec<(String, String)>,
    /// `grpc-encoding` or `content-encoding`; absent if the peer named none.
    pub content_encoding: Option<String>,
    /// Size of the body in bytes as it travelled, that is after compression. Over gRPC this
    /// includes the 5 bytes that precede a message.
    pub body_size: usize,
}

impl Transport {
    pub(crate) fn new(protocol: Protocol, parts: &Parts, body_size: usize) -> Self {
        let headers: Vec<_> = parts
            .headers
            .iter()
            .map(|(name, value)| {
                (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect();
        let encoding = match protocol {
            Protocol::Grpc => "grpc-encoding",
            Protocol::Http => "content-encoding",
        };
        let mut transport =
            Self { protocol, path: parts.uri.path().to_owned(), headers, content_encoding: None, body_size };
        transport.content_encoding = transport.header(encoding).map(str::to_owned);
        transport
    }

    /// The first value of a header, whatever the case of the name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}
