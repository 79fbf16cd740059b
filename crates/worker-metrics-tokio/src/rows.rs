//! Which rows of the catalogue a runtime has, and what the missing ones need.
//!
//! Made once for each source. A row that is missing must name what would bring it.

use worker_metrics::{Clock, Coverage, Metric, Row};

use crate::gate::Gate;
use crate::unstable::{self, Histograms};
use crate::{stable, tasks};

/// The properties of a source that decide on its coverage.
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
    let row = |&metric| Some(Row::new(metric, coverage(metric, provided)?));
    Metric::ALL.iter().filter_map(row).collect()
}

/// `None` for what this kind of runtime can never have.
fn coverage(metric: Metric, provided: &Provided<'_>) -> Option<Coverage> {
    let gate = Gate::of(metric)?;
    if gate.multi_thread && !provided.multi_thread {
        return None;
    }
    Some(match missing(metric, gate, provided) {
        Some(remedy) => Coverage::Missing(remedy),
        None if gate.watchdog => Coverage::LeftToWatchdog,
        None => Coverage::Covered,
    })
}

fn missing(metric: Metric, gate: Gate, provided: &Provided<'_>) -> Option<&'static str> {
    match metric {
        Metric::TaskPollDuration | Metric::TaskScheduleDuration if !tasks::know_workers() => {
            Some("needs Tokio 1.54 or `--cfg tokio_unstable`")
        }
        Metric::TaskPollDuration | Metric::TaskScheduleDuration if provided.task_groups.is_some() => None,
        Metric::TaskGroupPollDuration | Metric::TaskGroupScheduleDuration => match provided.task_groups {
            Some(0) => Some("needs a group: `TaskMetricsBuilder::group`"),
            Some(_) => None,
            None => Some("needs `TokioRuntime::with_tasks`"),
        },
        Metric::TimerDelay => (!provided.canary).then_some("needs `TokioRuntime::with_canary`"),
        Metric::WorkerProgressAge | Metric::WorkerStalls | Metric::WorkerStallDuration
            if provided.intermittent =>
        {
            Some("needs a runtime that is not declared `TokioRuntime::intermittent`")
        }
        _ => missing_of_tokio(metric, gate, provided),
    }
}

const ENABLE: Option<&str> = Some("needs `RuntimeBuilderExt::enable_worker_histograms`");

/// What Tokio itself lacks.
fn missing_of_tokio(metric: Metric, gate: Gate, provided: &Provided<'_>) -> Option<&'static str> {
    if gate.atomics_64 && !stable::COUNTERS {
        return Some("needs a target with 64-bit atomics");
    }
    let timed = matches!(metric, Metric::WorkerCount | Metric::WorkerTime | Metric::WorkerProgressAge);
    if (gate.watchdog || timed) && !Clock::AVAILABLE {
        return Some("needs a target with a clock");
    }
    if gate.tokio_unstable && !unstable::ENABLED {
        return Some(match gate.or {
            Some(_) => "needs `TokioRuntime::with_tasks`",
            None => "needs `--cfg tokio_unstable` in RUSTFLAGS or .cargo/config.toml",
        });
    }
    let Histograms { poll_time, schedule_latency, offers_schedule_latency } = provided.histograms;
    match metric {
        Metric::TaskScheduleDuration if !offers_schedule_latency => {
            Some("needs the feature `schedule-latency` of tokio")
        }
        Metric::TaskPollDuration if poll_time.is_none() => ENABLE,
        Metric::TaskScheduleDuration if schedule_latency.is_none() => ENABLE,
        _ if gate.feature == Some("net") && !unstable::IO_DRIVER => {
            Some("needs the feature `net` of worker-metrics-tokio")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tokio_without_schedule_latencies_names_its_feature_where_it_could_keep_them() {
        let histograms = Histograms { offers_schedule_latency: false, ..Histograms::default() };
        let provided = Provided {
            multi_thread: true,
            intermittent: false,
            histograms: &histograms,
            task_groups: None,
            canary: false,
        };
        let expected = match unstable::ENABLED {
            true => "needs the feature `schedule-latency` of tokio",
            false => "needs `TokioRuntime::with_tasks`",
        };
        let coverage = coverage(Metric::TaskScheduleDuration, &provided);
        assert_eq!(coverage, Some(Coverage::Missing(expected)));
    }
}
