//! The receiver: starting, reading, waiting, misbehaving, stopping.
//! Used by examples and integration tests.
//! Never runs anything on the caller's runtime.

use std::{
    fmt, io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener},
    sync::Arc,
    time::Duration,
};

use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest, logs::v1::ResourceLogs,
};
use tokio::net::TcpSocket;

#[cfg(feature = "tls")]
use crate::Tls;
use crate::{
    Attributes, Connections, Document, Fault, Protocol, ReceiverError, Scope, Series, State, Transport,
    Violation, background::Background, http, script::Script, server::Server, store::Store,
};

/// An OTLP metrics receiver on two loopback ports, on a thread and a runtime of its own.
///
/// Dropping it stops it: both ports and all connections are closed, requests under way are cut off,
/// and the thread is joined, which blocks for a moment. The ports can then be bound again, see
/// [`ReceiverBuilder::grpc_port`].
///
/// # Examples
///
/// ```rust
/// use otlp_receiver::{Fault, Receiver};
/// use std::time::Duration;
///
/// let receiver = Receiver::builder().keep_requests(true).start()?;
/// receiver.set_fault(Fault::Hang);
/// // Nobody sends here:
/// assert!(!receiver.wait_for_exports(1, Duration::from_millis(1)));
/// assert_eq!(receiver.attempts(), 0);
/// # Ok::<(), otlp_receiver::ReceiverError>(())
/// ```
pub struct Receiver {
    scheme: &'static str,
    ip: Ipv4Addr,
    grpc_port: u16,
    http_port: u16,
    store: Arc<Store>,
    script: Arc<Script>,
    /// Before the ports that nobody listens on.
    _servers: Background,
    /// Keeps the port of a server that was not wanted from everybody else.
    _unused: Option<TcpSocket>,
}

impl Receiver {
    /// Starts a receiver on two free ports.
    ///
    /// # Errors
    ///
    /// If no port is free, or no thread or runtime can be had.
    pub fn start() -> Result<Self, ReceiverError> {
        Self::builder().start()
    }

    /// The options of a receiver.
    #[must_use]
    pub fn builder() -> ReceiverBuilder {
        ReceiverBuilder::default()
    }

    /// The port of the gRPC server; with [`ReceiverBuilder::http_only`] a port on which nobody
    /// listens.
    #[must_use]
    pub fn grpc_port(&self) -> u16 {
        self.grpc_port
    }

    /// The port of the HTTP server; with [`ReceiverBuilder::grpc_only`] a port on which nobody
    /// listens.
    #[must_use]
    pub fn http_port(&self) -> u16 {
        self.http_port
    }

    /// `http://127.0.0.1:PORT` of the gRPC server; this and the other endpoints have the address
    /// that was chosen, and `https` with TLS.
    #[must_use]
    pub fn grpc_endpoint(&self) -> String {
        self.url(self.grpc_port)
    }

    /// `http://127.0.0.1:PORT/v1/metrics` of the HTTP server: an endpoint for metrics alone.
    #[must_use]
    pub fn http_endpoint(&self) -> String {
        format!("{}{}", self.http_base(), http::PATH)
    }

    /// `http://127.0.0.1:PORT` of the HTTP server: a base for all signals, as
    /// `OTEL_EXPORTER_OTLP_ENDPOINT` has it.
    #[must_use]
    pub fn http_base(&self) -> String {
        self.url(self.http_port)
    }

    fn url(&self, port: u16) -> String {
        format!("{}://{}:{port}", self.scheme, self.ip)
    }

    /// The last state of every series; [`State`] says what that is.
    #[must_use]
    pub fn snapshot(&self) -> Document {
        self.store.read().document()
    }

    /// Requests that were accepted, that is stored and acknowledged.
    #[must_use]
    pub fn exports(&self) -> u64 {
        self.store.read().exports()
    }

    /// TCP connections that were accepted since the start, also those that are closed again.
    #[must_use]
    pub fn connections(&self) -> Connections {
        self.store.read().connections()
    }

    /// Requests that arrived, on either port, whatever became of them.
    #[must_use]
    pub fn attempts(&self) -> u64 {
        self.store.read().attempts()
    }

    /// Points that were flagged "no recorded value".
    #[must_use]
    pub fn no_recorded_values(&self) -> u64 {
        self.store.read().no_recorded_values()
    }

    /// Series that were live and that a point flagged "no recorded value" ended.
    #[must_use]
    pub fn ended_series(&self) -> u64 {
        self.store.read().ended_series()
    }

