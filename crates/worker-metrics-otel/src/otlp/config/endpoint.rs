//! The address of a receiver.

use std::fmt;

use http::Uri;
use http::uri::{PathAndQuery, Scheme};

use super::{OtlpError, Protocol};
use crate::otlp::client::Signal;

/// The address of a receiver, for each protocol.
///
/// It may hold a secret: nothing of the path or the query is shown. A user and a password are left
/// out: over gRPC they would travel as part of the host's name, which HTTP/2 forbids, and over HTTP
/// not at all.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::otlp) struct Endpoint {
    /// Scheme and authority.
    origin: Uri,
    /// The URL that HTTP posts to.
    url: Uri,
    /// A socket of the file system, `unix:…`, for gRPC.
    socket: Option<String>,
}

/// How an address was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::otlp) enum Given {
    /// The URL of the metrics alone, which is taken as it is.
    Metrics,
    /// A base for all signals: HTTP adds the path of the metrics.
    Base,
    /// In code: HTTP adds the path of the metrics if there is no path.
    Code,
}

const PATH: &str = "/v1/metrics";
const PATH_OF_LOGS: &str = "/v1/logs";

/// The beginning of an address of a socket of the file system.
const UNIX: &str = "unix:";

impl Endpoint {
    /// Reads an address. One without a scheme gets `https` for gRPC unless the connection is to be
    /// insecure, and `http` for HTTP.
    pub(in crate::otlp) fn parse(
        by: &str,
        address: &str,
        given: Given,
        protocol: Protocol,
        insecure: bool,
    ) -> Result<Self, OtlpError> {
        if protocol == Protocol::Grpc && address.starts_with(UNIX) {
            return Ok(Self { socket: Some(address.to_owned()), ..Self::local(protocol) });
        }
        let scheme = match protocol {
            Protocol::Grpc if !insecure => "https",
            _ => "http",
        };
        let with_scheme =
            if has_scheme(address) { address.to_owned() } else { format!("{scheme}://{address}") };
        let remedy = format!(
            "use a URL such as http://localhost:{}",
            match (protocol, given) {
                (Protocol::Grpc, _) => "4317",
                (Protocol::HttpProtobuf, Given::Base) => "4318",
                (Protocol::HttpProtobuf, _) => "4318/v1/metrics",
            }
        );
        let bad = || OtlpError::bad_secret(by, &remedy);
        let uri: Uri = with_scheme.parse().map_err(|_| bad())?;
        let mut parts = uri.into_parts();
        let authority = parts.authority.take().ok_or_else(bad)?;
        if authority.host().is_empty() || !has_valid_port(&authority) {
            return Err(bad());
        }
        let host = authority.host();
        let bare = authority.port_u16().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        parts.authority = Some(bare.parse().map_err(|_| bad())?);
        let path = parts.path_and_query.take().unwrap_or(PathAndQuery::from_static("/"));
        let path = match given {
            Given::Base => with_metrics_path(&path).ok_or_else(bad)?,
            Given::Code if path.path() == "/" => with_metrics_path(&path).ok_or_else(bad)?,
            Given::Code | Given::Metrics => path,
        };
        parts.path_and_query = Some(PathAndQuery::from_static("/"));
        let origin = Uri::from_parts(parts).map_err(|_| bad())?;
        let mut parts = origin.clone().into_parts();
        parts.path_and_query = Some(path);
        Ok(Self { url: Uri::from_parts(parts).map_err(|_| bad())?, origin, socket: None })
    }

    /// Where a receiver listens by convention, on this machine.
    pub(in crate::otlp) fn local(protocol: Protocol) -> Self {
        let (origin, url) = match protocol {
            Protocol::Grpc => ("http://localhost:4317/", "http://localhost:4317/"),
            Protocol::HttpProtobuf => ("http://localhost:4318/", "http://localhost:4318/v1/metrics"),
        };
        Self { origin: Uri::from_static(origin), url: Uri::from_static(url), socket: None }
    }

    /// A socket of the file system, `unix:…`.
    #[cfg(feature = "grpc-tonic")]
    pub(in crate::otlp) fn socket(&self) -> Option<&str> {
        self.socket.as_deref()
    }

    /// Scheme and authority.
    pub(in crate::otlp) fn origin(&self) -> &Uri {
        &self.origin
    }

    /// The URL that HTTP posts to.
    pub(in crate::otlp) fn url(&self) -> &Uri {
        &self.url
    }

    /// The URL that HTTP posts a signal to: that of the metrics, or the one that stands beside it
    /// by convention. `None` where the URL of the metrics follows none.
    pub(in crate::otlp) fn url_of(&self, signal: Signal) -> Option<Uri> {
        match signal {
            Signal::Metrics => Some(self.url.clone()),
            Signal::Logs => {
                let base = self.url.path().strip_suffix(PATH)?;
                let query = self.url.query().map_or_else(String::new, |query| format!("?{query}"));
                let mut parts = self.url.clone().into_parts();
                parts.path_and_query = Some(format!("{base}{PATH_OF_LOGS}{query}").parse().ok()?);
                Uri::from_parts(parts).ok()
            }
        }
    }

    pub(in crate::otlp) fn is_secure(&self) -> bool {
        self.origin.scheme() == Some(&Scheme::HTTPS)
    }
}

