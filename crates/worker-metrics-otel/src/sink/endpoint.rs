//! Where requests go.

use std::fmt;

use http::Uri;

use super::SinkError;

/// How OTLP travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// gRPC; needs the feature `grpc-tonic`.
    Grpc,
    /// Protobuf over HTTP; needs the feature `http-proto`.
    HttpProtobuf,
}

impl Protocol {
    /// What the specification prefers, if it is compiled in.
    pub(super) const DEFAULT: Self =
        if cfg!(feature = "http-proto") { Self::HttpProtobuf } else { Self::Grpc };

    pub(super) fn parse(by: &str, value: &str) -> Result<Self, SinkError> {
        match value {
            "grpc" => Ok(Self::Grpc),
            "http/protobuf" => Ok(Self::HttpProtobuf),
            _ => Err(SinkError::bad(by, value, "use grpc or http/protobuf")),
        }
    }

    /// Itself, if it is compiled in.
    pub(super) fn available(self) -> Result<Self, SinkError> {
        match self {
            Self::Grpc if cfg!(not(feature = "grpc-tonic")) => Err(SinkError::NotCompiledIn("grpc-tonic")),
            Self::HttpProtobuf if cfg!(not(feature = "http-proto")) => {
                Err(SinkError::NotCompiledIn("http-proto"))
            }
            _ => Ok(self),
        }
    }
}

/// The URL of a receiver. It may hold a secret: of a path, a query or a password nothing is shown.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) protocol: Protocol,
    pub(super) uri: Uri,
}

impl Endpoint {
    /// An endpoint that is taken as it is.
    pub(super) fn given(by: &str, url: &str, protocol: Protocol) -> Result<Self, SinkError> {
        let protocol = protocol.available()?;
        let example = match protocol {
            Protocol::Grpc => "use a URL such as http://localhost:4317",
            Protocol::HttpProtobuf => "use a URL such as http://localhost:4318/v1/metrics",
        };
        let uri: Uri = url.parse().map_err(|_| SinkError::bad_secret(by, example))?;
        match (uri.scheme_str(), uri.host()) {
            (Some("http"), Some(host)) if !host.is_empty() => Ok(Self { protocol, uri }),
            (Some("https"), Some(_)) => Err(SinkError::bad_secret(
                by,
                "it is https, and TLS is not supported yet: send to a collector over http, and let it go on by https",
            )),
            _ => Err(SinkError::bad_secret(by, example)),
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.uri.scheme_str().unwrap_or_default();
        let host = self.uri.host().unwrap_or_default();
        write!(f, "{scheme}://{host}")?;
        self.uri.port_u16().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}
