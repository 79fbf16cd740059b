//! The receiver's two servers.
//! Run by `ReceiverBuilder::start` on a thread of its own; they end when `Receiver` is dropped.
//! Never decides what becomes of a request: the gate does.

use std::{io, net::TcpListener as StdListener, sync::Arc, time::Duration};

use axum::{Extension, Router};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
#[cfg(feature = "tls")]
use tokio_rustls::TlsAcceptor;

#[cfg(feature = "tls")]
use crate::Tls;
use crate::{
    Protocol,
    gate::{Connection, Gate},
    grpc, http,
    script::Script,
    store::Store,
};

/// How long a server that cannot accept waits before it tries again. The causes (no more file
/// descriptors, mostly) pass by themselves or not at all; axum's `serve` waits 1 s.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// What both servers share.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) store: Arc<Store>,
    pub(crate) script: Arc<Script>,
    pub(crate) strict: bool,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<Tls>,
}

impl Server {
    /// Serves one port for ever; dropping the future closes all connections.
    ///
    /// # Errors
    ///
    /// If the runtime, within which this has to be called, cannot take the listener.
    pub(crate) fn listen(
        self,
        protocol: Protocol,
        listener: StdListener,
    ) -> io::Result<impl Future<Output = ()>> {
        let listener = TcpListener::from_std(listener)?;
        let router = match protocol {
            Protocol::Grpc => grpc::router(Arc::clone(&self.store)),
            Protocol::Http => http::router(Arc::clone(&self.store)),
        };
        let gate = Gate { protocol, store: Arc::clone(&self.store), script: self.script };
        let http = Builder::new(TokioExecutor::new());
        let port = Port {
            router: gate.before(router),
            #[cfg(feature = "tls")]
            tls: self.tls.map(|tls| tls.acceptor(protocol)),
            http: match protocol {
                _ if !self.strict => http,
                Protocol::Grpc => http.http2_only(),
                Protocol::Http => http.http1_only(),
            },
        };
        Ok(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => match accepted {
                        Ok((stream, _)) => {
                            self.store.connected(protocol);
                            connections.spawn(port.clone().converse(stream));
                        }
                        Err(_) => tokio::time::sleep(ACCEPT_AGAIN).await,
                    },
                    Some(_) = connections.join_next() => {}
                }
            }
        })
    }
}

/// How a port serves its connections.
#[derive(Clone)]
struct Port {
    router: Router,
    #[cfg(feature = "tls")]
    tls: Option<TlsAcceptor>,
    http: Builder<TokioExecutor>,
}

impl Port {
    /// Serves one connection, until the peer or the gate closes it.
    async fn converse(self, stream: TcpStream) {
        // Without it an answer may wait for the peer's delayed acknowledgement (40 ms on Linux).
        _ = stream.set_nodelay(true);
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            // An error here is the peer's: it does not speak TLS, or does not trust us, or we do
            // not trust it.
            if let Ok(stream) = tls.accept(stream).await {
                self.exchange(stream).await;
            }
            return;
        }
        self.exchange(stream).await;
    }

    async fn exchange(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let connection = Connection::default();
        let service = TowerToHyperService::new(self.router.clone().layer(Extension(connection.clone())));
        tokio::select! {
            // An error here is the peer's: it went away, or does not speak HTTP.
            _ = self.http.serve_connection(TokioIo::new(stream), service) => {}
            () = connection.closed() => {}
        }
    }
}
