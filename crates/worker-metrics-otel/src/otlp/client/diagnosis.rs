//! What a port speaks, asked for when a connection breaks in a way that has several causes.
//!
//! HTTP/1 to a gRPC port, gRPC to an HTTP port, and either to a port that wants TLS all end in a
//! connection that breaks. A few bytes tell them apart: the preface of HTTP/2, and a line that no
//! server of HTTP/1 takes for a request, to which each kind of server gives another answer.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Cause;
#[cfg(feature = "tls")]
use super::error::cause_of;
use crate::otlp::config::{Endpoint, Protocol, TlsConfig};

/// What a port speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spoken {
    Http1,
    Http2,
    Tls,
}

/// The preface of HTTP/2, and empty settings.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// What a server of HTTP/1 answers with "400 Bad Request", without asking the service behind it.
const NO_REQUEST: &[u8] = b"\x01 / HTTP/1.1\r\n\r\n";

/// The longest time that is spent on a diagnosis.
const LONGEST: Duration = Duration::from_millis(300);

/// The likely cause of a connection of this protocol that broke, if the port can be asked.
pub(super) async fn diagnose(
    endpoint: &Endpoint,
    tls: Option<&TlsConfig>,
    protocol: Option<Protocol>,
) -> Option<Cause> {
    let diagnosis = async {
        match tls {
            #[cfg(feature = "tls")]
            Some(tls) if endpoint.is_secure() => cause_of_handshake(endpoint, tls, protocol).await,
            _ if endpoint.is_secure() => None,
            _ => cause(endpoint, protocol).await,
        }
    };
    tokio::time::timeout(LONGEST, diagnosis).await.ok().flatten()
}

async fn cause(endpoint: &Endpoint, protocol: Option<Protocol>) -> Option<Cause> {
    let to_http2 = spoken(endpoint, PREFACE).await;
    if to_http2 == Some(Spoken::Tls) {
        return Some(Cause::TlsWanted);
    }
    let is_wrong = match protocol? {
        // Some servers of HTTP/1 close the connection, and say nothing.
        Protocol::Grpc => match to_http2 {
            Some(spoken) => spoken == Spoken::Http1,
            None => spoken_of_http1(endpoint).await,
        },
        // Some servers speak both.
        Protocol::HttpProtobuf => to_http2 == Some(Spoken::Http2) && !spoken_of_http1(endpoint).await,
    };
    is_wrong.then_some(Cause::WrongProtocol)
}

async fn spoken_of_http1(endpoint: &Endpoint) -> bool {
    spoken(endpoint, NO_REQUEST).await == Some(Spoken::Http1)
}

/// What the port speaks, by its answer to some bytes.
async fn spoken(endpoint: &Endpoint, bytes: &[u8]) -> Option<Spoken> {
    let mut connection = TcpStream::connect((host_of(endpoint)?, port_of(endpoint))).await.ok()?;
    connection.write_all(bytes).await.ok()?;
    let mut answer = [0; 9];
    let mut read = 0;
    while read < answer.len() {
        match connection.read(&mut answer[read..]).await {
            Ok(0) | Err(_) => break,
            Ok(more) => read += more,
        }
    }
    spoken_by(&answer[..read])
}

/// The likely cause of a secure connection that broke: an alert that comes after the handshake is
/// lost on the way through HTTP/2.
#[cfg(feature = "tls")]
async fn cause_of_handshake(
    endpoint: &Endpoint,
    tls: &TlsConfig,
    protocol: Option<Protocol>,
) -> Option<Cause> {
    let mut tls = tls.http.clone();
    if protocol == Some(Protocol::Grpc) {
        tls.alpn_protocols = vec![b"h2".to_vec()];
    }
    let host = host_of(endpoint)?;
    let name = rustls::pki_types::ServerName::try_from(host.to_owned()).ok()?;
    let connection = TcpStream::connect((host, port_of(endpoint))).await.ok()?;
    let secured = tokio_rustls::TlsConnector::from(std::sync::Arc::new(tls)).connect(name, connection).await;
    let error = match secured {
        Ok(mut secured) => secured.read_u8().await.err()?,
        Err(error) => error,
    };
    Some(cause_of(&error)).filter(|cause| !cause.is_ambiguous())
}

fn host_of(endpoint: &Endpoint) -> Option<&str> {
    Some(endpoint.origin().host()?.trim_start_matches('[').trim_end_matches(']'))
}

fn port_of(endpoint: &Endpoint) -> u16 {
    endpoint.origin().port_u16().unwrap_or(if endpoint.is_secure() { 443 } else { 80 })
}

/// What a server speaks whose answer to the preface begins like this.
fn spoken_by(answer: &[u8]) -> Option<Spoken> {
    match answer {
        [b'H', b'T', b'T', b'P', ..] => Some(Spoken::Http1),
        // A record of TLS: an alert, or a handshake.
        [0x15 | 0x16, 3, ..] => Some(Spoken::Tls),
        // A frame of HTTP/2 on stream 0: settings, or "go away".
        [0, _, _, 4 | 7, ..] => Some(Spoken::Http2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_to_the_preface_says_what_a_port_speaks() {
        assert_eq!(spoken_by(b"HTTP/1.1 400 Bad Request"), Some(Spoken::Http1));
        assert_eq!(spoken_by(&[0, 0, 18, 4, 0, 0, 0, 0, 0]), Some(Spoken::Http2));
        assert_eq!(spoken_by(&[0x15, 3, 3, 0, 2, 2, 70]), Some(Spoken::Tls));
        assert_eq!(spoken_by(b"220 smtp"), None);
        assert_eq!(spoken_by(b""), None);
    }
}
