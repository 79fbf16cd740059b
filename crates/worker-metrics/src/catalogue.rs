//! The catalogue: every metric that there is, once.
//!
//! Instruments, OTLP metrics, `docs/metrics.md` and the registry in `registry/` are made from it or tested equal to it. A name
//! stands here and nowhere else.

use std::time::Duration;

use crate::attribute::Attribute;
use crate::histogram::HistogramSnapshot;
use crate::microstate::{Microstate, MicrostateTimes};
use crate::snapshot::{Snapshot, TaskGroupSnapshot, WorkerSnapshot, WorkerState};

/// One metric: what it is called below its namespace, what it means, and how it is read from a [`Snapshot`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Definition {
    /// The name below the namespace, such as `worker.parks`. [`Namespace::metric`](crate::Namespace::metric) makes it whole.
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
pub enum Requirement {
    /// It is.
    Recommended,
    /// Only on request.
    OptIn,
}

/// What a metric speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// A count of each worker; reduced to their sum.
    WorkerCount(fn(&WorkerSnapshot) -> Option<u64>),
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
}

/// One value of the attribute of [`Reading::CountByState`], and how its count is read.
#[derive(Clone, Copy, Debug)]
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
            | Reading::WorkerTime { .. }
            | Reading::WorkerTimeByMicrostate(_)
            | Reading::WorkerHistogram(_) => Level::Worker,
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
            _ => None,
        }
    }

    /// The values of that attribute, in the order in which they are read; none where there is no such attribute.
    #[must_use]
    pub fn states(&self) -> Vec<&'static str> {
        match self.reading {
            Reading::CountByState(_, counts) => counts.iter().map(|count| count.state).collect(),
            Reading::WorkerTime { state: Some(state), .. } => vec![state],
            Reading::WorkerTimeByMicrostate(_) => Microstate::ALL.map(Microstate::as_str).to_vec(),
            _ => Vec::new(),
        }
    }

    /// The definition of a name below its namespace.
    #[must_use]
    pub fn find(suffix: &str) -> Option<&'static Self> {
        CATALOGUE.iter().find(|definition| definition.suffix == suffix)
    }
}

const fn count(
    suffix: &'static str,
    instrument: Instrument,
    unit: &'static str,
    description: &'static str,
    read: fn(&Snapshot) -> Option<u64>,
) -> Definition {
    let reading = Reading::Count(read);
    Definition { suffix, instrument, unit, description, requirement: Requirement::Recommended, reading }
}

const fn worker_count(
    suffix: &'static str,
    instrument: Instrument,
    unit: &'static str,
    description: &'static str,
    read: fn(&WorkerSnapshot) -> Option<u64>,
) -> Definition {
    let reading = Reading::WorkerCount(read);
    Definition { suffix, instrument, unit, description, requirement: Requirement::Recommended, reading }
}

const fn histogram(suffix: &'static str, description: &'static str, reading: Reading) -> Definition {
    let requirement = Requirement::Recommended;
    Definition { suffix, instrument: Instrument::Histogram, unit: "s", description, requirement, reading }
}

use Instrument::{Counter, Gauge, UpDownCounter};

