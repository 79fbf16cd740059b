//! What a look of the watchdog has found that is to be reported.

use std::sync::Weak;
use std::time::{Duration, SystemTime};

use worker_metrics::{Identity, WorkerInfo};
use worker_metrics_thread_dump::ThreadId;

use super::source::WatchedSource;
use super::witness::Sight;
use crate::stall::Begun;

#[derive(Debug)]
pub(super) enum Event {
    /// A stall is proved, and goes on.
    Begun(Box<Proved>),
    /// A stall is over.
    Ended(Ended),
    /// A worker's polls take so long that it gets to sockets and timers only every now and then.
    LongPolls { identity: Identity, worker: usize, own_time: Duration },
}

/// A stall as it was when it was proved: all of it but the names of its functions, which take time.
#[derive(Debug)]
pub(super) struct Proved {
    pub(super) identity: Identity,
    pub(super) source: Weak<WatchedSource>,
    pub(super) worker: usize,
    /// Which stall of the worker it is.
    pub(super) serial: u64,
    /// When it was proved.
    pub(super) at: SystemTime,
    pub(super) begun: Begun,
    pub(super) info: WorkerInfo,
    pub(super) thread_id: Option<ThreadId>,
    pub(super) sight: Sight,
}

/// A stall that is over.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) identity: Identity,
    pub(super) worker: usize,
    /// Which stall of the worker it is.
    pub(super) serial: u64,
    /// When that was seen.
    pub(super) at: SystemTime,
    pub(super) duration: Duration,
}
