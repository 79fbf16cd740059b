//! Why an export failed: the address, the protocol, the cause and the remedy.

use std::error::Error;
use std::time::Duration;

use crate::otlp::config::Protocol;

/// Why an export failed. What it carried goes with the next one.
///
/// Its `Display` is one sentence that names the address, the protocol, the cause and the remedy,
/// and no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{address} ({}): {cause}", named(*protocol))]
#[non_exhaustive]
pub struct ExportError {
    /// Scheme, host and port of the receiver; a description where the program has given the
    /// connection.
    pub address: String,
    /// The protocol, if it is settled.
    pub protocol: Option<Protocol>,
    /// The cause.
    pub cause: Cause,
}

/// A protocol, for a person to read.
pub(in crate::otlp) fn named(protocol: Option<Protocol>) -> String {
    protocol.map_or_else(|| "protocol not settled".to_owned(), |protocol| protocol.to_string())
}

/// The cause of a failed export.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// No answer came in time.
    #[error(
        "no answer within {:?}: is the receiver overloaded, or does a firewall drop the packets?",
        in_milliseconds(*.0)
    )]
    Timeout(Duration),
    /// Nobody listens there, or there is no way.
    #[error("the receiver cannot be reached ({0}): does it run, and listen on that port?")]
    Unreachable(String),
    /// The name of the host does not resolve.
    #[error("the name of the host does not resolve ({0}): check OTEL_EXPORTER_OTLP_ENDPOINT")]
    UnknownHost(String),
    /// The receiver speaks the other protocol on that port.
    #[error(
        "that port speaks the other protocol: set OTEL_EXPORTER_OTLP_PROTOCOL to grpc or http/protobuf, or use the \
         other port (4317 is gRPC, 4318 is HTTP)"
    )]
    WrongProtocol,
    /// The receiver wants TLS, and the address is `http`.
    #[error("that port wants TLS: use an https address")]
    TlsWanted,
    /// The receiver does not speak TLS, and the address is `https`.
    #[error("that port does not speak TLS: use an http address")]
    NoTls,
    /// The certificate of the receiver is not trusted, or not for that name.
    #[error(
        "the certificate of the receiver is not accepted ({0}): set OTEL_EXPORTER_OTLP_CERTIFICATE to its CA, or use \
         the name that the certificate is for"
    )]
    Certificate(String),
    /// The receiver wants a certificate of the client, or not this one.
    #[error(
        "the receiver wants a certificate of the client ({0}): set OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and \
         OTEL_EXPORTER_OTLP_CLIENT_KEY"
    )]
    ClientCertificate(String),
    /// The handshake of TLS fails for another reason.
    #[error("the TLS handshake fails ({0}): check the protocol and the TLS settings of the receiver")]
    Handshake(String),
    /// The receiver refuses the request with a status, and would refuse it again.
    #[error("the receiver refuses it with {status}{}: {}", said(message), remedy_of(status))]
    Refused {
        /// The status.
        status: String,
        /// What the receiver says, at most 256 characters of it.
        message: String,
    },
    /// The receiver cannot take it now, and could not until the deadline.
    #[error("the receiver cannot take it now, {status}{}: it goes with the next export", said(message))]
    Unavailable {
        /// The status.
        status: String,
        /// What the receiver says, at most 256 characters of it.
        message: String,
    },
    /// The receiver has asked for a wait that is not over.
    #[error("the receiver has asked for a wait, which lasts {wait:?} longer: send less, or less often")]
    Throttled {
        /// The rest of the wait.
        wait: Duration,
    },
    /// The connection broke before the answer.
    #[error("the connection broke before the answer ({0}): did the receiver or a proxy restart?")]
    Broken(String),
    /// The request cannot be made.
    #[error("the request cannot be made: {0}")]
    Request(String),
    /// The export was given up, or the thread that exports has ended.
    #[error("the export was given up: the pipeline is shut down")]
    Stopped,
}

fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(", saying {message:?}") }
}

/// What to do about a status.
fn remedy_of(status: &str) -> &'static str {
    let is = |words: &[&str]| words.iter().any(|word| status.starts_with(word));
    if is(&["401", "403", "Unauthenticated", "PermissionDenied"]) {
        "check the API key in OTEL_EXPORTER_OTLP_HEADERS"
    } else if is(&["404", "405", "501", "Unimplemented"]) {
        "check the path and the port of the endpoint, and that the receiver takes metrics"
    } else if is(&["413", "ResourceExhausted"]) {
        "raise the limit of the receiver, or export with less detail"
    } else if is(&["3"]) {
        "redirects are not followed: set the endpoint to where it leads"
    } else {
        "the receiver's log says more"
    }
}

impl Cause {
    /// Whether no other request of the export can succeed either.
    pub(in crate::otlp) fn is_about_the_connection(&self) -> bool {
        !matches!(self, Self::Refused { .. } | Self::Request(_))
    }

