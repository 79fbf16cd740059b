//! A forward proxy.
//! Started by tests between a client that is told to use a proxy and a receiver.
//! Never resolves a name: every host is the receiver.

use std::{
    convert::Infallible,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    body::Body,
    http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header, uri::PathAndQuery},
};
use hyper::{body::Incoming, client, server, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::background::Background;

/// An HTTP/1.1 forward proxy that takes one address for every host, and notes what it was asked
/// for.
///
/// It understands requests with an absolute URI (`POST http://host:4318/v1/metrics`), which it
/// passes on, and `CONNECT`, for which it makes a tunnel. Anything else gets 400. Dropping it
/// closes its port and all connections.
///
/// # Examples
///
/// ```rust
/// use otlp_receiver::{HttpProxy, Receiver};
///
/// let receiver = Receiver::start()?;
/// let proxy = HttpProxy::start(([127, 0, 0, 1], receiver.http_port()))?;
/// // … let an exporter with HTTP_PROXY=proxy.url() send to http://collector.test:4318, then:
/// assert_eq!(proxy.hosts(), [] as [String; 0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct HttpProxy {
    port: u16,
    requests: Requests,
    _server: Background,
}

type Requests = Arc<Mutex<Vec<ProxyRequest>>>;

/// What a proxy was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyRequest {
    /// The method, `CONNECT` for a tunnel.
    pub method: String,
    /// The host, without the port.
    pub host: String,
    /// The port, if one was named.
    pub port: Option<u16>,
    /// The header `proxy-authorization`.
    pub authorization: Option<String>,
}

impl HttpProxy {
    /// Starts a proxy on a free port of 127.0.0.1 that takes this address for every host.
    ///
    /// # Errors
    ///
    /// If no port is free, or no thread or runtime can be had.
    pub fn start(to: impl Into<SocketAddr>) -> io::Result<Self> {
        let to = to.into();
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let requests = Requests::default();
        let noted = Arc::clone(&requests);
        let server = Background::start("otlp-proxy", move || {
            let listener = TcpListener::from_std(listener)?;
            Ok(serve(listener, to, noted))
        });
        Ok(Self { port, requests, _server: server.map_err(io::Error::other)? })
    }

    /// The port that the proxy listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `http://127.0.0.1:PORT`, as `HTTP_PROXY` has it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What was asked for, in order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<ProxyRequest> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The hosts that were asked for, in order of arrival; one that was asked for again is
    /// repeated.
    #[must_use]
    pub fn hosts(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| request.host).collect()
    }
}

async fn serve(listener: TcpListener, to: SocketAddr, noted: Requests) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let noted = Arc::clone(&noted);
                let service = service_fn(move |request| answer(request, to, Arc::clone(&noted)));
                let connection = server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                // An error here is the peer's.
                connections.spawn(async move { _ = connection.with_upgrades().await });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    to: SocketAddr,
    noted: Requests,
) -> Result<Response<Body>, Infallible> {
    let Some(authority) = request.uri().authority() else {
        return Ok(status(StatusCode::BAD_REQUEST));
    };
    let authorization = request.headers().get(header::PROXY_AUTHORIZATION);
    let asked = ProxyRequest {
        method: request.method().to_string(),
        host: authority.host().to_owned(),
        port: authority.port_u16(),
        authorization: authorization
            .map(HeaderValue::as_bytes)
            .map(|value| String::from_utf8_lossy(value).into_owned()),
    };
    noted.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
    let Ok(upstream) = TcpStream::connect(to).await else {
        return Ok(status(StatusCode::BAD_GATEWAY));
    };
    if request.method() == Method::CONNECT {
        tokio::spawn(tunnel(request, upstream));
        return Ok(status(StatusCode::OK));
    }
    Ok(pass_on(request, upstream).await.unwrap_or_else(|_| status(StatusCode::BAD_GATEWAY)))
}

async fn tunnel(request: Request<Incoming>, mut upstream: TcpStream) {
    if let Ok(upgraded) = hyper::upgrade::on(request).await {
        _ = copy_bidirectional(&mut TokioIo::new(upgraded), &mut upstream).await;
    }
}

/// Sends the request as if it had come without a proxy.
async fn pass_on(mut request: Request<Incoming>, upstream: TcpStream) -> hyper::Result<Response<Body>> {
    let path = request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from(path);
    request.headers_mut().remove(header::PROXY_AUTHORIZATION);
    request.headers_mut().remove("proxy-connection");
    let (mut sender, connection) = client::conn::http1::handshake(TokioIo::new(upstream)).await?;
    tokio::spawn(connection);
    Ok(sender.send_request(request).await?.map(Body::new))
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