    /// How each request that arrived as a whole travelled, if the receiver was built with
    /// [`ReceiverBuilder::keep_requests`]; otherwise the last one alone.
    #[must_use]
    pub fn transports(&self) -> Vec<Transport> {
        self.store.read().transports().to_vec()
    }

    /// How the last request that arrived as a whole travelled.
    #[must_use]
    pub fn last_transport(&self) -> Option<Transport> {
        self.store.read().last_transport().cloned()
    }

    /// The accepted requests in order of arrival; empty unless the receiver was built with
    /// [`ReceiverBuilder::keep_requests`].
    #[must_use]
    pub fn requests(&self) -> Vec<ExportMetricsServiceRequest> {
        self.store.read().requests().to_vec()
    }

    /// The accepted log records with their resource and scope, in order of arrival.
    #[must_use]
    pub fn logs(&self) -> Vec<ResourceLogs> {
        self.store.read().logs().to_vec()
    }

    /// The distinct resources of all accepted requests, in order of arrival.
    #[must_use]
    pub fn resources(&self) -> Vec<Attributes> {
        self.store.read().resources().to_vec()
    }

    /// The distinct scopes of all accepted requests, in order of arrival.
    #[must_use]
    pub fn scopes(&self) -> Vec<Scope> {
        self.store.read().scopes().to_vec()
    }

    /// The series of the metrics of this name with all their points, sorted by identity: for their
    /// [intervals](Series::intervals) and [totals](Series::total).
    ///
    /// # Panics
    ///
    /// If the receiver was built without [`ReceiverBuilder::keep_requests`].
    #[must_use]
    pub fn series(&self, metric: &str) -> Vec<Series> {
        self.store.read().series(metric)
    }

    /// The points of all series that cannot be right after those before them, in order of arrival:
    /// a [`Breach`](crate::Breach) says how.
    ///
    /// A request that a peer repeats because the answer was lost is a violation, too: its deltas
    /// overlap.
    ///
    /// # Panics
    ///
    /// If the receiver was built without [`ReceiverBuilder::keep_requests`].
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.store.read().violations()
    }

    /// Waits until the condition holds: true if it does, at once or before the time is over.
    ///
    /// The condition is looked at now and after every request. It must not call this receiver,
    /// whose state is locked.
    #[must_use]
    pub fn wait_until(&self, timeout: Duration, condition: impl FnMut(&State) -> bool) -> bool {
        self.store.wait_until(timeout, condition)
    }

    /// Waits until at least so many requests were accepted: true if they were before the time is
    /// over.
    #[must_use]
    pub fn wait_for_exports(&self, exports: u64, timeout: Duration) -> bool {
        self.wait_until(timeout, |state| state.exports() >= exports)
    }

    /// Misbehaves like this from now on, on both ports; [`Fault::None`] ends it.
    pub fn set_fault(&self, fault: Fault) {
        self.script.set(fault);
    }

    /// Misbehaves from now on like this, on both ports together: the first request meets the first
    /// fault, the second the second, and so on; those that come after the last fault meet none.
    ///
    /// This replaces what was set before, and ends every [`Fault::Hang`] of before; one of these
    /// faults that hangs does so until faults are set again.
    pub fn set_faults(&self, faults: impl IntoIterator<Item = Fault>) {
        self.script.set_each(faults);
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("grpc_port", &self.grpc_port)
            .field("http_port", &self.http_port)
            .field("fault", &self.script.peek())
            .finish_non_exhaustive()
    }
}

/// The options of a [`Receiver`]; by default both ports are free ones of 127.0.0.1, without TLS,
/// each server speaks HTTP/1.1 and HTTP/2, and requests are not kept.
#[derive(Clone, Debug)]
pub struct ReceiverBuilder {
    ip: Ipv4Addr,
    grpc_port: u16,
    http_port: u16,
    only: Option<Protocol>,
    strict: bool,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
    keep_requests: bool,
}

impl Default for ReceiverBuilder {
    fn default() -> Self {
        Self {
            ip: Ipv4Addr::LOCALHOST,
            grpc_port: 0,
            http_port: 0,
            only: None,
            strict: false,
            #[cfg(feature = "tls")]
            tls: None,
            keep_requests: false,
        }
    }
}

impl ReceiverBuilder {
    /// The address of both servers, which has to be a loopback one: 127.0.0.1 to 127.255.255.254.
    #[must_use]
    pub fn ip(self, ip: Ipv4Addr) -> Self {
        Self { ip, ..self }
    }

    /// The port of the gRPC server, 0 for a free one. With the port of a receiver that was stopped,
    /// the new one takes its place.
    #[must_use]
    pub fn grpc_port(self, port: u16) -> Self {
        Self { grpc_port: port, ..self }
    }

