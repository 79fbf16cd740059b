//! What the observed runtime works on.

use std::time::Duration;

use clap::ValueEnum;
use tokio::runtime::Runtime;

use super::outcome::Outcome;
use super::spawner::Spawner;
use super::{echo, yields};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Workload {
    Yields,
    Echo,
}

impl Workload {
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Yields => "Yields",
            Self::Echo => "TCP echo",
        }
    }

    /// What it does, for the text above its table.
    pub(super) fn description(self) -> String {
        match self {
            Self::Yields => format!(
                "{} tasks do nothing but yield: polls without work, the worst that can be measured.",
                yields::TASKS
            ),
            Self::Echo => format!(
                "{} clients over loopback send {} bytes and wait for them to come back; clients and servers are tasks of the observed \
                 runtime, and the clients measure the latency.",
                echo::CONNECTIONS,
                echo::MESSAGE_LEN
            ),
        }
    }

    /// What its throughput counts, and how many make one of the table.
    pub(super) fn counts(self) -> (&'static str, f64) {
        match self {
            Self::Yields => ("million yields/s", 1e6),
            Self::Echo => ("thousand round trips/s", 1e3),
        }
    }

    /// The unit of the processor time of each, in nanoseconds.
    pub(super) fn each(self) -> (&'static str, f64) {
        match self {
            Self::Yields => ("ns", 1.0),
            Self::Echo => ("µs", 1e3),
        }
    }

    pub(super) fn run(self, runtime: &Runtime, spawner: &Spawner, time: Duration) -> Outcome {
        match self {
            Self::Yields => yields::run(runtime, spawner, time),
            Self::Echo => echo::run(runtime, spawner, time),
        }
    }
}

/// The time before the measurement: caches are warm and connections made.
pub(super) fn warm_up(time: Duration) -> Duration {
    time / 5
}