/// Whether opentelemetry-otlp 0.33 starts with an address of the environment, whether or not
/// anything can be sent there.
pub(in crate::otlp) fn others_start_with(address: &str, given: Given, protocol: Protocol) -> bool {
    let url = match (protocol, given) {
        (Protocol::HttpProtobuf, Given::Base) if address.ends_with('/') => format!("{address}{}", &PATH[1..]),
        (Protocol::HttpProtobuf, Given::Base) => format!("{address}{PATH}"),
        (Protocol::Grpc, _) if address.starts_with(UNIX) => return true,
        (Protocol::Grpc, _) if !has_scheme(address) => format!("https://{address}"),
        _ => address.to_owned(),
    };
    url.parse::<Uri>().is_ok()
}

/// Whether an address has a scheme: `://` comes before any path, query or fragment.
fn has_scheme(address: &str) -> bool {
    address.split_once("://").is_some_and(|(scheme, _)| !scheme.contains(['/', '?', '#']))
}

/// Whether what follows the host is a port, or nothing: an authority takes any number.
fn has_valid_port(authority: &http::uri::Authority) -> bool {
    let host_and_port = authority.as_str().rsplit_once('@').map_or(authority.as_str(), |(_, host)| host);
    let port = host_and_port.strip_prefix(authority.host());
    port.is_some_and(|port| port.is_empty() || authority.port_u16().is_some())
}

/// The port that an address names.
pub(super) fn port_of(address: &str) -> Option<u16> {
    let with_scheme = if has_scheme(address) { address.to_owned() } else { format!("http://{address}") };
    with_scheme.parse::<Uri>().ok()?.port_u16()
}

/// A base path with the path of the metrics behind it, and the query behind that.
fn with_metrics_path(base: &PathAndQuery) -> Option<PathAndQuery> {
    let query = base.query().map_or_else(String::new, |query| format!("?{query}"));
    format!("{}{PATH}{query}", base.path().trim_end_matches('/')).parse().ok()
}

impl fmt::Display for Endpoint {
    /// Scheme, host and port; or the socket.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(socket) = &self.socket {
            return f.write_str(socket);
        }
        let scheme = self.origin.scheme_str().unwrap_or_default();
        let host = self.origin.host().unwrap_or_default();
        write!(f, "{scheme}://{host}")?;
        self.origin.port_u16().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(address: &str, given: Given) -> String {
        let endpoint = Endpoint::parse("ENDPOINT", address, given, Protocol::HttpProtobuf, false);
        endpoint.map_or_else(|error| error.to_string(), |endpoint| endpoint.url().to_string())
    }

    #[test]
    fn http_adds_the_path_of_the_metrics_to_a_base() {
        for (base, expected) in [
            ("http://host:4318", "http://host:4318/v1/metrics"),
            ("http://host:4318/", "http://host:4318/v1/metrics"),
            ("http://host:4318//", "http://host:4318/v1/metrics"),
            ("http://host/otlp", "http://host/otlp/v1/metrics"),
            ("http://host/otlp/?x=1", "http://host/otlp/v1/metrics?x=1"),
            ("https://user:secret@host", "https://host/v1/metrics"),
            ("host:4318", "http://host:4318/v1/metrics"),
        ] {
            assert_eq!(url(base, Given::Base), expected, "{base}");
        }
        assert_eq!(url("http://host:4318/custom", Given::Metrics), "http://host:4318/custom");
        assert_eq!(url("http://host:4318", Given::Metrics), "http://host:4318/");
        assert_eq!(url("http://host:4318", Given::Code), "http://host:4318/v1/metrics");
        assert_eq!(url("http://host:4318/custom", Given::Code), "http://host:4318/custom");
    }

    #[test]
    fn logs_go_beside_the_metrics_or_nowhere() {
        for (address, given, expected) in [
            ("http://host:4318", Given::Base, Some("http://host:4318/v1/logs")),
            ("http://host/otlp/?x=1", Given::Base, Some("http://host/otlp/v1/logs?x=1")),
            ("http://host/otlp/v1/metrics", Given::Metrics, Some("http://host/otlp/v1/logs")),
            ("http://host:4318/custom", Given::Code, None),
        ] {
            let endpoint = Endpoint::parse("ENDPOINT", address, given, Protocol::HttpProtobuf, false);
            let url = endpoint.unwrap().url_of(Signal::Logs).map(|url| url.to_string());
            assert_eq!(url.as_deref(), expected, "{address}");
        }
    }

    #[test]
    fn an_address_without_a_scheme_is_secure_over_grpc_unless_it_is_to_be_insecure() {
        for (insecure, expected) in [(false, "https://host:4317"), (true, "http://host:4317")] {
            let endpoint =
                Endpoint::parse("ENDPOINT", "host:4317", Given::Base, Protocol::Grpc, insecure).unwrap();
            assert_eq!(endpoint.to_string(), expected);
        }
    }

    #[test]
    fn a_bad_address_is_refused_with_the_remedy_and_without_the_value() {
        for bad in ["http://", "http://host:99999999", "http://a b", "http://:4318"] {
            let error =
                Endpoint::parse("ENDPOINT", bad, Given::Base, Protocol::HttpProtobuf, false).unwrap_err();
            assert_eq!(
                error.to_string(),
                "ENDPOINT is not usable: use a URL such as http://localhost:4318",
                "{bad}"
            );
        }
    }
}
