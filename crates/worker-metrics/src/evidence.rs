//! What shows whether a worker gets on.
//!
//! A [`Source`](crate::Source) gives it, a watchdog judges by it. Plain data.

use std::time::Duration;

/// What shows whether a worker gets on, as of one moment.
///
/// By itself a worker that publishes nothing proves nothing: it may be saturated, wait for a CPU,
/// or be suspended. A watchdog takes this together with what the system says of the worker's
/// thread.
///
/// # Examples
///
/// ```
/// use worker_metrics::Evidence;
///
/// let mut evidence = Evidence::default();
/// assert!(!evidence.is_running, "nothing is known: no stall is ever proved");
/// evidence.is_running = true;
/// evidence.thread_id = Some(4_711);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Evidence {
    /// Whether the worker runs: it is not parked, and neither it nor its runtime has ended.
    pub is_running: bool,
    /// Whether some thread drives the worker now. A worker with a thread of its own is always
    /// driven; a current-thread runtime between two calls of `block_on` is not, and `None` is the
    /// answer where nothing tells the two apart.
    pub is_driven: Option<bool>,
    /// A number that changes with every sign of life: a publication, a poll that begins or ends
    /// where the source knows of polls, an answer to a [probe](crate::Source::probe). Equal at two
    /// moments: no sign of life between them.
    pub progress: u64,
    /// For how long the poll in progress has lasted, where the source knows that exactly.
    pub poll_age: Option<Duration>,
    /// The thread that runs the worker, by its number in the system (`gettid` on Linux).
    pub thread_id: Option<u32>,
    /// Whether `thread_id` is sure to be the thread of this moment; otherwise it is the one that
    /// ran the worker when the source last heard of it, and the worker may have been handed to
    /// another, as by `block_in_place`.
    pub is_current: bool,
}
