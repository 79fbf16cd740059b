//! Why the program ends without a table, or with a bad one.

use std::error::Error;
use std::fmt;

use custom_executor::{JoinError, StartError};

use crate::check::Fault;

#[derive(Debug)]
pub(crate) enum Failure {
    /// The help or the version, which was asked for.
    Help(String),
    /// Bad input.
    Usage(String),
    /// An executor or pool does not start.
    Start(StartError),
    /// A task or job of the load has no result.
    Load(JoinError),
    /// The workers do not come to rest, by this name of their pool.
    Restless(String),
    /// A part of the pipeline does not work.
    Pipeline(&'static str, Box<dyn Error + Send + Sync>),
    /// What arrived is not what there must be, and what arrived.
    Faults(Vec<Fault>, String),
}

impl Failure {
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Help(_) => 0,
            Self::Usage(_) => 2,
            _ => 1,
        }
    }

    /// `part` of the pipeline does not work.
    pub(crate) fn pipeline<E: Error + Send + Sync + 'static>(part: &'static str) -> impl FnOnce(E) -> Self {
        move |cause| Self::Pipeline(part, Box::new(cause))
    }
}

impl From<StartError> for Failure {
    fn from(cause: StartError) -> Self {
        Self::Start(cause)
    }
}

impl From<JoinError> for Failure {
    fn from(cause: JoinError) -> Self {
        Self::Load(cause)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Help(text) | Self::Usage(text) => f.write_str(text),
            Self::Start(cause) => cause.fmt(f),
            Self::Load(cause) => write!(f, "the load: {cause}"),
            Self::Restless(pool) => {
                write!(f, "the workers of {pool:?} do not park, though they have nothing to do")
            }
            Self::Pipeline(part, cause) => write!(f, "{part}: {cause}"),
            Self::Faults(faults, table) => {
                write!(f, "not every metric arrived as it must:")?;
                faults.iter().try_for_each(|fault| write!(f, "\n  {fault}"))?;
                write!(f, "\n{table}")
            }
        }
    }
}
