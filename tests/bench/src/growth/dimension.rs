//! What grows.

use std::sync::Arc;

use bench::subject::{Attached, Bridge, Halves, pool};
use clap::ValueEnum;
use worker_metrics::Source;
use worker_metrics::histogram::Scale;
use worker_metrics_otel::Numbers;

use super::points::{Point, Points};
use super::{polls, readers};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Dimension {
    Polls,
    Workers,
    Runtimes,
    Readers,
}

/// Series of one instrument for each runtime, at most: the states of `worker.count`.
const MOST_SERIES_OF_RUNTIME: usize = 3;
/// What the SDK takes if nothing is set.
const SDK_LIMIT: usize = 2_000;

impl Dimension {
    pub(super) const ALL: [Self; 4] = [Self::Polls, Self::Workers, Self::Runtimes, Self::Readers];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Polls => "recorded polls",
            Self::Workers => "workers",
            Self::Runtimes => "runtimes",
            Self::Readers => "readers",
        }
    }

    pub(super) fn argument(self) -> &'static str {
        match self {
            Self::Polls => "polls",
            Self::Workers => "workers",
            Self::Runtimes => "runtimes",
            Self::Readers => "readers",
        }
    }

    pub(super) fn description(self) -> &'static str {
        match self {
            Self::Polls => "64 workers with 119 buckets each, their histograms alone.",
            Self::Workers => "One pool, 119 buckets for each worker.",
            Self::Runtimes => {
                "Pools of one worker with 23 buckets, on one instrumentation; the SDK's limit of series is raised where they are more."
            }
            Self::Readers => {
                "One pool of 64 workers with 119 buckets each, with a meter and an exporter for each reader, which export one after \
                 another."
            }
        }
    }

    pub(super) fn sizes(self) -> &'static [u64] {
        match self {
            Self::Polls => &[1_000, 1_000_000, 1_000_000_000],
            Self::Workers => &[1, 4, 16, 64, 256, 1024],
            Self::Runtimes => &[1, 10, 100, 1000],
            Self::Readers => &[1, 2, 4],
        }
    }

    /// Those that show that everything runs: the first two, but for the target all.
    pub(super) fn fewest_sizes(self) -> &'static [u64] {
        match self {
            Self::Polls => self.sizes(),
            _ => &self.sizes()[..2],
        }
    }

    /// Processes for each size.
    pub(super) fn turns(self) -> usize {
        match self {
            // The target is close to 1.
            Self::Polls => 31,
            _ => 5,
        }
    }

    pub(super) fn measure(self, size: u64, rounds: usize) -> Points {
        let length = usize::try_from(size).unwrap_or(usize::MAX);
        match self {
            Self::Polls => polls::measure(size, rounds),
            Self::Workers => {
                let scale = Scale::log().build().expect("the defaults are good");
                each_way(vec![Arc::new(pool(length, Some(&scale)))], Bridge::new, rounds)
            }
            Self::Runtimes => {
                let pools = (0..length).map(|_| Arc::new(pool(1, Some(&Scale::preset()))) as Arc<dyn Source>);
                let limit = SDK_LIMIT.max(length * MOST_SERIES_OF_RUNTIME + 1);
                let bridge = |attached: &_, halves| Bridge::with_limit(attached, halves, limit);
                each_way(pools.collect(), bridge, rounds)
            }
            Self::Readers => readers::measure(length, rounds),
        }
    }
}

/// Each half, both, and everything by OTLP.
fn each_way(
    sources: Vec<Arc<dyn Source>>,
    bridge: impl Fn(&Arc<Attached>, Halves) -> Bridge,
    rounds: usize,
) -> Points {
    let ways = [
        ("meter half", Numbers::Meter, Halves::Meter),
        ("OTLP half", Numbers::Meter, Halves::Otlp),
        ("both halves", Numbers::Meter, Halves::Both),
        ("everything by OTLP", Numbers::Otlp, Halves::Otlp),
    ];
    let points = ways.map(|(name, numbers, halves)| {
        let attached = Attached::new(sources.clone(), numbers);
        (name.to_owned(), Point::of(&mut bridge(&attached, halves), rounds))
    });
    Points(points.into())
}
