//! What each metric needs of Tokio.
//!
//! The one place that knows; coverage, `docs/metrics.md` and the README's table follow from it.

use std::fmt;

use worker_metrics::Metric;

/// What a metric needs of Tokio before a runtime can provide it.
///
/// Its `Display` is a list in words, `stable Tokio` where nothing is needed.
///
/// # Examples
///
/// ```
/// use worker_metrics_tokio::{Gate, Metric};
///
/// let gate = Gate::of(Metric::WorkerPolls).expect("Tokio counts polls");
/// assert!(gate.tokio_unstable);
/// assert_eq!(Gate::of(Metric::WorkerMicrostateTime), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gate {
    /// A target with 64-bit atomics.
    pub atomics_64: bool,
    /// `--cfg tokio_unstable`.
    pub tokio_unstable: bool,
    /// A feature of this crate, or of Tokio where it begins with `tokio/`.
    pub feature: Option<&'static str>,
    /// Something to be called, when the runtime is built or when its source is made.
    pub call: Option<&'static str>,
    /// What provides it instead of all that.
    pub or: Option<&'static str>,
    /// The multi-thread scheduler: on the current-thread one it has no meaning or is not measured.
    pub multi_thread: bool,
    /// A watchdog of the instrumentation, which counts what Tokio does not.
    pub watchdog: bool,
}

/// The rows of the catalogue that no Tokio runtime has: executors that embed the core have them.
#[cfg(test)]
const NOT_OF_TOKIO: [Metric; 1] = [Metric::WorkerMicrostateTime];

impl Gate {
    /// What a metric needs; `None` for one that no Tokio runtime can have.
    ///
    /// **Source**: the conditions on the methods of `RuntimeMetrics` in Tokio 1.54.
    #[must_use]
    pub fn of(metric: Metric) -> Option<Self> {
        let stable = Self { atomics_64: true, ..Self::default() };
        let unstable = Self { tokio_unstable: true, ..stable };
        let histograms = Some("enable_worker_histograms");
        let tasks = Some("TokioRuntime::with_tasks");
        Some(match metric {
            Metric::TaskCount | Metric::GlobalQueueSize => Self::default(),
            Metric::WorkerCount
            | Metric::WorkerTime
            | Metric::WorkerProgressAge
            | Metric::WorkerParks
            | Metric::WorkerUnparks => stable,
            Metric::BlockingThreadCount | Metric::BlockingQueueSize | Metric::WorkerLocalQueueSize => {
                Self { atomics_64: false, ..unstable }
            }
            Metric::WorkerNoops
            | Metric::WorkerPolls
            | Metric::WorkerLocalSchedules
            | Metric::TaskSpawned
            | Metric::TaskRemoteSchedules
            | Metric::TaskForcedYields => unstable,
            Metric::WorkerStolenTasks
            | Metric::WorkerStealOperations
            | Metric::WorkerOverflows
            | Metric::WorkerPollMeanDuration => Self { multi_thread: true, ..unstable },
            Metric::IoDriverFdRegistered
            | Metric::IoDriverFdDeregistered
            | Metric::IoDriverFdCount
            | Metric::IoDriverReadyEvents => Self { feature: Some("net"), ..unstable },
            Metric::TaskPollDuration => Self { call: histograms, or: tasks, ..unstable },
            Metric::TaskScheduleDuration => {
                Self { call: histograms, or: tasks, feature: Some("tokio/schedule-latency"), ..unstable }
            }
            Metric::TaskGroupPollDuration | Metric::TaskGroupScheduleDuration => {
                Self { call: tasks, ..Self::default() }
            }
            Metric::TimerDelay => Self { call: Some("TokioRuntime::with_canary"), ..Self::default() },
            Metric::WorkerStalls | Metric::WorkerStallDuration => Self { watchdog: true, ..stable },
            // The test below holds that nothing else comes here than what is listed above.
            _ => return None,
        })
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tokio_unstable { "`--cfg tokio_unstable`" } else { "stable Tokio" })?;
        if let Some(feature) = self.feature {
            write!(f, ", feature `{feature}`")?;
        }
        if let Some(call) = self.call {
            write!(f, ", `{call}`")?;
        }
        if self.watchdog {
            f.write_str(", the watchdog")?;
        }
        if self.multi_thread {
            f.write_str(", multi-thread")?;
        }
        if self.atomics_64 {
            f.write_str(", 64-bit atomics")?;
        }
        if let Some(or) = self.or {
            write!(f, "; or `{or}`")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_a_gate_or_is_listed_as_none_of_tokios() {
        for &metric in Metric::ALL {
            assert_ne!(Gate::of(metric).is_some(), NOT_OF_TOKIO.contains(&metric), "{metric:?}");
        }
    }
}
