//! What Tokio tells with `--cfg tokio_unstable` alone: the only file that knows the cfg.
//!
//! Called at each collection. Where the cfg, a feature or the target lacks, each function leaves
//! its values as they are, and the constants say so.

use std::thread::ThreadId;

use tokio::runtime::{Builder, RuntimeMetrics};
use worker_metrics::Snapshot;
use worker_metrics::histogram::Scale;

/// Whether this build has Tokio's unstable metrics at all.
pub(crate) const ENABLED: bool = cfg!(tokio_unstable);
/// Whether it has the counters of the I/O driver.
pub(crate) const IO_DRIVER: bool = cfg!(all(tokio_unstable, feature = "net"));

/// The scales of the histograms that a runtime keeps, read once: they do not change in its life.
#[derive(Debug, Default)]
pub(crate) struct Histograms {
    pub(crate) poll_time: Option<Scale>,
    pub(crate) schedule_latency: Option<Scale>,
    /// Whether this Tokio has the second one at all.
    pub(crate) offers_schedule_latency: bool,
}

#[cfg(tokio_unstable)]
mod filling {
    use std::ops::Range;
    use std::time::Duration;

    use tokio::runtime::{HistogramConfiguration, LogHistogram, TaskMeta};
    use worker_metrics::histogram::HistogramSnapshot;
    use worker_metrics::{Counter, WorkerSnapshot};

    use super::*;
    use crate::tasks::{Hooks, PollHooks};