    /// The port of the HTTP server, 0 for a free one.
    #[must_use]
    pub fn http_port(self, port: u16) -> Self {
        Self { http_port: port, ..self }
    }

    /// Only the gRPC server listens. The port of the other is taken, and refuses connections.
    #[must_use]
    pub fn grpc_only(self) -> Self {
        Self { only: Some(Protocol::Grpc), ..self }
    }

    /// Only the HTTP server listens. The port of the other is taken, and refuses connections.
    #[must_use]
    pub fn http_only(self) -> Self {
        Self { only: Some(Protocol::Http), ..self }
    }

    /// Whether each server speaks one version of HTTP, as most do in the field.
    ///
    /// * gRPC: HTTP/2 with prior knowledge. To HTTP/1.1 it answers with the HTTP/2 frame SETTINGS
    ///   and closes, as grpc-go does.
    /// * HTTP: HTTP/1.1.
    #[must_use]
    pub fn strict(self, strict: bool) -> Self {
        Self { strict, ..self }
    }

    /// Both servers speak TLS, and nothing but TLS.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(self, tls: Tls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// Whether [`Receiver::requests`] keeps every accepted request; they add up for as long as the
    /// receiver runs.
    #[must_use]
    pub fn keep_requests(self, keep: bool) -> Self {
        Self { keep_requests: keep, ..self }
    }

    /// Starts the receiver; peers can connect as soon as this returns.
    ///
    /// # Errors
    ///
    /// If the address is not a loopback one, a port cannot be bound, or no thread or runtime can be
    /// had.
    pub fn start(self) -> Result<Receiver, ReceiverError> {
        if !self.ip.is_loopback() {
            return Err(ReceiverError::NotLoopback(self.ip));
        }
        let grpc = self.bind(Protocol::Grpc)?;
        let http = self.bind(Protocol::Http)?;
        let (grpc_port, http_port) = (grpc.port(), http.port());
        let mut unused = None;
        let mut listeners = Vec::new();
        for (protocol, bound) in [(Protocol::Grpc, grpc), (Protocol::Http, http)] {
            match bound {
                Bound::Listening(listener, _) => listeners.push((protocol, listener)),
                Bound::Unused(socket, _) => unused = Some(socket),
            }
        }
        let store = Arc::new(Store::new(self.keep_requests));
        let script = Arc::new(Script::new());
        #[cfg(feature = "tls")]
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        #[cfg(not(feature = "tls"))]
        let scheme = "http";
        let server = Server {
            store: Arc::clone(&store),
            script: Arc::clone(&script),
            strict: self.strict,
            #[cfg(feature = "tls")]
            tls: self.tls,
        };
        let servers = Background::start("otlp-receiver", move || {
            let mut ports = Vec::new();
            for (protocol, listener) in listeners {
                ports.push(server.clone().listen(protocol, listener)?);
            }
            Ok(async {
                let mut servers = tokio::task::JoinSet::new();
                ports.into_iter().for_each(|port| _ = servers.spawn(port));
                // They serve for ever.
                while servers.join_next().await.is_some() {}
            })
        })?;
        Ok(Receiver {
            scheme,
            ip: self.ip,
            grpc_port,
            http_port,
            store,
            script,
            _servers: servers,
            _unused: unused,
        })
    }

    fn bind(&self, protocol: Protocol) -> Result<Bound, ReceiverError> {
        let port = match protocol {
            Protocol::Grpc => self.grpc_port,
            Protocol::Http => self.http_port,
        };
        let wanted = self.only.is_none_or(|only| only == protocol);
        Bound::new(SocketAddrV4::new(self.ip, port), wanted).map_err(|source| ReceiverError::Bind {
            protocol,
            ip: self.ip,
            port,
            source,
        })
    }
}

/// A port that is this receiver's own.
#[derive(Debug)]
enum Bound {
    Listening(TcpListener, u16),
    /// Bound without listening: connections are refused, and nobody else gets the port.
    Unused(TcpSocket, u16),
}

impl Bound {
    fn new(address: SocketAddrV4, listen: bool) -> io::Result<Self> {
        if listen {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let port = listener.local_addr()?.port();
            return Ok(Self::Listening(listener, port));
        }
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::V4(address))?;
        let port = socket.local_addr()?.port();
        Ok(Self::Unused(socket, port))
    }

    fn port(&self) -> u16 {
        match self {
            Self::Listening(_, port) | Self::Unused(_, port) => *port,
        }
    }
}
