//! How the receiver misbehaves on purpose.
//! Set by tests with `Receiver::set_fault` and `Receiver::set_faults`; applied by the gate.
//! Never looks at what a request holds.

use std::time::Duration;

use tonic::Code;

use crate::Answer;

/// What the receiver does to every request, instead of storing and acknowledging it.
///
/// A request meets the fault that is set when it has arrived, and no later one. It is stored
/// exactly if its answer has a status of success: 2xx, and no `grpc-status` other than 0. So what a
/// peer rightly takes for lost is lost, and a test can tell what has to come again. Two faults part
/// from that rule, as their names say: [`Garbage`](Self::Garbage) is not stored, and
/// [`CloseAfterStoring`](Self::CloseAfterStoring) is.
///
/// A request that is not valid is refused as always, even if the fault would have had it stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Fault {
    /// No fault: every valid request is stored and acknowledged.
    #[default]
    None,
    /// Requests are read and not answered, until the receiver stops or has another fault (or none).
    /// Those that are still waiting then are refused as unavailable (503 over HTTP), which a peer
    /// may retry, whatever the new fault is: a peer that ran into its timeout just before must not
    /// find its request stored.
    Hang,
    /// Every request is stored and acknowledged this much later, even if the fault has changed
    /// meanwhile. A request whose peer closed it before is not stored.
    Delay(Duration),
    /// Every request is refused with this status.
    Status {
        /// The status over gRPC. [`Code::Ok`] gives an answer without a message, which peers take
        /// for an internal error.
        grpc: Code,
        /// The status over HTTP; one that is not within `200..=999` gives 500. The body is a
        /// `google.rpc.Status`, as OTLP wants.
        http: u16,
        /// When the peer may try again: `google.rpc.RetryInfo` over gRPC, `Retry-After` in whole
        /// seconds (rounded up) over HTTP. Absent if `None`.
        retry_after: Option<Duration>,
    },
    /// Every request is stored as a whole, counted as an export, and acknowledged as a partial
    /// success.
    PartialSuccess {
        /// The data points that the answer calls rejected.
        rejected: i64,
        /// The error message of the answer.
        message: String,
    },
    /// Every request is answered with a success whose body is no protobuf: HTTP status 200 with
    /// broken bytes; over gRPC a well-formed frame with the same bytes and `grpc-status: 0`, which
    /// a peer reports as an internal error of its own.
    Garbage,
    /// The connection is closed without an answer when the request has been read, and with it every
    /// other request on it.
    Reset,
    /// The connection is closed when the head of a request has arrived, before its body is read.
    CloseBeforeReading,
    /// The request is stored, then the connection is closed: the answer is lost.
    CloseAfterStoring,
    /// The request is answered with this. It is stored exactly if [`Answer::is_acceptance`].
    Answer(Answer),
    /// The request is stored, and answered with a success whose body never ends: a zero byte each
    /// 10 ms.
    EndlessBody,
    /// The request is stored, and answered with a success of so many zero bytes, which are
    /// streamed.
    HugeBody(usize),
    /// The request is stored, and answered with a success with a header (`x-huge`) of so many
    /// bytes.
    HugeHeaders(usize),
}

/// The partial success that an acknowledgement has to carry, if any.
///
/// The gate decides it once for each request, so that a fault set meanwhile cannot split a request
/// between two faults.
#[derive(Clone, Debug)]
pub(crate) struct PartialSuccess(pub(crate) Option<(i64, String)>);
