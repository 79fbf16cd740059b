//! What criterion wrote down.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use serde::Deserialize;

/// The median time of one event in nanoseconds, and the 95 % confidence interval of that.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Estimate {
    pub(super) ns: f64,
    pub(super) least_ns: f64,
    pub(super) most_ns: f64,
}

/// The part of `estimates.json` that is read.
#[derive(Debug, Deserialize)]
struct Estimates {
    median: Statistic,
}

#[derive(Debug, Deserialize)]
struct Statistic {
    confidence_interval: Interval,
    point_estimate: f64,
}

#[derive(Debug, Deserialize)]
struct Interval {
    lower_bound: f64,
    upper_bound: f64,
}

impl Estimate {
    /// That of one benchmark, below the folder that criterion writes to.
    pub(super) fn read(folder: &Path, benchmark: &str) -> Self {
        let path = folder.join(benchmark).join("new/estimates.json");
        let file = File::open(&path).unwrap_or_else(|error| panic!("{benchmark} was not measured: {error}"));
        let Estimates { median } = serde_json::from_reader(BufReader::new(file)).expect("criterion's format");
        Self {
            ns: median.point_estimate,
            least_ns: median.confidence_interval.lower_bound,
            most_ns: median.confidence_interval.upper_bound,
        }
    }
}
