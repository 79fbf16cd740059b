//! What the observed runtime works on.

use clap::ValueEnum;
use tokio::runtime::Runtime;

use super::running::Running;
use super::spawner::Spawner;
use super::{echo, yields};

/// Of the runtime that does it.
pub(crate) const WORKERS: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    Yields,
    Echo,
}

impl Workload {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Yields => "Yields",
            Self::Echo => "TCP echo",
        }
    }

    /// What it does, for the text above its table.
    pub(crate) fn description(self) -> String {
        match self {
            Self::Yields => format!(
                "{} tasks do nothing but yield: polls without work, the worst that can be measured. The latency is the time from one \
                 turn of a task to its next, of one turn in {}.",
                yields::TASKS,
                yields::TURNS_OF_A_LATENCY
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
    pub(crate) fn counts(self) -> (&'static str, f64) {
        match self {
            Self::Yields => ("million yields/s", 1e6),
            Self::Echo => ("thousand round trips/s", 1e3),
        }
    }

    /// The unit of the processor time of each, in nanoseconds.
    pub(crate) fn each(self) -> (&'static str, f64) {
        match self {
            Self::Yields => ("ns", 1.0),
            Self::Echo => ("µs", 1e3),
        }
    }

    /// Starts it; latencies go into as many pools as are asked for.
    pub(crate) fn start<'a>(self, runtime: &'a Runtime, spawner: &Spawner, pools: usize) -> Running<'a> {
        match self {
            Self::Yields => yields::start(runtime, spawner, pools),
            Self::Echo => echo::start(runtime, spawner, pools),
        }
    }
}
