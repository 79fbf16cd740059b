//! The gate before both servers: it reads a request, counts it, notes how it travelled, and applies
//! the fault. Called by the router of each server for every request, whatever its path. Never looks
//! into a body.

use std::{future::pending, sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    body::{Body, Bytes},
    extract::{self, Request},
    middleware::{self, Next},
    response::Response,
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::Notify;
use tonic::{Code, Status};

use crate::{
    Answer, Fault, Protocol, Transport,
    fault::PartialSuccess,
    grpc, http, outsize,
    script::{Met, Script},
    store::Store,
};

/// The largest message that is read, in bytes, before and after decompression. The collector's
/// default over HTTP is 20 MiB (`confighttp`, `max_request_body_size`), over gRPC 4 MiB; two
/// histograms of 119 buckets for 64 workers are 250 kB.
pub(crate) const MAX_MESSAGE: usize = 16 << 20;

/// Bytes that no protobuf message begins with: a tag that never ends.
pub(crate) const GARBAGE: [u8; 12] = [0xff; 12];

/// What a server's requests have to pass.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    pub(crate) protocol: Protocol,
    pub(crate) store: Arc<Store>,
    pub(crate) script: Arc<Script>,
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

    /// Closes the connection; nobody is left to take the response.
    async fn close(&self) -> Response {
        self.close.notify_one();
        pending().await
    }
}

/// What becomes of a request.
#[derive(Debug)]
enum Verdict {
    Pass(PartialSuccess),
    /// The request is stored, and answered with this in place of the acknowledgement.
    Store(Instead),
    Answer(Answer),
    Refuse {
        grpc: Code,
        http: u16,
        message: &'static str,
        retry_after: Option<Duration>,
    },
    Garbage,
    Close,
}

/// What a peer gets in place of the acknowledgement.
#[derive(Debug)]
enum Instead {
    Nothing,
    Answer(Answer),
    EndlessBody,
    HugeBody(usize),
    HugeHeaders(usize),
}

impl Gate {
    /// The router of a server, behind this gate.
    pub(crate) fn before(self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self, pass))
    }

    /// The verdict on a request that met this fault: at once, or when the fault no longer holds it
    /// back.
    async fn verdict(&self, met: Met) -> Verdict {
        match met.fault {
            Fault::None => Verdict::Pass(PartialSuccess(None)),
            Fault::PartialSuccess { rejected, message } => {
                Verdict::Pass(PartialSuccess(Some((rejected, message))))
            }
            Fault::Delay(delay) => {
                tokio::time::sleep(delay).await;
                Verdict::Pass(PartialSuccess(None))
            }
            Fault::Hang => {
                self.script.changed_since(&met).await;
                let message = "the receiver no longer hangs; send the request again";
                Verdict::Refuse { grpc: Code::Unavailable, http: 503, message, retry_after: None }
            }
            Fault::Status { grpc, http, retry_after } => {
                let message = "the receiver was told to refuse; clear its fault";
                Verdict::Refuse { grpc, http, message, retry_after }
            }
            Fault::Garbage => Verdict::Garbage,
            Fault::Reset | Fault::CloseBeforeReading => Verdict::Close,
            Fault::CloseAfterStoring => Verdict::Store(Instead::Nothing),
            Fault::Answer(answer) if answer.is_acceptance() => Verdict::Store(Instead::Answer(answer)),
            Fault::Answer(answer) => Verdict::Answer(answer),
            Fault::EndlessBody => Verdict::Store(Instead::EndlessBody),
            Fault::HugeBody(size) => Verdict::Store(Instead::HugeBody(size)),
            Fault::HugeHeaders(size) => Verdict::Store(Instead::HugeHeaders(size)),
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
    if gate.script.take_if(|fault| *fault == Fault::CloseBeforeReading).is_some() {
        gate.store.arrived(None);
        return connection.close().await;
    }
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
    // Before it is counted: who waits for the count and then sets another fault means the requests
    // after this one.
    let met = gate.script.take();
    gate.store.arrived(Some(Transport::new(gate.protocol, &parts, body.len())));
    match gate.verdict(met).await {
        Verdict::Pass(partial_success) => {
            parts.extensions.insert(partial_success);
            next.run(Request::from_parts(parts, Body::from(body))).await
        }
        Verdict::Store(instead) => {
            parts.extensions.insert(PartialSuccess(None));
            let response = next.run(Request::from_parts(parts, Body::from(body))).await;
            if !is_acknowledgement(&response) {
                return response;
            }
            match instead {
                Instead::Nothing => connection.close().await,
                Instead::Answer(answer) => answer.into_response(),
                Instead::EndlessBody => outsize::endless_body(gate.protocol),
                Instead::HugeBody(size) => outsize::huge_body(gate.protocol, size),
                Instead::HugeHeaders(size) => outsize::huge_headers(gate.protocol, size),
            }
        }
        Verdict::Answer(answer) => answer.into_response(),
        Verdict::Refuse { grpc, http, message, retry_after } => gate.refuse(grpc, http, message, retry_after),
        Verdict::Garbage => match gate.protocol {
            Protocol::Grpc => grpc::garbage(),
            Protocol::Http => http::garbage(),
        },
        Verdict::Close => connection.close().await,
    }
}

/// Whether a server's own response says that it stored the request: a refusal over gRPC has its
/// status in the headers.
fn is_acknowledgement(response: &Response) -> bool {
    response.status().is_success() && !response.headers().contains_key(Status::GRPC_STATUS)
}
