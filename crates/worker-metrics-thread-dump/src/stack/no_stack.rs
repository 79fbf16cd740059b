//! Why there is no stack of a thread.

use std::error::Error;
use std::fmt;

use crate::{LookError, Unavailable};

/// Why there is no stack of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(tag = "reason", rename_all = "snake_case"))]
#[non_exhaustive]
pub enum NoStack {
    /// The thread runs, or waits for a CPU: its stack changes while it is read. A thread that
    /// computes for long has none.
    Running,
    /// The thread has run while its stack was read. Try again.
    Moved,
    /// The thread has ended.
    Ended,
    /// The system does not let it be read.
    #[cfg_attr(feature = "serde", serde(untagged))]
    Unavailable(Unavailable),
}

impl From<LookError> for NoStack {
    fn from(error: LookError) -> Self {
        match error {
            LookError::Ended => Self::Ended,
            LookError::Unreadable(why) => Self::Unavailable(why),
        }
    }
}

impl From<Unavailable> for NoStack {
    fn from(why: Unavailable) -> Self {
        Self::Unavailable(why)
    }
}

impl fmt::Display for NoStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running => {
                f.write_str("the thread runs: only that of a thread blocked in a system call can be read")
            }
            Self::Moved => f.write_str("the thread ran while its stack was read: try again"),
            Self::Ended => f.write_str("the thread has ended"),
            Self::Unavailable(why) => why.fmt(f),
        }
    }
}

impl Error for NoStack {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Running | Self::Moved | Self::Ended => None,
            Self::Unavailable(why) => Some(why),
        }
    }
}

#[cfg(all(test, feature = "serde"))]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_its_reason() {
        let reason = |cause: NoStack| serde_json::to_value(cause).expect("it is data")["reason"].clone();
        assert_eq!(reason(NoStack::Running), "running");
        assert_eq!(reason(NoStack::Moved), "moved");
        assert_eq!(reason(Unavailable::NoProc.into()), "no_proc");
        assert_eq!(reason(Unavailable::Denied { file: "/proc/self/mem" }.into()), "denied");
    }
}
