//! The transports that are compiled in, and which of them a receiver speaks.

use std::fmt;
#[cfg(feature = "grpc-tonic")]
use std::sync::OnceLock;

use bytes::Bytes;
use http::HeaderMap;

#[cfg(feature = "grpc-tonic")]
use super::Grpc;
use super::retry::{Again, Failure};
use super::{Cause, Http};
use crate::otlp::config::{Compression, Headers, Protocol};

/// The answer of a receiver that took a request.
#[derive(Debug, Default)]
pub(in crate::otlp) struct Answer {
    /// The number of points that it rejected all the same.
    pub(in crate::otlp) rejected: i64,
    /// What it says of them, without the values of the headers.
    pub(in crate::otlp) message: String,
    /// What the answer is, if it is not OTLP.
    pub(in crate::otlp) foreign: Option<String>,
}

/// A request that is ready to be sent, as often as need be.
#[derive(Clone)]
pub(super) struct Outgoing<'a> {
    pub(super) body: Bytes,
    pub(super) headers: HeaderMap,
    /// The headers that were set, whose values no message may show.
    pub(super) secrets: &'a Headers,
    pub(super) compression: Compression,
}

/// How requests travel. Where nothing says which protocol a receiver speaks, HTTP is tried first,
/// and whichever it speaks is kept.
pub(in crate::otlp) enum Transport {
    /// The environment names an address that nothing can be sent to, and why: the program starts
    /// all the same.
    Unusable(String),
    Http(Box<Http>),
    #[cfg(feature = "grpc-tonic")]
    Grpc(Grpc),
    #[cfg(feature = "grpc-tonic")]
    Either {
        grpc: Grpc,
        http: Box<Http>,
        settled: OnceLock<Protocol>,
    },
}

impl Transport {
    /// The protocol, if it is settled.
    pub(in crate::otlp) fn protocol(&self) -> Option<Protocol> {
        match self {
            Self::Unusable(_) => None,
            Self::Http(_) => Some(Protocol::HttpProtobuf),
            #[cfg(feature = "grpc-tonic")]
            Self::Grpc(_) => Some(Protocol::Grpc),
            #[cfg(feature = "grpc-tonic")]
            Self::Either { settled, .. } => settled.get().copied(),
        }
    }

    /// One attempt.
    pub(super) async fn send(&self, outgoing: &Outgoing<'_>) -> Result<Answer, Failure> {
        match self {
            Self::Unusable(why) => Err(Failure { cause: Cause::Request(why.clone()), again: Again::Never }),
            Self::Http(http) => http.send(outgoing).await,
            #[cfg(feature = "grpc-tonic")]
            Self::Grpc(grpc) => grpc.send(outgoing).await,
            #[cfg(feature = "grpc-tonic")]
            Self::Either { grpc, http, settled } => match settled.get() {
                Some(Protocol::Grpc) => grpc.send(outgoing).await,
                Some(Protocol::HttpProtobuf) => http.send(outgoing).await,
                None => settle(grpc, http, settled, outgoing).await,
            },
        }
    }

    /// Connects anew next time: the connection may be dead.
    pub(super) fn reconnect(&self) {
        match self {
            // A request that is given up closes its connection.
            Self::Unusable(_) | Self::Http(_) => {}
            #[cfg(feature = "grpc-tonic")]
            Self::Grpc(grpc) => grpc.reconnect(),
            #[cfg(feature = "grpc-tonic")]
            Self::Either { grpc, .. } => grpc.reconnect(),
        }
    }
}

/// Tries HTTP, and gRPC if what answers is no OTLP over HTTP.
#[cfg(feature = "grpc-tonic")]
async fn settle(
    grpc: &Grpc,
    http: &Http,
    settled: &OnceLock<Protocol>,
    outgoing: &Outgoing<'_>,
) -> Result<Answer, Failure> {
    let failure = match http.send(outgoing).await {
        Ok(answer) => {
            settled.get_or_init(|| Protocol::HttpProtobuf);
            return Ok(answer);
        }
        Err(failure) => failure,
    };
    if !may_be_grpc(&failure.cause) {
        return Err(failure);
    }
    match grpc.send(outgoing).await {
        Ok(answer) => {
            settled.get_or_init(|| Protocol::Grpc);
            Ok(answer)
        }
        // A status is an answer of gRPC; anything else is not.
        Err(of_grpc) if of_grpc.cause.is_of_the_receiver() => {
            settled.get_or_init(|| Protocol::Grpc);
            Err(of_grpc)
        }
        Err(_) => Err(failure),
    }
}

/// Whether a receiver that answers an HTTP request like this may speak gRPC.
#[cfg(feature = "grpc-tonic")]
fn may_be_grpc(cause: &Cause) -> bool {
    match cause {
        Cause::Broken(_) | Cause::WrongProtocol | Cause::Handshake(_) | Cause::TlsWanted => true,
        Cause::Refused { status, .. } => {
            ["400", "404", "405", "415", "426", "464", "505"].iter().any(|code| status.starts_with(code))
        }
        _ => false,
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("protocol", &self.protocol()).finish_non_exhaustive()
    }
}
