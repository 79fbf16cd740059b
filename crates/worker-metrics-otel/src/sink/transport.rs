//! One of the transports that are compiled in.

use bytes::Bytes;

use super::endpoint::{Endpoint, Protocol};
use super::headers::Headers;
use super::retry::Failure;
use super::thread::SinkThread;
use super::tls::Tls;
use super::{Acknowledged, Compression, SendError, SinkError};

/// How requests travel.
#[derive(Clone, Debug)]
pub(super) enum Transport {
    #[cfg(feature = "grpc-tonic")]
    Grpc(super::grpc::Grpc),
    #[cfg(feature = "http-proto")]
    Http(super::http::Http),
}

/// A request that is ready to be sent, as often as need be.
pub(super) enum Once {
    #[cfg(feature = "grpc-tonic")]
    Grpc(super::grpc::GrpcOnce),
    #[cfg(feature = "http-proto")]
    Http(super::http::HttpOnce),
}

impl Transport {
    /// The transport to an endpoint, whose connections live on the thread.
    pub(super) fn to(endpoint: &Endpoint, tls: Option<Tls>, thread: &SinkThread) -> Result<Self, SinkError> {
        match endpoint.protocol {
            #[cfg(feature = "grpc-tonic")]
            Protocol::Grpc => super::grpc::Grpc::connect(endpoint, tls, thread).map(Self::Grpc),
            #[cfg(feature = "http-proto")]
            Protocol::HttpProtobuf => Ok(Self::Http(super::http::Http::connect(endpoint, tls))),
            #[cfg(not(all(feature = "grpc-tonic", feature = "http-proto")))]
            protocol => {
                let _ = (tls, thread);
                Err(SinkError::Transport(format!("{protocol:?} is not compiled in").into()))
            }
        }
    }

    #[cfg(feature = "grpc-tonic")]
    pub(super) fn grpc(channel: tonic::transport::Channel) -> Self {
        Self::Grpc(super::grpc::Grpc::new(channel))
    }

    #[cfg(feature = "http-proto")]
    pub(super) fn http(
        client: std::sync::Arc<dyn opentelemetry_http::HttpClient>,
        endpoint: &Endpoint,
    ) -> Self {
        Self::Http(super::http::Http::new(client, endpoint))
    }

    pub(super) fn prepare(
        self,
        request: Bytes,
        headers: Headers,
        compression: Compression,
    ) -> Result<Once, SendError> {
        match self {
            #[cfg(feature = "grpc-tonic")]
            Self::Grpc(grpc) => Ok(Once::Grpc(grpc.prepare(request, headers, compression))),
            #[cfg(feature = "http-proto")]
            Self::Http(http) => http.prepare(request, headers, compression).map(Once::Http),
        }
    }
}

impl Once {
    /// One attempt.
    pub(super) async fn send(&self) -> Result<Acknowledged, Failure> {
        match self {
            #[cfg(feature = "grpc-tonic")]
            Self::Grpc(once) => once.send().await,
            #[cfg(feature = "http-proto")]
            Self::Http(once) => once.send().await,
        }
    }
}