    type TaskHook = Box<dyn Fn(&TaskMeta<'_>) + Send + Sync>;

    /// The user's hooks on tasks.
    #[derive(Default)]
    pub(crate) struct TaskHooks {
        spawn: Vec<TaskHook>,
        before_poll: Vec<TaskHook>,
        after_poll: Vec<TaskHook>,
    }

    impl TaskHooks {
        pub(crate) fn install(self, ours: &PollHooks, builder: &mut Builder) {
            let Self { spawn, before_poll, after_poll } = self;
            builder.on_task_spawn(move |task| {
                PollHooks::task_is_spawned(task.spawned_at());
                run(&spawn, task);
            });
            // The poll is in progress while yours run. The ways without yours are half as long.
            let begins = ours.clone();
            if before_poll.is_empty() {
                builder.on_before_task_poll(move |task| begins.poll_begins(task.spawned_at()));
            } else {
                builder.on_before_task_poll(move |task| {
                    begins.poll_begins(task.spawned_at());
                    run(&before_poll, task);
                });
            }
            let ended = ours.clone();
            if after_poll.is_empty() {
                builder.on_after_task_poll(move |_| ended.poll_has_ended());
            } else {
                builder.on_after_task_poll(move |task| {
                    run(&after_poll, task);
                    ended.poll_has_ended();
                });
            }
        }
    }

    #[inline]
    fn run(hooks: &[TaskHook], task: &TaskMeta<'_>) {
        hooks.iter().for_each(|hook| hook(task));
    }

    impl Hooks {
        /// Runs `hook` too when a task is spawned, as
        /// [`Builder::on_task_spawn`](tokio::runtime::Builder::on_task_spawn) does. Only with
        /// `--cfg tokio_unstable`.
        pub fn on_task_spawn(mut self, hook: impl Fn(&TaskMeta<'_>) + Send + Sync + 'static) -> Self {
            self.tasks.spawn.push(Box::new(hook));
            self
        }

        /// Runs `hook` too before a task is polled, as
        /// [`Builder::on_before_task_poll`](tokio::runtime::Builder::on_before_task_poll) does.
        /// Only with `--cfg tokio_unstable`.
        pub fn on_before_task_poll(mut self, hook: impl Fn(&TaskMeta<'_>) + Send + Sync + 'static) -> Self {
            self.tasks.before_poll.push(Box::new(hook));
            self
        }

        /// Runs `hook` too after a task was polled, as
        /// [`Builder::on_after_task_poll`](tokio::runtime::Builder::on_after_task_poll) does. Only
        /// with `--cfg tokio_unstable`.
        pub fn on_after_task_poll(mut self, hook: impl Fn(&TaskMeta<'_>) + Send + Sync + 'static) -> Self {
            self.tasks.after_poll.push(Box::new(hook));
            self
        }
    }

    impl Histograms {
        pub(crate) fn of(metrics: &RuntimeMetrics) -> Self {
            let poll_time = metrics.poll_time_histogram_enabled().then(|| {
                let buckets = 0..metrics.poll_time_histogram_num_buckets();
                scale(buckets.map(|bucket| metrics.poll_time_histogram_bucket_range(bucket)))
            });
            let enabled = metrics.schedule_latency_histogram_enabled().answer();
            let schedule_latency = enabled.filter(|enabled| *enabled).and_then(|_| {
                let buckets = 0..metrics.schedule_latency_histogram_num_buckets();
                scale(buckets.map(|bucket| metrics.schedule_latency_histogram_bucket_range(bucket)))
            });
            Self {
                poll_time: poll_time.flatten(),
                schedule_latency,
                offers_schedule_latency: enabled.is_some(),
            }
        }
    }

    /// A scale of the same buckets. `None` cannot happen with what Tokio builds, and means that the
    /// histogram is left out.
    fn scale(ranges: impl Iterator<Item = Range<Duration>>) -> Option<Scale> {
        let ends_ns = ranges.map(|range| u64::try_from(range.end.as_nanos()).unwrap_or(u64::MAX));
        Scale::from_bucket_ends_ns(&ends_ns.collect::<Vec<_>>()).ok()
    }

    /// The answers of a Tokio that keeps no schedule latencies: one before 1.53, or without its
    /// feature `schedule-latency`, which a cfg of this crate cannot see.
    ///
    /// A method of the type itself goes before a method of a trait, so that these run only where
    /// Tokio has none of that name.
    #[allow(dead_code, reason = "they are for Tokios that lack the methods")]
    trait WithoutScheduleLatency {
        fn schedule_latency_histogram_enabled(&self) -> NoAnswer {
            NoAnswer
        }

        fn schedule_latency_histogram_num_buckets(&self) -> usize {
            0
        }

        fn schedule_latency_histogram_bucket_range(&self, _: usize) -> Range<Duration> {
            Duration::ZERO..Duration::ZERO
        }

        fn schedule_latency_histogram_bucket_count(&self, _: usize, _: usize) -> u64 {
            0
        }
    }

    impl WithoutScheduleLatency for RuntimeMetrics {}

    /// The same for the builder.
    #[allow(dead_code, reason = "they are for Tokios that lack the methods")]
    trait BuilderWithoutScheduleLatency {
        fn enable_metrics_schedule_latency_histogram(&mut self) -> &mut Self {
            self
        }

        fn metrics_schedule_latency_histogram_configuration(
            &mut self,
            _: HistogramConfiguration,
        ) -> &mut Self {
            self
        }
    }

    impl BuilderWithoutScheduleLatency for Builder {}

    /// What [`WithoutScheduleLatency`] answers where Tokio would say whether it keeps the
    /// histogram.
    struct NoAnswer;

    trait Answer {
        /// `None` for a Tokio that cannot be asked.
        fn answer(self) -> Option<bool>;
    }

    impl Answer for bool {
        fn answer(self) -> Option<bool> {
            Some(self)
        }
    }

    impl Answer for NoAnswer {
        fn answer(self) -> Option<bool> {
            None
        }
    }

    pub(crate) fn worker_thread(metrics: &RuntimeMetrics, worker: usize) -> Option<ThreadId> {
        (worker < metrics.num_workers()).then(|| metrics.worker_thread_id(worker)).flatten()
    }

    pub(crate) fn read_runtime(metrics: &RuntimeMetrics, into: &mut Snapshot) {
        into.blocking_thread_count = Some(metrics.num_blocking_threads() as u64);
        into.idle_blocking_thread_count = Some(metrics.num_idle_blocking_threads() as u64);
        into.blocking_queue_depth = Some(metrics.blocking_queue_depth() as u64);
        #[cfg(target_has_atomic = "64")]
        {
            into.spawned_task_count = Some(metrics.spawned_tasks_count());
            into.remote_schedule_count = Some(metrics.remote_schedule_count());
            into.forced_yield_count = Some(metrics.budget_forced_yield_count());
        }
        #[cfg(all(target_has_atomic = "64", feature = "net"))]
        {
            // The deregistered ones first: a descriptor that comes and goes between the two must
            // not make a negative number.
            into.io_driver_fd_deregistered_count = Some(metrics.io_driver_fd_deregistered_count());
            into.io_driver_fd_registered_count = Some(metrics.io_driver_fd_registered_count());
            into.io_driver_ready_count = Some(metrics.io_driver_ready_count());
        }
    }

    pub(crate) fn read_worker(
        metrics: &RuntimeMetrics,
        worker: usize,
        multi_thread: bool,
        into: &mut WorkerSnapshot,
    ) {
        into.local_queue_depth = Some(metrics.worker_local_queue_depth(worker) as u64);
        #[cfg(target_has_atomic = "64")]
        {
            into.set_count(Counter::Noops, metrics.worker_noop_count(worker));
            into.set_count(Counter::Polls, metrics.worker_poll_count(worker));
            into.set_count(Counter::LocalSchedules, metrics.worker_local_schedule_count(worker));
            if multi_thread {
                into.set_count(Counter::Steals, metrics.worker_steal_count(worker));
                into.set_count(Counter::StealOperations, metrics.worker_steal_operations(worker));
                into.set_count(Counter::Overflows, metrics.worker_overflow_count(worker));
                // Tokio starts the average at a guess: it means something once a task was polled.
                let polled = into.count(Counter::Polls) != Some(0);
                into.mean_poll_time = polled.then(|| metrics.worker_mean_poll_time(worker));
            }
        }
    }

    pub(crate) fn read_histograms(
        histograms: &Histograms,
        metrics: &RuntimeMetrics,
        worker: usize,
        into: &mut WorkerSnapshot,
    ) {
        #[cfg(target_has_atomic = "64")]
        if let Some(scale) = &histograms.poll_time {
            fill(&mut into.poll_time_histogram, scale, |bucket| {
                metrics.poll_time_histogram_bucket_count(worker, bucket)
            });
        }
        #[cfg(target_has_atomic = "64")]
        if let Some(scale) = &histograms.schedule_latency {
            fill(&mut into.schedule_latency_histogram, scale, |bucket| {
                metrics.schedule_latency_histogram_bucket_count(worker, bucket)
            });
        }
    }

    /// Tokio keeps no sum.
    fn fill(into: &mut HistogramSnapshot, scale: &Scale, count: impl Fn(usize) -> u64) {
        into.fill(scale, (0..scale.buckets()).map(count), None);
    }

    pub(crate) fn enable_histograms(builder: &mut Builder) {
        builder
            .enable_metrics_poll_time_histogram()
            .metrics_poll_time_histogram_configuration(HistogramConfiguration::log(preset()))
            .enable_metrics_schedule_latency_histogram()
            .metrics_schedule_latency_histogram_configuration(HistogramConfiguration::log(preset()));
    }

    fn preset() -> LogHistogram {
        LogHistogram::builder()
            .precision_exact(Scale::PRESET_PRECISION)
            .min_value(Scale::PRESET_MIN)
            .max_value(Scale::PRESET_MAX)
            .build()
    }
}

#[cfg(not(tokio_unstable))]
mod filling {
    use worker_metrics::WorkerSnapshot;

    use super::*;
    use crate::tasks::PollHooks;

    /// Stable Tokio has no hooks on tasks.
    #[derive(Default)]
    pub(crate) struct TaskHooks(());

    impl TaskHooks {
        pub(crate) fn install(self, _: &PollHooks, _: &mut Builder) {}
    }

    impl Histograms {
        pub(crate) fn of(_: &RuntimeMetrics) -> Self {
            Self::default()
        }
    }

    pub(crate) fn worker_thread(_: &RuntimeMetrics, _: usize) -> Option<ThreadId> {
        None
    }

    pub(crate) fn read_runtime(_: &RuntimeMetrics, _: &mut Snapshot) {}

    pub(crate) fn read_worker(_: &RuntimeMetrics, _: usize, _: bool, _: &mut WorkerSnapshot) {}

    pub(crate) fn read_histograms(_: &Histograms, _: &RuntimeMetrics, _: usize, _: &mut WorkerSnapshot) {}

    pub(crate) fn enable_histograms(_: &mut Builder) {}
}

pub(crate) use filling::{
    TaskHooks, enable_histograms, read_histograms, read_runtime, read_worker, worker_thread,
};
