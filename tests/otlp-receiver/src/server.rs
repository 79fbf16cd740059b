//! The receiver's thread: its runtime, and the two servers on it.
//! Started by `ReceiverBuilder::start`; ends when `Receiver` is dropped.
//! Never waits for a peer in order to stop: what is under way then is cut off.

use std::{
    io,
    net::TcpListener as StdListener,
    sync::{Arc, mpsc},
    time::Duration,
};

use axum::{Extension, Router};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{oneshot, watch},
    task::JoinSet,
};

use crate::{
    Fault, Protocol,
    gate::{Connection, Gate},
    grpc, http,
    store::Store,
};

/// How long a server that cannot accept waits before it tries again. The causes (no more file descriptors, mostly) pass by
/// themselves or not at all; axum's `serve` waits 1 s.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// What the thread needs.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) grpc: StdListener,
    pub(crate) http: StdListener,
    pub(crate) store: Arc<Store>,
    pub(crate) faults: watch::Receiver<Fault>,
    /// Stops the server when it is dropped.
    pub(crate) stop: oneshot::Receiver<()>,
}

impl Server {
    /// Serves until it is stopped; says first whether it could begin.
    pub(crate) fn run(self, started: &mpsc::Sender<io::Result<()>>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
        let outcome = runtime.and_then(|runtime| runtime.block_on(self.serve(started)));
        if let Err(error) = outcome {
            // Nobody listens any more only if the starter is gone.
            _ = started.send(Err(error));
        }
    }

    async fn serve(self, started: &mpsc::Sender<io::Result<()>>) -> io::Result<()> {
        let grpc_listener = TcpListener::from_std(self.grpc)?;
        let http_listener = TcpListener::from_std(self.http)?;
        let gate = |protocol| Gate { protocol, store: Arc::clone(&self.store), faults: self.faults.clone() };
        let grpc = gate(Protocol::Grpc).before(grpc::router(Arc::clone(&self.store)));
        let http = gate(Protocol::Http).before(http::router(Arc::clone(&self.store)));
        _ = started.send(Ok(()));
        tokio::select! {
            _ = self.stop => {}
            () = listen(grpc_listener, grpc) => {}
            () = listen(http_listener, http) => {}
        }
        Ok(())
    }
}

/// Accepts connections for ever; dropping this closes them all.
async fn listen(listener: TcpListener, router: Router) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => _ = connections.spawn(converse(stream, router.clone())),
                Err(_) => tokio::time::sleep(ACCEPT_AGAIN).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Serves one connection, until the peer or the gate closes it.
async fn converse(stream: TcpStream, router: Router) {
    // Without it an answer may wait for the peer's delayed acknowledgement (40 ms on Linux).
    _ = stream.set_nodelay(true);
    let connection = Connection::default();
    let service = TowerToHyperService::new(router.layer(Extension(connection.clone())));
    let server = Builder::new(TokioExecutor::new());
    tokio::select! {
        // An error here is the peer's: it went away, or does not speak HTTP.
        _ = server.serve_connection(TokioIo::new(stream), service) => {}
        () = connection.closed() => {}
    }
}
