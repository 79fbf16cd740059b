//! OTLP over gRPC.

use std::error::Error;
use std::sync::Mutex;

use bytes::{Buf, BufMut, Bytes};
use http::uri::PathAndQuery;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use prost::Message;
use tokio::runtime::Handle;
use tonic::client::Grpc as Client;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint as Builder};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::Cause;
use super::error::cause_of;
use super::retry::{Again, Failure, is_retryable};
use super::transport::{Answer, Outgoing};
use crate::lock::lock;
use crate::otlp::config::{Compression, Endpoint, Headers, OtlpError, TlsConfig};

/// A channel to a receiver.
pub(in crate::otlp) struct Grpc {
    channel: Mutex<Channel>,
    /// How the channel is made anew, and where it lives; `None` for one of the program's.
    own: Option<(Builder, Handle)>,
    interceptor: Option<Mutex<Interceptor>>,
}

/// Modifies every request, such as a token that changes.
pub(in crate::otlp) type Interceptor = Box<dyn tonic::service::Interceptor + Send>;

impl Grpc {
    /// A channel on a runtime of ours, which connects when it is used first.
    pub(in crate::otlp) fn connect(
        endpoint: &Endpoint,
        tls: Option<&TlsConfig>,
        interceptor: Option<Interceptor>,
        runtime: &Handle,
    ) -> Result<Self, OtlpError> {
        let refuse = |cause: tonic::transport::Error| OtlpError::Client(cause.into());
        let builder = match endpoint.socket() {
            Some(socket) => Builder::from_shared(socket.to_owned()).map_err(refuse)?,
            None => Channel::builder(endpoint.origin().clone()),
        };
        let builder = builder.user_agent(super::client::USER_AGENT).map_err(refuse)?;
        #[cfg(feature = "tls")]
        let builder = match tls {
            Some(tls) => builder.tls_config(tls.grpc.clone()).map_err(refuse)?,
            None => builder,
        };
        #[cfg(not(feature = "tls"))]
        let _ = tls;
        let _entered = runtime.enter();
        let channel = Mutex::new(builder.connect_lazy());
        Ok(Self { channel, own: Some((builder, runtime.clone())), interceptor: interceptor.map(Mutex::new) })
    }

    /// A channel of the program's.
    pub(in crate::otlp) fn given(channel: Channel, interceptor: Option<Interceptor>) -> Self {
        Self { channel: channel.into(), own: None, interceptor: interceptor.map(Mutex::new) }
    }

    /// Connects anew next time. TCP may notice only after a quarter of an hour that nobody answers
    /// any more.
    pub(super) fn reconnect(&self) {
        if let Some((builder, runtime)) = &self.own {
            let _entered = runtime.enter();
            *lock(&self.channel) = builder.connect_lazy();
        }
    }

    fn client(&self, compression: Compression) -> Client<Channel> {
        let client = Client::new(lock(&self.channel).clone());
        let encoding: Option<CompressionEncoding> = match compression {
            #[cfg(feature = "gzip")]
            Compression::Gzip => Some(CompressionEncoding::Gzip),
            #[cfg(feature = "zstd")]
            Compression::Zstd => Some(CompressionEncoding::Zstd),
            // Those that are not compiled in are refused when they are set.
            _ => None,
        };
        match encoding {
            // Receivers written in Go answer in the compression of the request, asked or not.
            Some(encoding) => client.send_compressed(encoding).accept_compressed(encoding),
            None => client,
        }
    }

    pub(super) async fn send(&self, outgoing: &Outgoing<'_>) -> Result<Answer, Failure> {
        let request = self.request(outgoing)?;
        let mut client = self.client(outgoing.compression);
        let failed = |status: Status| failure(&status, outgoing.secrets);
        client.ready().await.map_err(|error| failed(Status::from_error(error.into())))?;
        // Read as a stream, the status is known whatever the message is, and whether there is one.
        let method = PathAndQuery::from_static(outgoing.signal.method());
        let mut answers =
            client.server_streaming(request, method, Encoded).await.map_err(failed)?.into_inner();
        let mut answer = Answer::default();
        loop {
            let response = match answers.message().await {
                Ok(Some(response)) => response,
                Ok(None) => return Ok(answer),
                Err(status) if is_too_long(&status) => {
                    return Ok(Answer { foreign: Some("very long".to_owned()), ..answer });
                }
                Err(status) => return Err(failed(status)),
            };
            match response {
                Some(response) => {
                    answer = Answer { foreign: answer.foreign, ..Answer::of(response, outgoing.secrets) };
                }
                None => answer.foreign = Some("a message that is not OTLP".to_owned()),
            }
        }
    }

    fn request(&self, outgoing: &Outgoing<'_>) -> Result<tonic::Request<Bytes>, Failure> {
        let mut head = tonic::Request::new(());
        *head.metadata_mut() = MetadataMap::from_headers(outgoing.headers.clone());
        if let Some(interceptor) = &self.interceptor {
            let mut interceptor = lock(interceptor);
            // What it says may hold a secret: the code must do.
            head = interceptor.call(head).map_err(|status| {
                Failure::for_good(Cause::Request(format!(
                    "the interceptor refuses it with {:?}",
                    status.code()
                )))
            })?;
        }
        let (metadata, extensions, ()) = head.into_parts();
        Ok(tonic::Request::from_parts(metadata, extensions, outgoing.body.clone()))
    }
}

/// Requests that are encoded already, and answers that are decoded: `None` for what is no answer of
/// OTLP.
#[derive(Clone, Copy, Debug, Default)]
struct Encoded;

impl Codec for Encoded {
    type Encode = Bytes;
    type Decode = Option<ExportMetricsServiceResponse>;
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
    type Item = Option<ExportMetricsServiceResponse>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Self::Item>, Status> {
        let message = from.copy_to_bytes(from.remaining());
        Ok(Some(ExportMetricsServiceResponse::decode(message).ok()))
    }
}

/// Whether the receiver's message is too long to be read. A receiver that refuses a request sends a
/// status, and no message: this one took it. To send it again could count it again, without end.
///
/// **Source**: `decode_chunk` of tonic 0.14, whose words are all that tells it from a status of the
/// receiver's.
fn is_too_long(status: &Status) -> bool {
    status.code() == Code::OutOfRange
        && status.message().starts_with("Error, decoded message length too large")
}

fn failure(status: &Status, secrets: &Headers) -> Failure {
    // A status with a cause does not come from the receiver: it says what became of the connection.
    if let Some(source) = status.source() {
        let cause = cause_of(source);
        let again = match (&cause, status.code()) {
            (Cause::Unreachable(_), _) => Again::Later,
            (Cause::Broken(_), Code::Unavailable | Code::Cancelled) => Again::Later,
            _ => Again::Never,
        };
        return Failure { cause, again };
    }
    let after = status.get_details_retry_info().and_then(|info| info.retry_delay);
    let again = match (status.code(), after) {
        (Code::ResourceExhausted, Some(after)) => Again::After(after),
        (code, after) if is_retryable((code as i32).unsigned_abs()) => {
            after.map_or(Again::Later, Again::After)
        }
        _ => Again::Never,
    };
    Failure::of_status(format!("{:?}", status.code()), secrets.redact(status.message()), again)
}
