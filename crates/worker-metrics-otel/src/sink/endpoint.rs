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
    pub(super) fn available(self, by: &str) -> Result<Self, SinkError> {
        let (name, feature) = match self {
            Self::Grpc if cfg!(not(feature = "grpc-tonic")) => ("grpc", "grpc-tonic"),
            Self::HttpProtobuf if cfg!(not(feature = "http-proto")) => ("http/protobuf", "http-proto"),
            _ => return Ok(self),
        };
        Err(SinkError::not_compiled_in(by, name, feature))
    }
}

/// The URL of a receiver. It may hold a secret: of a path or a query nothing is shown. A user and a password are left out from the
/// start: over gRPC they would travel as part of the host's name, which HTTP/2 forbids, and over HTTP not at all.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) protocol: Protocol,
    pub(super) uri: Uri,
}

impl Endpoint {
    /// An endpoint that is taken as it is.
    pub(super) fn given(by: &str, url: &str, protocol: Protocol) -> Result<Self, SinkError> {
        let protocol = protocol.available(by)?;
        let bad = || {
            let example = match protocol {
                Protocol::Grpc => "use a URL such as http://localhost:4317",
                Protocol::HttpProtobuf => "use a URL such as http://localhost:4318/v1/metrics",
            };
            SinkError::bad_secret(by, example)
        };
        let mut parts = url.parse::<Uri>().map_err(|_| bad())?.into_parts();
        let authority = parts.authority.take().ok_or_else(bad)?;
        let is_http =
            parts.scheme.as_ref().is_some_and(|scheme| ["http", "https"].contains(&scheme.as_str()));
        // What follows the host is a port, or nothing: an authority alone would take any number, and none.
        let port = authority.as_str().rsplit_once('@').map_or(authority.as_str(), |(_, host)| host);
        let port = port.strip_prefix(authority.host()).filter(|_| is_http && !authority.host().is_empty());
        if !port.is_some_and(|port| port.is_empty() || authority.port_u16().is_some()) {
            return Err(bad());
        }
        let bare = authority
            .port_u16()
            .map_or_else(|| authority.host().to_owned(), |port| format!("{}:{port}", authority.host()));
        parts.authority = Some(bare.parse().map_err(|_| bad())?);
        Ok(Self { protocol, uri: Uri::from_parts(parts).map_err(|_| bad())? })
    }

    /// A base for all signals: over HTTP, the path of this one is added to its own.
    pub(super) fn base(by: &str, url: &str, protocol: Protocol) -> Result<Self, SinkError> {
        let mut base = Self::given(by, url, protocol)?;
        if protocol == Protocol::HttpProtobuf {
            let query = base.uri.query().map_or_else(String::new, |query| format!("?{query}"));
            let path = format!("{}/v1/metrics{query}", base.uri.path().trim_end_matches('/'));
            let mut parts = base.uri.into_parts();
            parts.path_and_query = Some(path.parse().map_err(|_| SinkError::bad_secret(by, "shorten it"))?);
            base.uri = Uri::from_parts(parts).map_err(|_| SinkError::bad_secret(by, "shorten it"))?;
        }
        Ok(base)
    }

    /// Itself, if the sink can connect to it: a client that is given does TLS in its own way.
    pub(super) fn connectable(self, by: &str) -> Result<Self, SinkError> {
        if self.is_secure() && cfg!(not(feature = "tls")) {
            let remedy = "it is https: switch on the feature `tls` of worker-metrics-otel";
            return Err(SinkError::bad_secret(by, remedy));
        }
        Ok(self)
    }

    pub(super) fn is_secure(&self) -> bool {
        self.uri.scheme_str() == Some("https")
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
