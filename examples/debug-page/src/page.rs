//! The part to copy: a page that is served from a thread of its own, with a runtime of its own.
//!
//! A page on the observed runtime would be silent just when it is wanted. On loopback only: a dump
//! names files, peers and code.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread::{self, JoinHandle};

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use tokio::sync::oneshot;
use worker_metrics_otel::Instrumentation;

/// The page, until it is dropped.
#[derive(Debug)]
pub(crate) struct DebugPage {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl DebugPage {
    pub(crate) fn serve(workers: &Instrumentation, port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let app = Router::new()
            .route("/debug/workers", get(page))
            .route("/debug/workers.json", get(json))
            .with_state(workers.clone());
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let thread = thread::Builder::new().name("debug-page".to_owned()).spawn(move || {
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                tokio::select! {
                    served = async { axum::serve(listener, app).await } => served,
                    _ = stopped => Ok(()),
                }
            })
        })?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for DebugPage {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(Ok(Err(error))) = self.thread.take().map(JoinHandle::join) {
            eprintln!("the debug page ended: {error}");
        }
    }
}

async fn page(State(workers): State<Instrumentation>, headers: HeaderMap) -> Response {
    let accepts = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accepts.contains("application/json") {
        return json(State(workers)).await;
    }
    format!("{}\n", workers.dump()).into_response()
}

async fn json(State(workers): State<Instrumentation>) -> Response {
    Json(workers.dump()).into_response()
}
