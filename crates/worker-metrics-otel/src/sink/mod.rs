//! Where the histograms go: an OTLP receiver, over gRPC or HTTP/protobuf.
//!
//! Called by the exporter on the reader's thread; works on a thread of its own, never on a runtime of the program. A send ends within
//! its timeout, whatever the receiver does. Nothing secret is in `Debug`, errors or logs.

mod acknowledged;
mod compression;
mod endpoint;
mod environment;
mod error;
#[cfg(feature = "grpc-tonic")]
mod grpc;
mod headers;
#[cfg(feature = "http-proto")]
mod http;
mod retry;
#[cfg(all(test, any(feature = "grpc-tonic", feature = "http-proto")))]
mod tests;
mod thread;
mod tls;
mod transport;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

pub(crate) use acknowledged::Acknowledged;
pub use compression::Compression;
pub use endpoint::Protocol;
pub use error::{SendError, SinkError};

use endpoint::Endpoint;
use environment::Environment;
use headers::Headers;
use thread::SinkThread;
use transport::Transport;

/// An OTLP receiver that histograms are sent to.
///
/// [`from_env`](Self::from_env) takes it from the environment, as the specification of the OpenTelemetry protocol exporter says;
/// [`grpc`](Self::grpc) and [`http`](Self::http) from a channel or a client that the program has. Clones are the same receiver.
///
/// Whatever may be sent again (an unreachable receiver, `UNAVAILABLE`, 503 and the like) is sent again until the timeout, no sooner
/// than the receiver asks for.
///
/// **Cost**: one thread, `worker-metrics-otlp`, which sleeps between the exports and ends with the last clone.
#[derive(Clone)]
pub struct Sink {
    transport: Transport,
    headers: Headers,
    timeout: Duration,
    compression: Compression,
    thread: Arc<SinkThread>,
}

impl Sink {
    /// The receiver that the environment names.
    ///
    /// It reads `OTEL_EXPORTER_OTLP_METRICS_X`, or else `OTEL_EXPORTER_OTLP_X`, for `X` in `ENDPOINT`, `PROTOCOL`, `HEADERS`,
    /// `TIMEOUT`, `COMPRESSION`, `INSECURE`, and with the feature `tls` `CERTIFICATE`, `CLIENT_KEY` and `CLIENT_CERTIFICATE`, which are
    /// the names of PEM files. A certificate is trusted in place of those of the system. Without any variable that is `http/protobuf` to `http://localhost:4318/v1/metrics`, or gRPC to
    /// `http://localhost:4317` where HTTP is not compiled in.
    ///
    /// # Errors
    ///
    /// [`SinkError`] if a variable is bad. It names the variable, its value unless that may be secret, and the remedy.
    pub fn from_env() -> Result<Self, SinkError> {
        Self::of(&Environment::of_process())
    }

    fn of(environment: &Environment) -> Result<Self, SinkError> {
        let protocol = environment.protocol()?;
        Self::new(environment, &environment.endpoint(protocol)?)
    }

    /// [`from_env`](Self::from_env), but for the protocol and the endpoint, which are given: a base such as
    /// `http://localhost:4317` for gRPC, the whole URL such as `http://localhost:4318/v1/metrics` for HTTP.
    ///
    /// # Errors
    ///
    /// [`SinkError`] if the endpoint is no URL, or a variable is bad.
    pub fn from_env_to(protocol: Protocol, endpoint: &str) -> Result<Self, SinkError> {
        let endpoint = Endpoint::given("the endpoint", endpoint, protocol)?.connectable("the endpoint")?;
        Self::new(&Environment::of_process(), &endpoint)
    }

    fn new(environment: &Environment, endpoint: &Endpoint) -> Result<Self, SinkError> {
        let headers = environment.headers()?;
        let timeout = environment.timeout()?;
        let compression = environment.compression()?;
        let tls = environment.tls(endpoint)?;
        let thread = SinkThread::start().map_err(SinkError::Thread)?;
        let transport = Transport::to(endpoint, tls, &thread)?;
        Ok(Self { transport, headers, timeout, compression, thread: Arc::new(thread) })
    }

    /// The receiver at the end of a channel. Neither headers nor timeout of the environment hold for it.
    ///
    /// The channel should not live on the runtime that is observed: when all its workers are blocked, no export leaves.
    ///
    /// # Errors
    ///
    /// [`SinkError`] if no thread can be started.
    #[cfg(feature = "grpc-tonic")]
    pub fn grpc(channel: tonic::transport::Channel) -> Result<Self, SinkError> {
        Self::over(Transport::grpc(channel))
    }

    /// The receiver that `client` reaches at `endpoint`, the whole URL. Neither headers nor timeout of the environment hold for it.
    ///
    /// # Errors
    ///
    /// [`SinkError`] if the endpoint is no URL, or no thread can be started.
    #[cfg(feature = "http-proto")]
    pub fn http(
        client: impl opentelemetry_http::HttpClient + 'static,
        endpoint: &str,
    ) -> Result<Self, SinkError> {
        let endpoint = Endpoint::given("the endpoint", endpoint, Protocol::HttpProtobuf)?;
        Self::over(Transport::http(Arc::new(client), &endpoint))
    }

    #[cfg(any(feature = "grpc-tonic", feature = "http-proto"))]
    fn over(transport: Transport) -> Result<Self, SinkError> {
        Ok(Self {
            transport,
            headers: Headers::default(),
            timeout: environment::DEFAULT_TIMEOUT,
            compression: Compression::None,
            thread: Arc::new(SinkThread::start().map_err(SinkError::Thread)?),
        })
    }

    /// Adds a header to each request, in place of one of the same name.
    ///
    /// # Errors
    ///
    /// [`SinkError`] if it is no header; the error names it, and not its value.
    pub fn with_header(mut self, name: &str, value: &str) -> Result<Self, SinkError> {
        self.headers.set("the header", name, value)?;
        Ok(self)
    }

    /// Sets how long a send may take, with everything that is sent again.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how requests are compressed.
    ///
    /// # Errors
    ///
    /// [`SinkError`] if that compression is not compiled in.
    pub fn with_compression(mut self, compression: Compression) -> Result<Self, SinkError> {
        self.compression = compression.available("the compression")?;
        Ok(self)
    }

    /// Sends one encoded `ExportMetricsServiceRequest`.
    pub(crate) async fn send(&self, request: Bytes) -> Result<Acknowledged, SendError> {
        let Self { transport, headers, compression, timeout, .. } = self.clone();
        let sending = async move {
            let once = transport.prepare(request, headers, compression)?;
            retry::until_acknowledged(timeout, || once.send()).await
        };
        self.thread.run(sending).await?
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sink")
            .field("transport", &self.transport)
            .field("headers", &self.headers)
            .field("timeout", &self.timeout)
            .field("compression", &self.compression)
            .finish()
    }
}
