//! Who runs the workers, and what that says of one that is not parked.
//!
//! What Tokio publishes looks the same for a worker in a long poll and for one that nobody runs.

use crate::stable::Look;

/// Who runs the workers of a runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driving {
    /// Threads of the runtime's own, from its birth to its shutdown.
    OwnThreads,
    /// One `block_on` for life, and it has begun.
    BlockOn,
    /// One `block_on` for life, which may not have begun.
    BlockOnToCome,
    /// Several calls of `block_on`, with pauses between them.
    Intermittent,
}

impl Driving {
    /// Whether a poll may be going on in a worker that has published `look`.
    pub(crate) fn is_running(self, look: &Look, alive_tasks: usize) -> bool {
        !look.is_parked()
            && match self {
                // After a shutdown the workers have unparked one last time, and no task is left.
                Self::OwnThreads => alive_tasks > 0,
                // The root future is no task.
                Self::BlockOn => true,
                Self::BlockOnToCome => !look.is_blank(),
                Self::Intermittent => false,
            }
    }
}
