//! Connections by way of the proxy of the environment: `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and
//! `NO_PROXY`.

use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderValue, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

/// Connects to a host, or to the proxy that the environment names for it: by a tunnel where the
/// connection is secured.
#[derive(Clone)]
pub(super) struct ProxyConnector {
    matcher: Arc<Matcher>,
    direct: HttpConnector,
}

impl ProxyConnector {
    pub(super) fn of_environment() -> Self {
        let mut direct = HttpConnector::new();
        // TLS comes on top.
        direct.enforce_http(false);
        Self { matcher: Arc::new(Matcher::from_env()), direct }
    }

    /// What the proxy wants to see of each request to a host, if there is one and no tunnel.
    pub(super) fn authorization(&self, uri: &Uri) -> Option<HeaderValue> {
        let intercept = self.matcher.intercept(uri).filter(|_| uri.scheme_str() == Some("http"))?;
        intercept.basic_auth().cloned()
    }
}

type Connecting = Pin<Box<dyn Future<Output = Result<Stream, Box<dyn Error + Send + Sync>>> + Send>>;

impl Service<Uri> for ProxyConnector {
    type Response = Stream;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Connecting;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.direct.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let mut direct = self.direct.clone();
        let proxy = self.matcher.intercept(&uri);
        Box::pin(async move {
            let Some(proxy) = proxy else {
                return Ok(Stream { tcp: direct.call(uri).await?, is_proxied: false });
            };
            if uri.scheme_str() == Some("https") {
                let mut tunnel = Tunnel::new(proxy.uri().clone(), direct);
                if let Some(authorization) = proxy.basic_auth() {
                    tunnel = tunnel.with_auth(authorization.clone());
                }
                return Ok(Stream { tcp: tunnel.call(uri).await?, is_proxied: false });
            }
            Ok(Stream { tcp: direct.call(proxy.uri().clone()).await?, is_proxied: true })
        })
    }
}

/// A connection, which says whether it leads to a proxy: requests then name the whole URL.
pub(super) struct Stream {
    tcp: TokioIo<TcpStream>,
    is_proxied: bool,
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        self.tcp.connected().proxy(self.is_proxied)
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(context, buffer)
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(context, slices)
    }
}
