//! Who observes the runtime, and when.

use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::exporting::Exporting;

/// How many exports there were.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Exports {
    pub(super) begun: u64,
    pub(super) answered: u64,
}

impl Exports {
    pub(super) fn since(self, before: Self) -> Self {
        Self { begun: self.begun - before.begun, answered: self.answered - before.answered }
    }
}

#[derive(Debug)]
pub(super) enum Observer {
    /// Nobody, in the same slices as if exports were due: what is noise.
    Nobody {
        began: Instant,
        interval: Duration,
    },
    Exporting(Box<Exporting>),
}

impl Observer {
    /// Exports to `endpoint`, if there is one.
    pub(super) fn new(runtime: &Handle, interval: Duration, endpoint: Option<&str>) -> Self {
        match endpoint {
            Some(endpoint) => Self::Exporting(Box::new(Exporting::new(runtime, interval, endpoint))),
            None => Self::Nobody { began: Instant::now(), interval },
        }
    }

    pub(super) fn attach(&mut self) {
        if let Self::Exporting(exporting) = self {
            exporting.attach();
        }
    }

    pub(super) fn detach(&mut self) {
        if let Self::Exporting(exporting) = self {
            exporting.detach();
        }
    }

    /// What has become of exports so far.
    pub(super) fn exports(&self) -> Exports {
        match self {
            Self::Nobody { began, interval } => {
                let due = began.elapsed().as_nanos() / interval.as_nanos();
                let due = u64::try_from(due).expect("few are due");
                Exports { begun: due, answered: due }
            }
            Self::Exporting(exporting) => exporting.exports(),
        }
    }

    /// How long it is until the next export.
    pub(super) fn until_due(&self) -> Duration {
        let due = match self {
            Self::Nobody { began, interval } => {
                let past = u32::try_from(self.exports().begun).expect("few are due");
                *began + *interval * (past + 1)
            }
            Self::Exporting(exporting) => exporting.due(),
        };
        due.saturating_duration_since(Instant::now())
    }
}
