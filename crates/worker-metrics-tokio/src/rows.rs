//! Which rows of the catalogue a runtime covers, and why it lacks the others.
//!
//! Made once for each source. A row that is missing must name what would bring it back.

use worker_metrics::catalogue::CATALOGUE;
use worker_metrics::{Clock, Coverage, Definition, Row};

use crate::gate::Gate;
use crate::stable;
use crate::unstable::{self, Histograms};

pub(crate) fn rows(multi_thread: bool, histograms: &Histograms) -> Vec<Row> {
    CATALOGUE
        .iter()
        .map(|definition| {
            let missing = missing(definition, multi_thread, histograms);
            Row { definition, coverage: missing.map_or(Coverage::Covered, Coverage::Missing) }
        })
        .collect()
}

fn missing(definition: &Definition, multi_thread: bool, histograms: &Histograms) -> Option<&'static str> {
    let gate = Gate::of(definition);
    let suffix = definition.suffix;
    if gate.embedded {
        return Some("Tokio does not tell it: an executor that embeds the core does");
    }
    if gate.atomics_64 && !stable::COUNTERS {
        return Some("Tokio counts it only on targets with 64-bit atomics");
    }
    if matches!(suffix, "worker.count" | "worker.time" | "worker.progress.age") && !Clock::AVAILABLE {
        return Some("this target has no clock");
    }
    if gate.multi_thread && !multi_thread {
        return Some(
            "a current-thread runtime does not have it: nobody to steal from, no bounded queue, no mean poll time",
        );
    }
    if gate.tokio_unstable && !unstable::ENABLED {
        return Some(
            "needs `--cfg tokio_unstable` in RUSTFLAGS, or in build.rustflags of .cargo/config.toml (which RUSTFLAGS in the \
             environment replaces)",
        );
    }
    match gate.feature {
        Some("net") if !unstable::IO_DRIVER => {
            return Some("needs the feature `net` of worker-metrics-tokio");
        }
        Some("schedule-latency") if !unstable::SCHEDULE_LATENCY => {
            return Some("needs the feature `schedule-latency` of worker-metrics-tokio");
        }
        _ => {}
    }
    let kept = match suffix {
        "task.poll.duration" => histograms.poll_time.is_some(),
        "task.schedule.duration" => histograms.schedule_latency.is_some(),
        _ => true,
    };
    (!kept).then_some("needs `RuntimeBuilderExt::enable_worker_histograms` when the runtime is built")
}
