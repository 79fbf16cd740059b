//! The catalogue: every metric that there is, once.
//!
//! Instruments, OTLP metrics, `docs/metrics.md` and the registry in `registry/` are made from it or
//! tested equal to it. A name stands here and nowhere else; code tells the rows apart by
//! [`Metric`].

use std::time::Duration;

use crate::attribute::Attribute;
use crate::counter::Counter;
use crate::histogram::HistogramSnapshot;
use crate::microstate::{Microstate, MicrostateTimes};
use crate::snapshot::{Snapshot, TaskGroupSnapshot, WorkerSnapshot, WorkerState};
use crate::stall_cause::StallCause;

/// One metric: its name below the namespace, its meaning, and how it is read from a [`Snapshot`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Definition {
    /// Which metric it is.
    pub metric: Metric,
    /// The name below the namespace, such as `worker.parks`.
    /// [`Namespace::metric`](crate::Namespace::metric) makes it whole.
    pub suffix: &'static str,
    /// The kind of instrument.
    pub instrument: Instrument,
    /// The unit, in UCUM.
    pub unit: &'static str,
    /// What it counts or measures, one sentence.
    pub description: &'static str,
    /// Whether it is exported without being asked for.
    pub requirement: Requirement,
    /// How it is read.
    pub reading: Reading,
}

/// The kind of an instrument, as OpenTelemetry has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Instrument {
    /// A monotonic sum.
    Counter,
    /// A sum that may fall.
    UpDownCounter,
    /// A value that does not add up.
    Gauge,
    /// A distribution.
    Histogram,
}

/// Whether a metric is exported without being asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Requirement {
    /// It is.
    Recommended,
    /// Only on request.
    OptIn,
}

/// What a metric speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Level {
    /// The runtime or pool as a whole.
    Runtime,
    /// Each worker.
    Worker,
    /// Each group of tasks.
    TaskGroup,
}

/// How the workers of one runtime become one value, where the level of detail wants one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reduction {
    /// Their sum.
    Sum,
    /// The largest.
    Largest,
    /// Their arithmetic mean.
    Mean,
}

/// How a metric is read from a snapshot. `None` means unknown, and is not exported.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Reading {
    /// A count of the runtime.
    Count(fn(&Snapshot) -> Option<u64>),
    /// A count of the runtime for each value of an attribute.
    CountByState(Attribute, &'static [StateCount]),
    /// A counter of each worker; reduced to their sum.
    WorkerCount(Counter),
    /// A whole number of each worker that its batch does not count; reduced to their sum.
    WorkerValue(fn(&WorkerSnapshot) -> Option<u64>),
    /// A time of each worker.
    WorkerTime {
        /// The time.
        read: fn(&WorkerSnapshot) -> Option<Duration>,
        /// What the workers are reduced to.
        reduction: Reduction,
        /// The value of [`Attribute::WorkerState`], if the metric carries it.
        state: Option<&'static str>,
    },
    /// A time of each worker for each of its microstates; reduced to their sums.
    WorkerTimeByMicrostate(fn(&WorkerSnapshot) -> Option<MicrostateTimes>),
    /// A histogram of the runtime, without buckets where unknown.
    Histogram(fn(&Snapshot) -> &HistogramSnapshot),
    /// A histogram of each group of tasks, without buckets where unknown.
    TaskGroupHistogram(fn(&TaskGroupSnapshot) -> &HistogramSnapshot),
    /// A histogram of each worker, without buckets where unknown; reduced to their sum.
    WorkerHistogram(fn(&WorkerSnapshot) -> &HistogramSnapshot),
    /// A count of each worker for each cause of a stall; reduced to their sums.
    WorkerCountByCause(fn(&WorkerSnapshot, StallCause) -> Option<u64>),
    /// A histogram of each worker for each cause of a stall, without buckets where unknown; reduced
    /// to their sums.
    WorkerHistogramByCause(fn(&WorkerSnapshot, StallCause) -> &HistogramSnapshot),
}

/// One value of the attribute of [`Reading::CountByState`], and how its count is read.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct StateCount {
    /// The value of the attribute.
    pub state: &'static str,
    /// The count.
    pub read: fn(&Snapshot) -> Option<u64>,
}

