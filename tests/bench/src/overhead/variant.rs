//! How the runtime of a workload is watched.

use std::time::Duration;

use clap::ValueEnum;
use tokio::runtime::{Builder, Handle};
use tokio_metrics::TaskMonitor;
use worker_metrics_tokio::{RuntimeBuilderExt, TaskMetrics, TokioRuntime};

use super::attached::Attached;
use crate::load::Spawner;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Variant {
    Bare,
    BareAgain,
    Attached,
    Canary,
    Tasks,
    TaskGroup,
    TaskMonitor,
    TokioPolls,
    TokioPollsAndSchedules,
}

/// Tokio's own histograms come last.
const ON_STABLE_TOKIO: usize = 7;

impl Variant {
    /// Those that this build has; the bare runtime comes first.
    pub(super) fn available() -> &'static [Self] {
        let all = Self::value_variants();
        if cfg!(tokio_unstable) { all } else { &all[..ON_STABLE_TOKIO] }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::BareAgain => "bare, once more",
            Self::Attached => "attached",
            Self::Canary => "attached, with a canary every 10 ms",
            Self::Tasks => "attached, with hooks and instrumented futures",
            Self::TaskGroup => "the same, in a task group",
            Self::TaskMonitor => "tokio-metrics 0.5: `TaskMonitor` on each task",
            Self::TokioPolls => "attached, with Tokio's own poll-time histogram",
            Self::TokioPollsAndSchedules => {
                "attached, with Tokio's own poll-time and schedule-latency histograms"
            }
        }
    }

    pub(super) fn spawner(self) -> Spawner {
        match self {
            Self::Tasks => Spawner::Tasks(TaskMetrics::new()),
            Self::TaskGroup => {
                let tasks = TaskMetrics::builder().group("bench").build().expect("a good name");
                Spawner::Tasks(tasks.group("bench").expect("it was named"))
            }
            Self::TaskMonitor => Spawner::Monitor(TaskMonitor::new()),
            _ => Spawner::Bare,
        }
    }

    /// Switches on what it needs of the runtime.
    pub(super) fn prepare(self, builder: &mut Builder, spawner: &Spawner) {
        if let Spawner::Tasks(tasks) = spawner {
            builder.measure_tasks(tasks);
        }
        match self {
            Self::TokioPolls => poll_time_histogram(builder),
            Self::TokioPollsAndSchedules => {
                builder.enable_worker_histograms();
            }
            _ => {}
        }
    }

    pub(super) fn attach(self, runtime: &Handle, spawner: &Spawner) -> Option<Attached> {
        let source = TokioRuntime::new(runtime);
        let source = match spawner {
            Spawner::Tasks(tasks) => source.with_tasks(tasks),
            Spawner::Bare | Spawner::Monitor(_) => source,
        };
        match self {
            Self::Bare | Self::BareAgain | Self::TaskMonitor => None,
            Self::Canary => {
                let every = Duration::from_millis(10);
                Some(Attached::new(source.with_canary(every).expect("the runtime has timers")))
            }
            _ => Some(Attached::new(source)),
        }
    }

    /// That what it is said to measure was measured, and exported.
    pub(super) fn check(self, spawner: &Spawner, attached: Option<&Attached>) {
        let has_histograms = attached.map(Attached::exports_histograms);
        match self {
            Self::Bare | Self::BareAgain => assert_eq!(has_histograms, None),
            Self::Attached => assert_eq!(has_histograms, Some(false), "there are no histograms"),
            Self::TaskMonitor => match spawner {
                Spawner::Monitor(monitor) => assert!(monitor.cumulative().total_poll_count > 0),
                _ => panic!("no task was monitored"),
            },
            _ => assert_eq!(has_histograms, Some(true), "no histogram was exported"),
        }
    }
}

/// Tokio's poll times alone, on the scale of [`RuntimeBuilderExt::enable_worker_histograms`].
#[cfg(tokio_unstable)]
fn poll_time_histogram(builder: &mut Builder) {
    use tokio::runtime::{HistogramConfiguration, LogHistogram};
    use worker_metrics::histogram::Scale;

    let scale = LogHistogram::builder()
        .min_value(Scale::PRESET_MIN)
        .max_value(Scale::PRESET_MAX)
        .precision_exact(Scale::PRESET_PRECISION)
        .build();
    builder
        .enable_metrics_poll_time_histogram()
        .metrics_poll_time_histogram_configuration(HistogramConfiguration::log(scale));
}

#[cfg(not(tokio_unstable))]
fn poll_time_histogram(_: &mut Builder) {
    panic!("Tokio keeps histograms with `--cfg tokio_unstable` alone");
}
