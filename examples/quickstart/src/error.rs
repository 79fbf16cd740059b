//! Why the quickstart ends early.

use std::fmt;

/// What is printed instead of a result.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The help or the version, which was asked for.
    Help(String),
    /// Bad input: it names the value and the remedy.
    Usage(String),
    /// Something did not work.
    Run(String),
}

impl Failure {
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Help(_) => 0,
            Self::Run(_) => 1,
            Self::Usage(_) => 2,
        }
    }

    /// `what` failed because of `cause`.
    pub(crate) fn run(what: &str, cause: impl fmt::Display) -> Self {
        Self::Run(format!("{what}: {cause}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Help(text) | Self::Usage(text) | Self::Run(text) => f.write_str(text),
        }
    }
}
