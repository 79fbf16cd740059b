//! Errors of attaching a source.

use std::error::Error;
use std::fmt;
use std::io;

use worker_metrics::Identity;

use super::BoundsError;

/// Why a source cannot be attached. Nothing has changed then.
#[derive(Debug)]
#[non_exhaustive]
pub enum AttachError {
    /// The same runtime or pool is attached already: its series would be counted twice.
    AlreadyAttached(Box<Identity>),
    /// The bounds of [`HistogramOptions`](crate::HistogramOptions) are none of the source's.
    Bounds(BoundsError),
    /// The thread of the watchdog cannot be started.
    Watchdog(io::Error),
    /// The name of the runtime or pool is longer than [`Identity::MAX_NAME_LEN`].
    NameTooLong {
        /// The beginning of the name.
        beginning: String,
        /// Its length in bytes.
        len: usize,
    },
}

impl fmt::Display for AttachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyAttached(identity) => {
                let Identity { namespace, id, name, .. } = &**identity;
                let name = name.as_deref().unwrap_or("without a name");
                write!(
                    f,
                    "the {namespace} source {name:?} (id {id}) is attached already: keep the `Attachment` of the first \
                     `attach`, or drop it before attaching again"
                )
            }
            Self::Bounds(error) => {
                write!(f, "its histograms cannot be exported on the bounds that are set: {error}")
            }
            Self::Watchdog(cause) => write!(
                f,
                "the thread of the watchdog cannot be started: {cause}; attach again when there is room for a thread, or set \
                 `Options::without_watchdog`"
            ),
            Self::NameTooLong { beginning, len } => write!(
                f,
                "the name of the source, which begins with {beginning:?}, has {len} bytes: give it one of at most {} bytes, \
                 since every series carries it",
                Identity::MAX_NAME_LEN
            ),
        }
    }
}

impl Error for AttachError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::AlreadyAttached(_) | Self::NameTooLong { .. } => None,
            Self::Bounds(error) => Some(error),
            Self::Watchdog(cause) => Some(cause),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watchdog_that_cannot_be_started_says_why_and_what_to_do() {
        let error = AttachError::Watchdog(io::ErrorKind::WouldBlock.into());
        assert_eq!(
            error.to_string(),
            "the thread of the watchdog cannot be started: operation would block; attach again when there is room for a thread, \
             or set `Options::without_watchdog`"
        );
        assert!(error.source().is_some());
    }
}
