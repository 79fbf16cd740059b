//! Why a worker is stalled.
//!
//! Found by a watchdog; the value of an attribute.

use std::fmt;

/// Why a worker is stalled: a few causes, each with a remedy of its own.
///
/// # Examples
///
/// ```
/// use worker_metrics::StallCause;
///
/// assert_eq!(StallCause::BlockingIo.as_str(), "blocking_io");
/// assert_eq!(StallCause::BlockingIo.to_string(), "blocking I/O");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StallCause {
    /// None of the others is proved. The first: it is the one of which there are series before any
    /// stall.
    #[default]
    Unknown,
    /// It computes: split the work with yields, or move it to `spawn_blocking` or a pool.
    Computing,
    /// It waits for a lock, a condition variable or a channel: hold locks for a shorter time, or
    /// use those of the runtime.
    Lock,
    /// It waits for a file, a socket or a pipe: use the runtime's I/O, or `spawn_blocking`.
    BlockingIo,
    /// It sleeps: use the runtime's timer.
    Sleeping,
    /// It waits for a child process or for another thread to end.
    Waiting,
    /// It would run, and gets no CPU: too many threads, a quota, or a neighbour.
    NoCpu,
}

impl StallCause {
    /// Every cause, in the order of the series.
    pub const ALL: [Self; 7] = [
        Self::Unknown,
        Self::Computing,
        Self::Lock,
        Self::BlockingIo,
        Self::Sleeping,
        Self::Waiting,
        Self::NoCpu,
    ];

    /// The value of the attribute.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Computing => "computing",
            Self::Lock => "lock",
            Self::BlockingIo => "blocking_io",
            Self::Sleeping => "sleeping",
            Self::Waiting => "waiting",
            Self::NoCpu => "no_cpu",
        }
    }

    /// Index of the cause in every array by cause.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for StallCause {
    /// What the worker does, in words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "cause unknown",
            Self::Computing => "computing",
            Self::Lock => "waiting for a lock",
            Self::BlockingIo => "blocking I/O",
            Self::Sleeping => "sleeping",
            Self::Waiting => "waiting for a child or another thread",
            Self::NoCpu => "no CPU available",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_stands_at_its_index() {
        for (index, cause) in StallCause::ALL.into_iter().enumerate() {
            assert_eq!(cause.index(), index);
        }
    }
}