impl Definition {
    /// What the metric speaks of.
    #[must_use]
    pub fn level(&self) -> Level {
        match self.reading {
            Reading::Count(_) | Reading::CountByState(..) | Reading::Histogram(_) => Level::Runtime,
            Reading::WorkerCount(_)
            | Reading::WorkerValue(_)
            | Reading::WorkerTime { .. }
            | Reading::WorkerTimeByMicrostate(_)
            | Reading::WorkerHistogram(_)
            | Reading::WorkerCountByCause(_)
            | Reading::WorkerHistogramByCause(_) => Level::Worker,
            Reading::TaskGroupHistogram(_) => Level::TaskGroup,
        }
    }

    /// The attribute that tells the series of one runtime or worker apart, if there is one.
    #[must_use]
    pub fn state_attribute(&self) -> Option<Attribute> {
        match self.reading {
            Reading::CountByState(attribute, _) => Some(attribute),
            Reading::WorkerTime { state: Some(_), .. } => Some(Attribute::WorkerState),
            Reading::WorkerTimeByMicrostate(_) => Some(Attribute::WorkerMicrostate),
            Reading::WorkerCountByCause(_) | Reading::WorkerHistogramByCause(_) => {
                Some(Attribute::StallCause)
            }
            _ => None,
        }
    }

    /// The values of that attribute, in the order in which they are read; none where there is no
    /// such attribute.
    #[must_use]
    pub fn states(&self) -> Vec<&'static str> {
        match self.reading {
            Reading::CountByState(_, counts) => counts.iter().map(|count| count.state).collect(),
            Reading::WorkerTime { state: Some(state), .. } => vec![state],
            Reading::WorkerTimeByMicrostate(_) => Microstate::ALL.map(Microstate::as_str).to_vec(),
            Reading::WorkerCountByCause(_) | Reading::WorkerHistogramByCause(_) => {
                StallCause::ALL.map(StallCause::as_str).to_vec()
            }
            _ => Vec::new(),
        }
    }

    /// The definition of a name below its namespace.
    #[must_use]
    pub fn find(suffix: &str) -> Option<&'static Self> {
        CATALOGUE.iter().find(|definition| definition.suffix == suffix)
    }
}

