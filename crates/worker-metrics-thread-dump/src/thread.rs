//! A thread of this process that can be looked at. Called by whoever watches threads; a look never
//! allocates and never stops the thread.

use std::error::Error;
use std::fmt;

use crate::{Look, ThreadId, Unavailable};

/// A thread of this process, to be looked at again and again.
#[derive(Debug)]
pub struct Thread {
    id: ThreadId,
}

/// Why a look at a thread saw nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LookError {
    /// The thread has ended.
    Ended,
    /// Its files cannot be read, or not any more.
    Unreadable(Unavailable),
}

impl Thread {
    /// The thread with this id.
    ///
    /// # Errors
    /// If there is no such thread, or the system does not let it be looked at.
    pub fn open(id: ThreadId) -> Result<Self, Unavailable> {
        Ok(Self { id })
    }

    /// Id of the thread.
    #[must_use]
    pub fn id(&self) -> ThreadId {
        self.id
    }

    /// Looks at the thread.
    ///
    /// # Errors
    /// If the thread has ended, or its files cannot be read any more.
    pub fn look(&self) -> Result<Look, LookError> {
        Err(LookError::Unreadable(Unavailable::NotLinux))
    }
}

impl fmt::Display for LookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended => f.write_str("the thread has ended"),
            Self::Unreadable(why) => why.fmt(f),
        }
    }
}

impl Error for LookError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Ended => None,
            Self::Unreadable(why) => Some(why),
        }
    }
}
