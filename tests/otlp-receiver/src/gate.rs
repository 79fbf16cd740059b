//! The gate before both servers: it reads a request, counts it, notes how it travelled, and applies the fault.
//! Called by the router of each server for every request, whatever its path.
//! Never looks into a body.

use std::{future::pending, sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    body::{Body, Bytes},
    extract::{self, Request},
    middleware::{self, Next},
    response::Response,
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::{Notify, watch};
use tonic::Code;

use crate::{Fault, Protocol, Transport, fault::PartialSuccess, grpc, http, store::Store};

/// The largest message that is read, in bytes, before and after decompression. The collector's default over HTTP is 20 MiB
/// (`confighttp`, `max_request_body_size`), over gRPC 4 MiB; two histograms of 119 buckets for 64 workers are 250 kB.
pub(crate) const MAX_MESSAGE: usize = 16 << 20;

/// Bytes that no protobuf message begins with: a tag that never ends.
pub(crate) const GARBAGE: [u8; GARBAGE_LEN as usize] = [0xff; GARBAGE_LEN as usize];
pub(crate) const GARBAGE_LEN: u8 = 12;

/// What a server's requests have to pass.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    pub(crate) protocol: Protocol,
    pub(crate) store: Arc<Store>,
    pub(crate) faults: watch::Receiver<Fault>,
}

/// The connection that a request came on; the server waits for it to be closed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connection {
    close: Arc<Notify>,
}

impl Connection {
    pub(crate) async fn closed(&self) {
        self.close.notified().await;
    }
}

/// What becomes of a request.
#[derive(Debug)]
enum Verdict {
    Pass(PartialSuccess),
    Refuse { grpc: Code, http: u16, message: &'static str, retry_after: Option<Duration> },
    Garbage,
    Close,
}

impl Gate {
    /// The router of a server, behind this gate.
    pub(crate) fn before(self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self, pass))
    }

    /// The verdict on a request that met this fault: at once, or when the fault no longer holds it back.
    async fn verdict(&self, fault: Fault) -> Verdict {
        match fault {
            Fault::None => Verdict::Pass(PartialSuccess(None)),
            Fault::PartialSuccess { rejected, message } => {
                Verdict::Pass(PartialSuccess(Some((rejected, message))))
            }
            Fault::Delay(delay) => {
                tokio::time::sleep(delay).await;
                Verdict::Pass(PartialSuccess(None))
            }
            Fault::Hang => {
                if self.faults.clone().wait_for(|fault| *fault != Fault::Hang).await.is_err() {
                    // The receiver is gone, and this future with its runtime soon.
                    pending::<()>().await;
                }
                let message = "the receiver no longer hangs; send the request again";
                Verdict::Refuse { grpc: Code::Unavailable, http: 503, message, retry_after: None }
            }
            Fault::Status { grpc, http, retry_after } => {
                let message = "the receiver was told to refuse; clear its fault";
                Verdict::Refuse { grpc, http, message, retry_after }
            }
            Fault::Garbage => Verdict::Garbage,
            Fault::Reset => Verdict::Close,
        }
    }

    fn refuse(&self, grpc: Code, http: u16, message: &str, retry_after: Option<Duration>) -> Response {
        match self.protocol {
            Protocol::Grpc => grpc::refusal(grpc, message, retry_after),
            Protocol::Http => http::refusal(http, grpc, message, retry_after),
        }
    }
}

async fn pass(
    extract::State(gate): extract::State<Gate>,
    Extension(connection): Extension<Connection>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let body: Bytes = match Limited::new(body, MAX_MESSAGE).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => {
            gate.store.arrived(None);
            return if error.is::<LengthLimitError>() {
                gate.refuse(
                    Code::ResourceExhausted,
                    413,
                    "the body is too large; send fewer points at once",
                    None,
                )
            } else {
                gate.refuse(Code::InvalidArgument, 400, "the body ends too early; send it again", None)
            };
        }
    };
    // Before it is counted: who waits for the count and then sets another fault means the requests after this one.
    let fault = gate.faults.borrow().clone();
    gate.store.arrived(Some(Transport::new(gate.protocol, &parts, body.len())));
    match gate.verdict(fault).await {
        Verdict::Pass(partial_success) => {
            parts.extensions.insert(partial_success);
            next.run(Request::from_parts(parts, Body::from(body))).await
        }
        Verdict::Refuse { grpc, http, message, retry_after } => gate.refuse(grpc, http, message, retry_after),
        Verdict::Garbage => match gate.protocol {
            Protocol::Grpc => grpc::garbage(),
            Protocol::Http => http::garbage(),
        },
        Verdict::Close => {
            connection.close.notify_one();
            pending().await
        }
    }
}
