//! Which rows of the catalogue a runtime covers, and why it lacks the others.
//!
//! Made once for each source. A row that is missing must name what would bring it back.

use worker_metrics::catalogue::CATALOGUE;
use worker_metrics::{Clock, Coverage, Definition, Row};

use crate::gate::Gate;
use crate::stable;
use crate::unstable::{self, Histograms};

/// What of a source decides on its coverage.
#[derive(Debug)]
pub(crate) struct Provided<'a> {
    pub(crate) multi_thread: bool,
    pub(crate) intermittent: bool,
    /// Tokio's own.
    pub(crate) histograms: &'a Histograms,
    /// The number of their groups, where there are task metrics.
    pub(crate) task_groups: Option<usize>,
    pub(crate) canary: bool,
}

pub(crate) fn rows(provided: &Provided<'_>) -> Vec<Row> {
    CATALOGUE
        .iter()
        .map(|definition| {
            let missing = missing(definition, provided);
            Row { definition, coverage: missing.map_or(Coverage::Covered, Coverage::Missing) }
        })
        .collect()
}

fn missing(definition: &Definition, provided: &Provided<'_>) -> Option<&'static str> {
    match definition.suffix {
        "task.poll.duration" | "task.schedule.duration" if provided.task_groups.is_some() => None,
        "task.group.poll.duration" | "task.group.schedule.duration" => match provided.task_groups {
            Some(0) => Some("needs a group: `TaskMetrics::builder().group(…)`"),
            Some(_) => None,
            None => Some("needs task groups: `TokioRuntime::with_tasks`"),
        },
        "timer.delay" => (!provided.canary).then_some("needs `TokioRuntime::with_canary`"),
        "worker.progress.age" | "worker.stalls" | "worker.stall.duration" if provided.intermittent => {
            Some("declared `TokioRuntime::intermittent`: a pause looks like a stall")
        }
        _ => missing_of_tokio(definition, provided),
    }
}

/// Of what Tokio itself has to provide.
fn missing_of_tokio(definition: &Definition, provided: &Provided<'_>) -> Option<&'static str> {
    let gate = Gate::of(definition);
    let suffix = definition.suffix;
    if gate.embedded {
        return Some("Tokio does not tell it: an executor that embeds the core does");
    }
    if gate.atomics_64 && !stable::COUNTERS {
        return Some("Tokio counts it only on targets with 64-bit atomics");
    }
    let timed = gate.watchdog || matches!(suffix, "worker.count" | "worker.time" | "worker.progress.age");
    if timed && !Clock::AVAILABLE {
        return Some("this target has no clock");
    }
    if gate.watchdog {
        return Some(Coverage::FOR_WATCHDOG);
    }
    if gate.multi_thread && !provided.multi_thread {
        return Some(
            "a current-thread runtime does not have it: nobody to steal from, no bounded queue, no mean poll time",
        );
    }
    if gate.tokio_unstable && !unstable::ENABLED {
        return Some(if gate.or.is_some() {
            "needs `TokioRuntime::with_tasks`; or, of all tasks, `--cfg tokio_unstable` in RUSTFLAGS or in build.rustflags of \
             .cargo/config.toml (which RUSTFLAGS in the environment replaces) and \
             `RuntimeBuilderExt::enable_worker_histograms`"
        } else {
            "needs `--cfg tokio_unstable` in RUSTFLAGS, or in build.rustflags of .cargo/config.toml (which RUSTFLAGS in the \
             environment replaces)"
        });
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
        "task.poll.duration" => provided.histograms.poll_time.is_some(),
        "task.schedule.duration" => provided.histograms.schedule_latency.is_some(),
        _ => true,
    };
    (!kept).then_some(
        "needs `RuntimeBuilderExt::enable_worker_histograms` when the runtime is built, or `TokioRuntime::with_tasks`",
    )
}
