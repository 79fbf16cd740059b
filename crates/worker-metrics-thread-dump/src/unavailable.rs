//! Why something of a thread cannot be seen. Returned by everything that reads a file of `/proc`;
//! never guesses a cause that the system did not report.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::Path;

use crate::ThreadId;

/// Why this system does not let a thread be looked at, or not now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(tag = "reason", rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Unavailable {
    /// This is not Linux.
    NotLinux,
    /// The crate was built without a feature that this needs.
    NotBuilt {
        /// Name of the feature.
        feature: &'static str,
    },
    /// The processor's architecture is not one that this is written for.
    Architecture,
    /// `/proc` is not mounted, or does not know this process.
    NoProc,
    /// There is no thread with this id in this process, or none any more.
    NoThread {
        /// The id that was asked for.
        thread: ThreadId,
    },
    /// The process is a child that was forked off, and the thread stayed in its parent.
    Forked,
    /// The kernel or a sandbox does not have this file.
    Missing {
        /// Name of the file.
        file: &'static str,
    },
    /// The kernel has this file, but counts nothing in it.
    NotCounted {
        /// Name of the file.
        file: &'static str,
    },
    /// The process may not read this file of its own.
    Denied {
        /// Name of the file.
        file: &'static str,
    },
    /// The file holds something else than Linux documents.
    Malformed {
        /// Name of the file.
        file: &'static str,
    },
    /// Reading the file failed for another reason.
    Failed {
        /// Name of the file.
        file: &'static str,
        /// Number of the error in the system (`errno`), if it has one.
        errno: Option<i32>,
    },
}

impl Unavailable {
    pub(crate) fn of(file: &'static str, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound if !Path::new("/proc/self/task").exists() => Self::NoProc,
            io::ErrorKind::NotFound => Self::Missing { file },
            io::ErrorKind::PermissionDenied => Self::Denied { file },
            _ => Self::Failed { file, errno: error.raw_os_error() },
        }
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLinux => f.write_str("threads can be looked at on Linux only"),
            Self::NotBuilt { feature } => write!(f, "built without the feature `{feature}`: enable it"),
            Self::Architecture => f.write_str("not written for this processor's architecture"),
            Self::NoProc => f.write_str("/proc is not mounted, or does not know this process: mount it"),
            Self::NoThread { thread } => write!(f, "this process has no thread {thread}, or none any more"),
            Self::Forked => f.write_str("the thread belongs to the process that this one was forked from"),
            Self::Missing { file } => {
                write!(f, "{file} is not there: this kernel or this sandbox does not have it")
            }
            Self::NotCounted { file } => write!(
                f,
                "{file} has zeros only: this kernel was built without CONFIG_SCHEDSTATS, and counts nothing \
                 unless the sysctl kernel.task_delayacct is 1"
            ),
            Self::Denied { file } => write!(
                f,
                "{file} may not be read: the process is not dumpable (its program has file capabilities, it \
                 changed its user, or it cleared PR_SET_DUMPABLE), or a security policy forbids it"
            ),
            Self::Malformed { file } => write!(f, "{file} is not written as Linux documents it"),
            Self::Failed { file, errno: Some(errno) } => {
                write!(f, "{file} cannot be read: {}", io::Error::from_raw_os_error(*errno))
            }
            Self::Failed { file, errno: None } => write!(f, "{file} cannot be read"),
        }
    }
}

impl Error for Unavailable {}