/// Every metric, in the order in which a reader wants to see them: is it healthy, what waits, what happened, how long.
pub static CATALOGUE: &[Definition] = &[
    Definition {
        suffix: "worker.count",
        instrument: UpDownCounter,
        unit: "{worker}",
        description: "Number of worker threads of the runtime.",
        requirement: Requirement::Recommended,
        reading: Reading::CountByState(
            Attribute::WorkerState,
            &[
                StateCount { state: BUSY, read: |snapshot| snapshot.workers_in(WorkerState::Busy) },
                StateCount { state: "idle", read: |snapshot| snapshot.workers_in(WorkerState::Idle) },
                StateCount { state: "stalled", read: |snapshot| snapshot.workers_in(WorkerState::Stalled) },
            ],
        ),
    },
    Definition {
        suffix: "worker.time",
        instrument: Counter,
        unit: "s",
        description: "Cumulative time the worker has been in each state.",
        requirement: Requirement::Recommended,
        reading: Reading::WorkerTime {
            read: |worker| worker.busy_duration,
            reduction: Reduction::Sum,
            state: Some(BUSY),
        },
    },
    Definition {
        suffix: "worker.progress.age",
        instrument: Gauge,
        unit: "s",
        description: "Time for which an unparked worker has published no progress.",
        requirement: Requirement::Recommended,
        reading: Reading::WorkerTime {
            read: |worker| worker.progress_age,
            reduction: Reduction::Largest,
            state: None,
        },
    },
    worker_count("worker.stalls", Counter, "{stall}", "Number of times the worker stalled.", |worker| {
        worker.stall_count
    }),
    histogram(
        "worker.stall.duration",
        "Duration of stalls of the worker that have ended.",
        Reading::WorkerHistogram(|worker| &worker.stall_duration_histogram),
    ),
    histogram(
        "timer.delay",
        "Time by which a timer on the runtime was late.",
        Reading::Histogram(|snapshot| &snapshot.timer_delay_histogram),
    ),
    Definition {
        suffix: "worker.microstate.time",
        instrument: Counter,
        unit: "s",
        description: "Cumulative time the worker has spent on each kind of work, and parked.",
        requirement: Requirement::Recommended,
        reading: Reading::WorkerTimeByMicrostate(|worker| worker.microstates),
    },
    count("task.count", UpDownCounter, "{task}", "Number of live tasks.", |snapshot| {
        snapshot.alive_task_count
    }),
    count(
        "global_queue.size",
        UpDownCounter,
        "{task}",
        "Number of tasks in the global queue of the runtime.",
        |snapshot| snapshot.global_queue_depth,
    ),
    worker_count(
        "worker.local_queue.size",
        UpDownCounter,
        "{task}",
        "Number of tasks in the local queue of the worker.",
        |worker| worker.local_queue_depth,
    ),
    Definition {
        suffix: "blocking.thread.count",
        instrument: UpDownCounter,
        unit: "{thread}",
        description: "Number of threads in the blocking thread pool.",
        requirement: Requirement::Recommended,
        reading: Reading::CountByState(
            Attribute::BlockingThreadState,
            &[
                StateCount { state: "active", read: active_blocking_threads },
                StateCount { state: "idle", read: |snapshot| snapshot.idle_blocking_thread_count },
            ],
        ),
    },
    count(
        "blocking.queue.size",
        UpDownCounter,
        "{task}",
        "Number of tasks waiting for a thread of the blocking thread pool.",
        |snapshot| snapshot.blocking_queue_depth,
    ),
    worker_count("worker.parks", Counter, "{park}", "Number of times the worker parked.", |worker| {
        worker.park_count
    }),
    worker_count(
        "worker.unparks",
        Counter,
        "{unpark}",
        "Number of times the worker was unparked.",
        |worker| worker.unpark_count,
    ),
    worker_count(
        "worker.noops",
        Counter,
        "{noop}",
        "Number of times the worker unparked and parked again without polling a task.",
        |worker| worker.noop_count,
    ),
    worker_count("worker.polls", Counter, "{poll}", "Number of task polls made by the worker.", |worker| {
        worker.poll_count
    }),
    Definition {
        suffix: "worker.poll.mean_duration",
        instrument: Gauge,
        unit: "s",
        description: "Exponentially weighted moving average of the task poll time of the worker.",
        requirement: Requirement::OptIn,
        reading: Reading::WorkerTime {
            read: |worker| worker.mean_poll_time,
            reduction: Reduction::Mean,
            state: None,
        },
    },
    worker_count(
        "worker.stolen_tasks",
        Counter,
        "{task}",
        "Number of tasks the worker stole from other workers.",
        |worker| worker.steal_count,
    ),
    worker_count(
        "worker.steal_operations",
        Counter,
        "{operation}",
        "Number of times the worker stole tasks from other workers.",
        |worker| worker.steal_operations,
    ),
    worker_count(
        "worker.local_schedules",
        Counter,
        "{schedule}",
        "Number of tasks scheduled on the local queue of the worker from within the runtime.",
        |worker| worker.local_schedule_count,
    ),
    worker_count(
        "worker.overflows",
        Counter,
        "{overflow}",
        "Number of times the local queue of the worker overflowed into the global queue.",
        |worker| worker.overflow_count,
    ),
    count("task.spawned", Counter, "{task}", "Number of tasks spawned.", |snapshot| {
        snapshot.spawned_task_count
    }),
    count(
        "task.remote_schedules",
        Counter,
        "{schedule}",
        "Number of tasks scheduled from outside the runtime.",
        |snapshot| snapshot.remote_schedule_count,
    ),
    count(
        "task.forced_yields",
        Counter,
        "{yield}",
        "Number of times tasks were forced to yield after exhausting their budget.",
        |snapshot| snapshot.forced_yield_count,
    ),
    histogram(
        "task.poll.duration",
        "Duration of task polls.",
        Reading::WorkerHistogram(|worker| &worker.poll_time_histogram),
    ),
    histogram(
        "task.schedule.duration",
        "Time tasks have spent scheduled before being polled.",
        Reading::WorkerHistogram(|worker| &worker.schedule_latency_histogram),
    ),
    histogram(
        "task.group.poll.duration",
        "Duration of polls of the tasks of a group.",
        Reading::TaskGroupHistogram(|group| &group.poll_time_histogram),
    ),
    histogram(
        "task.group.schedule.duration",
        "Time tasks of a group have spent scheduled before being polled.",
        Reading::TaskGroupHistogram(|group| &group.schedule_latency_histogram),
    ),
    count(
        "io_driver.fd.registered",
        Counter,
        "{file_descriptor}",
        "Number of file descriptors registered with the I/O driver.",
        |snapshot| snapshot.io_driver_fd_registered_count,
    ),
    count(
        "io_driver.fd.deregistered",
        Counter,
        "{file_descriptor}",
        "Number of file descriptors deregistered from the I/O driver.",
        |snapshot| snapshot.io_driver_fd_deregistered_count,
    ),
    Definition {
        suffix: "io_driver.fd.count",
        instrument: UpDownCounter,
        unit: "{file_descriptor}",
        description: "Number of file descriptors currently registered with the I/O driver.",
        requirement: Requirement::OptIn,
        reading: Reading::Count(registered_fds),
    },
    count(
        "io_driver.ready_events",
        Counter,
        "{event}",
        "Number of ready events processed by the I/O driver.",
        |snapshot| snapshot.io_driver_ready_count,
    ),
];

const BUSY: &str = "busy";

/// The threads are counted and then the idle ones: a thread that ends in between must not make a negative number.
fn active_blocking_threads(snapshot: &Snapshot) -> Option<u64> {
    Some(snapshot.blocking_thread_count?.saturating_sub(snapshot.idle_blocking_thread_count?))
}

/// Two counters read one after the other: never below 0.
fn registered_fds(snapshot: &Snapshot) -> Option<u64> {
    let registered = snapshot.io_driver_fd_registered_count?;
    Some(registered.saturating_sub(snapshot.io_driver_fd_deregistered_count?))
}
