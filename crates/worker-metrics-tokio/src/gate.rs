//! What each metric needs of Tokio.
//!
//! The one place that knows; coverage, `docs/metrics.md` and the README's table follow from it.

use std::fmt;

use worker_metrics::Definition;

/// What a metric needs of Tokio before a runtime can provide it.
///
/// Its `Display` is a list in words, `stable Tokio` where nothing is needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gate {
    /// A target with 64-bit atomics.
    pub atomics_64: bool,
    /// `--cfg tokio_unstable`.
    pub tokio_unstable: bool,
    /// A feature of this crate, which passes on Tokio's of the same name.
    pub feature: Option<&'static str>,
    /// Something to be called, when the runtime is built or when its source is made.
    pub call: Option<&'static str>,
    /// What provides it instead of all that.
    pub or: Option<&'static str>,
    /// The multi-thread scheduler: on the current-thread one it has no meaning or is not measured.
    pub multi_thread: bool,
    /// A watchdog of the instrumentation, which counts what Tokio does not.
    pub watchdog: bool,
    /// It is not Tokio's at all: executors that embed the core have it.
    pub embedded: bool,
}

impl Gate {
    /// What a metric needs.
    ///
    /// **Source**: the conditions on the methods of `RuntimeMetrics` in Tokio 1.54.
    #[must_use]
    pub fn of(definition: &Definition) -> Self {
        let stable = Self { atomics_64: true, ..Self::default() };
        let unstable = Self { tokio_unstable: true, ..stable };
        let histograms = Some("enable_worker_histograms");
        let tasks = Some("TokioRuntime::with_tasks");
        match definition.suffix {
            "task.count" | "global_queue.size" => Self::default(),
            "worker.count" | "worker.time" | "worker.progress.age" | "worker.parks" | "worker.unparks" => {
                stable
            }
            "blocking.thread.count" | "blocking.queue.size" | "worker.local_queue.size" => {
                Self { atomics_64: false, ..unstable }
            }
            "worker.stolen_tasks"
            | "worker.steal_operations"
            | "worker.overflows"
            | "worker.poll.mean_duration" => Self { multi_thread: true, ..unstable },
            "io_driver.fd.registered"
            | "io_driver.fd.deregistered"
            | "io_driver.fd.count"
            | "io_driver.ready_events" => Self { feature: Some("net"), ..unstable },
            "task.poll.duration" => Self { call: histograms, or: tasks, ..unstable },
            "task.schedule.duration" => {
                Self { call: histograms, or: tasks, feature: Some("schedule-latency"), ..unstable }
            }
            "task.group.poll.duration" | "task.group.schedule.duration" => {
                Self { call: tasks, ..Self::default() }
            }
            "timer.delay" => Self { call: Some("TokioRuntime::with_canary"), ..Self::default() },
            "worker.stalls" | "worker.stall.duration" => Self { watchdog: true, ..stable },
            "worker.microstate.time" => Self { embedded: true, ..Self::default() },
            _ => unstable,
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.embedded {
            return f.write_str("an executor that embeds the core");
        }
        f.write_str(if self.tokio_unstable { "`--cfg tokio_unstable`" } else { "stable Tokio" })?;
        if let Some(feature) = self.feature {
            write!(f, ", feature `{feature}`")?;
        }
        if let Some(call) = self.call {
            write!(f, ", `{call}`")?;
        }
        if self.watchdog {
            f.write_str(", `Options::with_watchdog`")?;
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
