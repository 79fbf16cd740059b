//! Why an executor or a thread pool does not start.

use std::error::Error;
use std::{fmt, io};

use worker_metrics::{NamespaceError, PoolError};

/// Why an executor or a thread pool does not start.
#[derive(Debug)]
pub enum StartError {
    /// Its metrics cannot have this namespace.
    Namespace(NamespaceError),
    /// Its metrics cannot be had: there are no workers, or no name.
    Pool(PoolError),
    /// The system gives no thread.
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Namespace(cause) => cause.fmt(f),
            Self::Pool(cause) => cause.fmt(f),
            Self::Thread(cause) => write!(f, "a worker's thread does not start, use fewer workers: {cause}"),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Namespace(cause) => Some(cause),
            Self::Pool(cause) => Some(cause),
            Self::Thread(cause) => Some(cause),
        }
    }
}

impl From<NamespaceError> for StartError {
    fn from(cause: NamespaceError) -> Self {
        Self::Namespace(cause)
    }
}

impl From<PoolError> for StartError {
    fn from(cause: PoolError) -> Self {
        Self::Pool(cause)
    }
}

impl From<io::Error> for StartError {
    fn from(cause: io::Error) -> Self {
        Self::Thread(cause)
    }
}
