//! The receiver: starting, reading, waiting, misbehaving, stopping.
//! Used by examples and integration tests.
//! Never runs anything on the caller's runtime.

use std::{
    fmt, io,
    net::{Ipv4Addr, TcpListener},
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use tokio::sync::{oneshot, watch};

use crate::{Document, Fault, Protocol, ReceiverError, State, Transport, http, server::Server, store::Store};

/// An OTLP metrics receiver on two loopback ports, on a thread and a runtime of its own.
///
/// Dropping it stops it: both ports and all connections are closed, requests under way are cut off, and the thread is
/// joined, which blocks for a moment. The ports can then be bound again, see [`ReceiverBuilder::grpc_port`].
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
    grpc_port: u16,
    http_port: u16,
    store: Arc<Store>,
    faults: watch::Sender<Fault>,
    /// The server stops when this is dropped.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
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

    /// The port of the gRPC server.
    #[must_use]
    pub fn grpc_port(&self) -> u16 {
        self.grpc_port
    }

    /// The port of the HTTP server.
    #[must_use]
    pub fn http_port(&self) -> u16 {
        self.http_port
    }

    /// `http://127.0.0.1:PORT` of the gRPC server.
    #[must_use]
    pub fn grpc_endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.grpc_port)
    }

    /// `http://127.0.0.1:PORT/v1/metrics` of the HTTP server: an endpoint for metrics alone.
    #[must_use]
    pub fn http_endpoint(&self) -> String {
        format!("{}{}", self.http_base(), http::PATH)
    }

    /// `http://127.0.0.1:PORT` of the HTTP server: a base for all signals, as `OTEL_EXPORTER_OTLP_ENDPOINT` has it.
    #[must_use]
    pub fn http_base(&self) -> String {
        format!("http://127.0.0.1:{}", self.http_port)
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

    /// Waits until the condition holds: true if it does, at once or before the time is over.
    ///
    /// The condition is looked at now and after every request. It must not call this receiver, whose state is locked.
    #[must_use]
    pub fn wait_until(&self, timeout: Duration, condition: impl FnMut(&State) -> bool) -> bool {
        self.store.wait_until(timeout, condition)
    }

    /// Waits until at least so many requests were accepted: true if they were before the time is over.
    #[must_use]
    pub fn wait_for_exports(&self, exports: u64, timeout: Duration) -> bool {
        self.wait_until(timeout, |state| state.exports() >= exports)
    }

    /// Misbehaves like this from now on, on both ports; [`Fault::None`] ends it.
    pub fn set_fault(&self, fault: Fault) {
        self.faults.send_replace(fault);
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The thread has nothing to report, and a panic on it must not become one here.
            _ = thread.join();
        }
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("grpc_port", &self.grpc_port)
            .field("http_port", &self.http_port)
            .field("fault", &*self.faults.borrow())
            .finish_non_exhaustive()
    }
}

/// The options of a [`Receiver`]; by default both ports are free ones and requests are not kept.
#[derive(Clone, Debug, Default)]
pub struct ReceiverBuilder {
    grpc_port: u16,
    http_port: u16,
    keep_requests: bool,
}

impl ReceiverBuilder {
    /// The port of the gRPC server, 0 for a free one. With the port of a receiver that was stopped, the new one takes its
    /// place.
    #[must_use]
    pub fn grpc_port(self, port: u16) -> Self {
        Self { grpc_port: port, ..self }
    }

    /// The port of the HTTP server, 0 for a free one.
    #[must_use]
    pub fn http_port(self, port: u16) -> Self {
        Self { http_port: port, ..self }
    }

    /// Whether [`Receiver::requests`] keeps every accepted request; they add up for as long as the receiver runs.
    #[must_use]
    pub fn keep_requests(self, keep: bool) -> Self {
        Self { keep_requests: keep, ..self }
    }

    /// Starts the receiver; peers can connect as soon as this returns.
    ///
    /// # Errors
    ///
    /// If a port cannot be bound, or no thread or runtime can be had.
    pub fn start(self) -> Result<Receiver, ReceiverError> {
        let (grpc, grpc_port) = bind(Protocol::Grpc, self.grpc_port)?;
        let (http, http_port) = bind(Protocol::Http, self.http_port)?;
        let store = Arc::new(Store::new(self.keep_requests));
        let (faults, faults_seen) = watch::channel(Fault::None);
        let (stop, stopped) = oneshot::channel();
        let server = Server { grpc, http, store: Arc::clone(&store), faults: faults_seen, stop: stopped };
        let (started, outcome) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("otlp-receiver".to_owned())
            .spawn(move || server.run(&started))
            .map_err(ReceiverError::Thread)?;
        // The thread ends without a word only by a panic.
        outcome
            .recv()
            .unwrap_or_else(|_| Err(io::Error::other("the thread ended")))
            .map_err(ReceiverError::Runtime)?;
        Ok(Receiver { grpc_port, http_port, store, faults, stop: Some(stop), thread: Some(thread) })
    }
}

fn bind(protocol: Protocol, port: u16) -> Result<(TcpListener, u16), ReceiverError> {
    let open = || {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        Ok((listener, port))
    };
    open().map_err(|source| ReceiverError::Bind { protocol, port, source })
}
