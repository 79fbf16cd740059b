//! OTLP over gRPC.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use bytes::{BufMut, Bytes};
use http::uri::PathAndQuery;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use prost::Message;
use tonic::client::Grpc as Client;
#[cfg(any(feature = "gzip", feature = "zstd"))]
use tonic::codec::CompressionEncoding;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::endpoint::Endpoint;
use super::error::cause_of;
use super::headers::Headers;
use super::retry::{Again, Failure};
use super::thread::SinkThread;
use super::tls::Tls;
use super::{Acknowledged, Compression, SendError, SinkError};

/// A channel to a receiver.
#[derive(Clone)]
pub(super) struct Grpc {
    channel: Channel,
    endpoint: Option<Endpoint>,
}

impl Grpc {
    /// A channel on the sink's own thread, which connects when it is used first.
    pub(super) fn connect(
        endpoint: &Endpoint,
        tls: Option<Tls>,
        thread: &SinkThread,
    ) -> Result<Self, SinkError> {
        let _entered = thread.runtime().enter();
        let refuse = |cause: tonic::transport::Error| SinkError::Transport(cause.into());
        let builder = Channel::builder(endpoint.uri.clone())
            .user_agent(concat!("worker-metrics-otel/", env!("CARGO_PKG_VERSION")))
            .map_err(refuse)?;
        #[cfg(feature = "tls")]
        let builder = match tls {
            Some(tls) => builder.tls_config(tls.into_grpc()).map_err(refuse)?,
            None => builder,
        };
        #[cfg(not(feature = "tls"))]
        let _ = tls;
        Ok(Self { channel: builder.connect_lazy(), endpoint: Some(endpoint.clone()) })
    }

    pub(super) fn new(channel: Channel) -> Self {
        Self { channel, endpoint: None }
    }

    pub(super) fn prepare(self, request: Bytes, headers: Headers, compression: Compression) -> GrpcOnce {
        let client = Client::new(self.channel);
        let client = match compression {
            // Receivers written in Go answer in the compression of the request, asked or not.
            #[cfg(feature = "gzip")]
            Compression::Gzip => {
                client.send_compressed(CompressionEncoding::Gzip).accept_compressed(CompressionEncoding::Gzip)
            }
            #[cfg(feature = "zstd")]
            Compression::Zstd => {
                client.send_compressed(CompressionEncoding::Zstd).accept_compressed(CompressionEncoding::Zstd)
            }
            // Those that are not compiled in are refused when they are set.
            _ => client,
        };
        GrpcOnce { client, request, headers }
    }
}

impl fmt::Debug for Grpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grpc").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// A request on a channel.
pub(super) struct GrpcOnce {
    client: Client<Channel>,
    request: Bytes,
    headers: Headers,
}

impl GrpcOnce {
    pub(super) async fn send(&self) -> Result<Acknowledged, Failure> {
        let mut request = tonic::Request::new(self.request.clone());
        *request.metadata_mut() = MetadataMap::from_headers(self.headers.0.clone());
        let mut client = self.client.clone();
        let response = match client.ready().await {
            Ok(()) => client.unary(request, PathAndQuery::from_static(METHOD), Encoded).await,
            Err(error) => Err(Status::from_error(error.into())),
        };
        match response {
            Ok(response) => Ok(Acknowledged::new(response.into_inner(), &self.headers)),
            Err(status) => Err(failure(&status, &self.headers)),
        }
    }
}

/// `Export` of `opentelemetry/proto/collector/metrics/v1/metrics_service.proto`.
const METHOD: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

/// Requests that are encoded already, and answers that are decoded.
#[derive(Clone, Copy, Debug, Default)]
struct Encoded;

impl Codec for Encoded {
    type Encode = Bytes;
    type Decode = ExportMetricsServiceResponse;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Encoded {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, request: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.reserve(request.len());
        to.put(request);
        Ok(())
    }
}

impl Decoder for Encoded {
    type Item = ExportMetricsServiceResponse;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Self::Item>, Status> {
        let decoded = ExportMetricsServiceResponse::decode(from);
        decoded.map(Some).map_err(|cause| Status::internal(cause.to_string()))
    }
}

fn failure(status: &Status, headers: &Headers) -> Failure {
    // A status with a cause does not come from the receiver: it says what became of the connection.
    if let Some(cause) = status.source() {
        let told = cause_of(cause);
        // Of these, that one alone means that the request did not leave.
        return if status.code() == Code::Unavailable {
            Failure { error: SendError::Unreachable(told), again: Again::Later }
        } else {
            Failure { error: SendError::Broken(told), again: Again::Never }
        };
    }
    let after = status.get_details_retry_info().and_then(|info| info.retry_delay);
    let again = again(status.code(), after);
    let name = format!("{:?}", status.code());
    let message = headers.redact(status.message());
    let error = match again {
        Again::Never => SendError::Refused { status: name, message },
        _ => SendError::Unavailable { status: name, message },
    };
    Failure { error, again }
}

/// The codes that the OTLP specification calls retryable.
fn again(code: Code, after: Option<Duration>) -> Again {
    match (code, after) {
        (Code::ResourceExhausted, None) => Again::Never,
        (
            Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unavailable
            | Code::DataLoss
            | Code::ResourceExhausted,
            after,
        ) => after.map_or(Again::Later, Again::After),
        _ => Again::Never,
    }
}
