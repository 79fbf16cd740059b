//! What the scheduler does with a thread. Part of an activity.

use std::fmt;

/// What the scheduler does with a thread, by the letter in its file `stat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum RunState {
    /// `R`: it has a CPU, or waits for one.
    Running,
    /// `S`: it sleeps until something happens, or a signal comes.
    Sleeping,
    /// `D`: it sleeps and takes no signals, mostly for a disk or a remote file system.
    DiskSleep,
    /// `T`: a signal has stopped it.
    Stopped,
    /// `t`: a debugger has stopped it.
    Traced,
    /// `Z`, `X`: it has ended.
    Dead,
    /// `I`, `P` and what newer kernels may have.
    Other(char),
}

impl RunState {
    pub(crate) fn from_letter(letter: u8) -> Self {
        match letter {
            b'R' => Self::Running,
            b'S' => Self::Sleeping,
            b'D' => Self::DiskSleep,
            b'T' => Self::Stopped,
            b't' => Self::Traced,
            b'Z' | b'X' | b'x' => Self::Dead,
            letter => Self::Other(char::from(letter)),
        }
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running => f.write_str("running"),
            Self::Sleeping => f.write_str("sleeping"),
            Self::DiskSleep => f.write_str("in uninterruptible sleep"),
            Self::Stopped => f.write_str("stopped"),
            Self::Traced => f.write_str("stopped by a debugger"),
            Self::Dead => f.write_str("dead"),
            Self::Other(letter) => write!(f, "in state {letter}"),
        }
    }
}