/// The catalogue and the enum of its rows, from one list: a row is written once.
///
/// The rows in the middle are the counters of a [`Batch`](crate::Batch), each with its [`Counter`].
macro_rules! catalogue {
    (
        rows {
            $($row:ident = $suffix:literal, $instrument:ident $unit:literal, $description:literal,
                $requirement:ident, $reading:expr;)+
        }
        counters of a batch {
            $($counted:ident = $counted_suffix:literal, $counted_unit:literal,
                $counted_description:literal, $counter:ident;)+
        }
        rows {
            $($late:ident = $late_suffix:literal, $late_instrument:ident $late_unit:literal,
                $late_description:literal, $late_requirement:ident, $late_reading:expr;)+
        }
    ) => {
        /// A metric: one row of the catalogue, known by its name in the type system.
        ///
        /// # Examples
        ///
        /// ```
        /// use worker_metrics::{Metric, Namespace};
        ///
        /// let parks = Metric::WorkerParks.definition();
        /// assert_eq!(Namespace::TOKIO.metric(parks), "tokio.worker.parks");
        /// assert_eq!(parks.unit, "{park}");
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Metric {
            $(#[doc = concat!("`", $suffix, "`: ", $description)] $row,)+
            $(#[doc = concat!("`", $counted_suffix, "`: ", $counted_description)] $counted,)+
            $(#[doc = concat!("`", $late_suffix, "`: ", $late_description)] $late,)+
        }

        impl Metric {
            /// Every metric, in the order of the [`CATALOGUE`].
            pub const ALL: &'static [Self] =
                &[$(Self::$row,)+ $(Self::$counted,)+ $(Self::$late,)+];
        }

        /// Every metric, in the order in which a reader wants to see them: is it healthy, what
        /// waits, what happened, how long.
        pub static CATALOGUE: &[Definition] = &[
            $(Definition {
                metric: Metric::$row,
                suffix: $suffix,
                instrument: Instrument::$instrument,
                unit: $unit,
                description: $description,
                requirement: Requirement::$requirement,
                reading: $reading,
            },)+
            $(Definition {
                metric: Metric::$counted,
                suffix: $counted_suffix,
                instrument: Instrument::Counter,
                unit: $counted_unit,
                description: $counted_description,
                requirement: Requirement::Recommended,
                reading: Reading::WorkerCount(Counter::$counter),
            },)+
            $(Definition {
                metric: Metric::$late,
                suffix: $late_suffix,
                instrument: Instrument::$late_instrument,
                unit: $late_unit,
                description: $late_description,
                requirement: Requirement::$late_requirement,
                reading: $late_reading,
            },)+
        ];

        /// The pattern of every counter of a batch, for a match that shall be exhaustive without
        /// naming them.
        macro_rules! counter_of_a_batch {
            () => { $(Metric::$counted)|+ };
        }
    };
}

catalogue! {
    rows {
        WorkerCount = "worker.count", UpDownCounter "{worker}",
            "Number of worker threads of the runtime.", Recommended,
            Reading::CountByState(Attribute::WorkerState, &[
                StateCount { state: BUSY, read: |snapshot| snapshot.workers_in(WorkerState::Busy) },
                StateCount { state: "idle", read: |snapshot| snapshot.workers_in(WorkerState::Idle) },
                StateCount { state: "stalled", read: |snapshot| snapshot.workers_in(WorkerState::Stalled) },
            ]);
        WorkerTime = "worker.time", Counter "s",
            "Cumulative time the worker has been in each state.", Recommended,
            Reading::WorkerTime {
                read: |worker| worker.busy_duration,
                reduction: Reduction::Sum,
                state: Some(BUSY),
            };
        WorkerProgressAge = "worker.progress.age", Gauge "s",
            "Time for which an unparked worker has published no progress.", Recommended,
            Reading::WorkerTime {
                read: |worker| worker.progress_age,
                reduction: Reduction::Largest,
                state: None,
            };
        WorkerStalls = "worker.stalls", Counter "{stall}",
            "Number of times the worker stalled, by cause.", Recommended,
            Reading::WorkerCountByCause(|worker, cause| worker.stalls.count(cause));
        WorkerStallDuration = "worker.stall.duration", Histogram "s",
            "Duration of stalls of the worker that have ended, by cause.", Recommended,
            Reading::WorkerHistogramByCause(|worker, cause| worker.stalls.duration_histogram(cause));
        TimerDelay = "timer.delay", Histogram "s",
            "Time by which a timer on the runtime was late.", Recommended,
            Reading::Histogram(|snapshot| &snapshot.timer_delay_histogram);
        WorkerMicrostateTime = "worker.microstate.time", Counter "s",
            "Cumulative time the worker has spent on each kind of work, and parked.", Recommended,
            Reading::WorkerTimeByMicrostate(|worker| worker.microstates);
        TaskCount = "task.count", UpDownCounter "{task}",
            "Number of live tasks.", Recommended,
            Reading::Count(|snapshot| snapshot.alive_task_count);
        GlobalQueueSize = "global_queue.size", UpDownCounter "{task}",
            "Number of tasks in the global queue of the runtime.", Recommended,
            Reading::Count(|snapshot| snapshot.global_queue_depth);
        WorkerLocalQueueSize = "worker.local_queue.size", UpDownCounter "{task}",
            "Number of tasks in the local queue of the worker.", Recommended,
            Reading::WorkerValue(|worker| worker.local_queue_depth);
        BlockingThreadCount = "blocking.thread.count", UpDownCounter "{thread}",
            "Number of threads in the blocking thread pool.", Recommended,
            Reading::CountByState(Attribute::BlockingThreadState, &[
                StateCount { state: "active", read: active_blocking_threads },
                StateCount { state: "idle", read: |snapshot| snapshot.idle_blocking_thread_count },
            ]);
        BlockingQueueSize = "blocking.queue.size", UpDownCounter "{task}",
            "Number of tasks waiting for a thread of the blocking thread pool.", Recommended,
            Reading::Count(|snapshot| snapshot.blocking_queue_depth);
        WorkerUnparks = "worker.unparks", Counter "{unpark}",
            "Number of times the worker was unparked.", Recommended,
            Reading::WorkerValue(|worker| worker.unpark_count);
    }
    counters of a batch {
        WorkerParks = "worker.parks", "{park}",
            "Number of times the worker parked.", Parks;
        WorkerNoops = "worker.noops", "{noop}",
            "Number of times the worker unparked and parked again without polling a task.", Noops;
        WorkerPolls = "worker.polls", "{poll}",
            "Number of task polls made by the worker.", Polls;
        WorkerStolenTasks = "worker.stolen_tasks", "{task}",
            "Number of tasks the worker stole from other workers.", Steals;
        WorkerStealOperations = "worker.steal_operations", "{operation}",
            "Number of times the worker stole tasks from other workers.", StealOperations;
        WorkerLocalSchedules = "worker.local_schedules", "{schedule}",
            "Number of tasks scheduled on the local queue of the worker from within the runtime.",
            LocalSchedules;
        WorkerOverflows = "worker.overflows", "{overflow}",
            "Number of times the local queue of the worker overflowed into the global queue.",
            Overflows;
    }
    rows {
        WorkerPollMeanDuration = "worker.poll.mean_duration", Gauge "s",
            "Exponentially weighted moving average of the task poll time of the worker.", OptIn,
            Reading::WorkerTime {
                read: |worker| worker.mean_poll_time,
                reduction: Reduction::Mean,
                state: None,
            };
        TaskSpawned = "task.spawned", Counter "{task}",
            "Number of tasks spawned.", Recommended,
            Reading::Count(|snapshot| snapshot.spawned_task_count);
        TaskRemoteSchedules = "task.remote_schedules", Counter "{schedule}",
            "Number of tasks scheduled from outside the runtime.", Recommended,
            Reading::Count(|snapshot| snapshot.remote_schedule_count);
        TaskForcedYields = "task.forced_yields", Counter "{yield}",
            "Number of times tasks were forced to yield after exhausting their budget.", Recommended,
            Reading::Count(|snapshot| snapshot.forced_yield_count);
        TaskPollDuration = "task.poll.duration", Histogram "s",
            "Duration of task polls.", Recommended,
            Reading::WorkerHistogram(|worker| &worker.poll_time_histogram);
        TaskScheduleDuration = "task.schedule.duration", Histogram "s",
            "Time tasks have spent scheduled before being polled.", Recommended,
            Reading::WorkerHistogram(|worker| &worker.schedule_latency_histogram);
        TaskGroupPollDuration = "task.group.poll.duration", Histogram "s",
            "Duration of polls of the tasks of a group.", Recommended,
            Reading::TaskGroupHistogram(|group| &group.poll_time_histogram);
        TaskGroupScheduleDuration = "task.group.schedule.duration", Histogram "s",
            "Time tasks of a group have spent scheduled before being polled.", Recommended,
            Reading::TaskGroupHistogram(|group| &group.schedule_latency_histogram);
        IoDriverFdRegistered = "io_driver.fd.registered", Counter "{file_descriptor}",
            "Number of file descriptors registered with the I/O driver.", Recommended,
            Reading::Count(|snapshot| snapshot.io_driver_fd_registered_count);
        IoDriverFdDeregistered = "io_driver.fd.deregistered", Counter "{file_descriptor}",
            "Number of file descriptors deregistered from the I/O driver.", Recommended,
            Reading::Count(|snapshot| snapshot.io_driver_fd_deregistered_count);
        IoDriverFdCount = "io_driver.fd.count", UpDownCounter "{file_descriptor}",
            "Number of file descriptors currently registered with the I/O driver.", OptIn,
            Reading::Count(registered_fds);
        IoDriverReadyEvents = "io_driver.ready_events", Counter "{event}",
            "Number of ready events processed by the I/O driver.", Recommended,
            Reading::Count(|snapshot| snapshot.io_driver_ready_count);
    }
}

pub(crate) use counter_of_a_batch;

impl Metric {
    /// The row of the catalogue.
    ///
    /// **Cost**: an index.
    #[must_use]
    pub fn definition(self) -> &'static Definition {
        &CATALOGUE[self.index()]
    }

    /// Index of the row in the [`CATALOGUE`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

const BUSY: &str = "busy";

/// The threads are counted and then the idle ones: a thread that ends in between must not make a
/// negative number.
fn active_blocking_threads(snapshot: &Snapshot) -> Option<u64> {
    Some(snapshot.blocking_thread_count?.saturating_sub(snapshot.idle_blocking_thread_count?))
}

/// Two counters read one after the other: never below 0.
fn registered_fds(snapshot: &Snapshot) -> Option<u64> {
    let registered = snapshot.io_driver_fd_registered_count?;
    Some(registered.saturating_sub(snapshot.io_driver_fd_deregistered_count?))
}