    /// Whether the receiver objects to the contents of the request.
    pub(in crate::otlp) fn is_about_the_contents(&self) -> bool {
        let Self::Refused { status, .. } = self else { return false };
        ["400", "413", "422", "InvalidArgument", "ResourceExhausted", "OutOfRange"]
            .iter()
            .any(|word| status.starts_with(word))
    }

    /// Whether a receiver has answered.
    pub(super) fn is_of_the_receiver(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Unavailable { .. })
    }

    /// Whether the connection was made and no answer of the protocol came.
    pub(super) fn is_ambiguous(&self) -> bool {
        matches!(self, Self::Broken(_))
    }
}

/// Reads the chain of causes of a connection that failed.
pub(super) fn cause_of(error: &(dyn Error + 'static)) -> Cause {
    let mut text = None;
    for error in Causes(Some(error)) {
        #[cfg(feature = "tls")]
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return tls_cause(tls);
        }
        let said = error.to_string();
        if said.starts_with("dns error") || said.starts_with("failed to lookup address") {
            let innermost = Causes(Some(error)).last().unwrap_or(error);
            return Cause::UnknownHost(innermost.to_string());
        }
        #[cfg(feature = "tls")]
        if let Some(cause) = client_certificate_cause(&said) {
            return cause;
        }
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            if is_unreachable(io.kind()) {
                return Cause::Unreachable(io.kind().to_string());
            }
            text = Some(io.kind()).filter(|kind| *kind != std::io::ErrorKind::Other).or(text);
        }
    }
    // Other texts may hold the URL, and with it a secret.
    Cause::Broken(text.map_or_else(|| "the connection failed".to_owned(), |kind| kind.to_string()))
}

/// An error and its causes, also those that I/O errors hold without naming them as their source.
struct Causes<'a>(Option<&'a (dyn Error + 'static)>);

impl<'a> Iterator for Causes<'a> {
    type Item = &'a (dyn Error + 'static);

    fn next(&mut self) -> Option<Self::Item> {
        let error = self.0?;
        let held = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        self.0 = held.map(|held| held as &(dyn Error + 'static)).or_else(|| error.source());
        Some(error)
    }
}

fn is_unreachable(kind: std::io::ErrorKind) -> bool {
    use std::io::ErrorKind::{
        AddrNotAvailable, ConnectionRefused, HostUnreachable, NetworkDown, NetworkUnreachable, NotFound,
    };
    matches!(
        kind,
        ConnectionRefused | HostUnreachable | NetworkUnreachable | NetworkDown | AddrNotAvailable | NotFound
    )
}

/// The cause by rustls.
#[cfg(feature = "tls")]
fn tls_cause(tls: &rustls::Error) -> Cause {
    use rustls::{AlertDescription, Error};
    let said = tls.to_string();
    match tls {
        Error::InvalidCertificate(_) => Cause::Certificate(said),
        Error::InvalidMessage(_) => Cause::NoTls,
        Error::AlertReceived(AlertDescription::DecryptError) => Cause::ClientCertificate(said),
        _ => client_certificate_cause(&said).unwrap_or(Cause::Handshake(said)),
    }
}

/// The cause by the text of an alert: h2 keeps nothing else of an error of rustls.
#[cfg(feature = "tls")]
fn client_certificate_cause(said: &str) -> Option<Cause> {
    let is_about_it = matches!(
        said.strip_prefix("received fatal alert: ")?,
        "CertificateRequired"
            | "BadCertificate"
            | "UnknownCA"
            | "CertificateUnknown"
            | "CertificateExpired"
            | "AccessDenied"
    );
    is_about_it.then(|| Cause::ClientCertificate(said.to_owned()))
}

/// The next whole millisecond: what an export takes before its first request is of no interest.
fn in_milliseconds(timeout: Duration) -> Duration {
    Duration::from_millis(u64::try_from(timeout.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_address_protocol_cause_and_remedy() {
        let error = ExportError {
            address: "http://collector:4318".to_owned(),
            protocol: Some(Protocol::HttpProtobuf),
            cause: Cause::Unreachable("connection refused".to_owned()),
        };
        assert_eq!(
            error.to_string(),
            "http://collector:4318 (http/protobuf): the receiver cannot be reached (connection refused): does it run, and listen \
             on that port?"
        );
    }

    #[test]
    fn a_time_that_is_over_is_in_whole_milliseconds() {
        for (micros, said) in [(999_556, "within 1s:"), (70_100, "within 71ms:"), (0, "within 0ns:")] {
            let cause = Cause::Timeout(Duration::from_micros(micros)).to_string();
            assert!(cause.contains(said), "{cause}");
        }
    }

    #[test]
    fn a_refusal_has_the_remedy_of_its_status() {
        let refused =
            |status: &str| Cause::Refused { status: status.to_owned(), message: String::new() }.to_string();
        assert!(refused("401 Unauthorized").contains("OTEL_EXPORTER_OTLP_HEADERS"));
        assert!(refused("Unimplemented").contains("path and the port"));
        assert!(refused("501 Not Implemented").contains("path and the port"));
        assert!(refused("307 Temporary Redirect").contains("redirects are not followed"));
        assert!(refused("500 Internal Server Error").contains("log"));
    }
}
