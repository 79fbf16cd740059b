//! Which panels there are, in the order in which somebody reads them at night.
//!
//! The queries ask the metrics themselves and no recorded series, so that the dashboard works where
//! the rules are not loaded.

use crate::panel::{Panel, Shape};
use crate::query::{Query, cause_labels, group_labels, runtime_labels};

/// Panels that answer one question.
#[derive(Debug)]
pub struct Row {
    /// Its title.
    pub title: &'static str,
    /// The section of the runbook that explains it.
    pub section: &'static str,
    /// Its panels.
    pub panels: Vec<Panel>,
}

const RUNTIME: &str = "{{instance}} {{tokio_runtime_name}} {{tokio_runtime_id}}";
const WORKER: &str = "{{instance}} {{tokio_runtime_name}} {{tokio_runtime_id}} worker {{tokio_worker_index}}";
const GROUP: &str = "{{instance}} {{tokio_runtime_name}} {{tokio_runtime_id}} {{tokio_task_group_name}}";
const CAUSE: &str = "{{tokio_stall_cause}}";
const UTILISATION: &str = r#"sum by (BY) (rate(<worker.time tokio_worker_state="busy">[$__rate_interval])) / sum by (BY) (<worker.count>)"#;
const STALLED: &str = r#"<worker.count tokio_worker_state="stalled">"#;

/// The whole board.
#[must_use]
pub fn rows() -> Vec<Row> {
    vec![
        healthy(),
        saturation(),
        stalls(),
        latency(),
        queues(),
        balance(),
        blocking(),
        io_driver(),
        groups(),
        timers(),
    ]
}

fn healthy() -> Row {
    let p99 = |suffix| Query::quantile(0.99, suffix, &runtime_labels(), "").largest();
    Row {
        title: "Is it healthy? The worst runtime, now",
        section: "Is it healthy?",
        panels: vec![
            stat("Stalled workers", "short", Query::new(&format!("sum({STALLED})"), ""))
                .alert("TokioWorkerStalled")
                .thresholds([1.0])
                .meaning("Workers that are proved to be stuck in one poll. Anything but 0 is trouble."),
            stat("Utilisation", "percentunit", Query::new(&format!("max({UTILISATION})"), ""))
                .alert("TokioRuntimeSaturated")
                .thresholds([0.5, 0.8])
                .meaning(
                    "Share of the workers' time that is busy. Above 80 % is saturated, below 30 % is idle.",
                ),
            stat("Longest poll in progress", "s", Query::new("max(<worker.progress.age>)", ""))
                .alert("TokioWorkerStalled")
                .thresholds([0.1, 1.0])
                .meaning("The longest time for which a worker has been running without a sign of life."),
            stat(
                "Global queue, per worker",
                "short",
                Query::new("max(sum by (BY) (<global_queue.size>) / sum by (BY) (<worker.count>))", ""),
            )
            .alert("TokioQueueBacklog")
            .thresholds([1.0, 4.0])
            .meaning("Tasks that can run and that no worker has taken yet, for each worker."),
            stat("Poll, p99", "s", p99("task.poll.duration"))
                .alert("TokioSlowPolls")
                .thresholds([0.0001, 0.001])
                .meaning("One poll in a hundred takes this long or longer. Should be below 100 µs."),
            stat("Schedule delay, p99", "s", p99("task.schedule.duration"))
                .alert("TokioLongScheduleDelay")
                .thresholds([0.001, 0.005])
                .meaning("One task in a hundred waits this long or longer from being woken to being polled."),
        ],
    }
}

fn saturation() -> Row {
    Row {
        title: "Saturation",
        section: "Saturation",
        panels: vec![
            lines("Utilisation", "percentunit", [Query::new(UTILISATION, RUNTIME)])
                .alert("TokioRuntimeSaturated")
                .thresholds([0.8])
                .meaning("Share of the workers' time that is busy. A worker that is stuck counts as busy."),
            Panel::new(
                Shape::Stack,
                "Workers by state",
                "short",
                vec![Query::new("sum by (tokio_worker_state) (<worker.count>)", "{{tokio_worker_state}}")],
            )
            .meaning("What the workers of all chosen runtimes are doing at the moment of each export."),
            lines("Live tasks", "short", [Query::new("sum by (BY) (<task.count>)", RUNTIME)])
                .meaning("Tasks that were spawned and have not ended. A line that only climbs is a leak."),
            lines("Tasks spawned", "cps", [per_second("task.spawned")])
                .meaning("How many tasks are spawned each second: the load that comes in."),
            lines("Forced yields", "cps", [per_second("task.forced_yields")])
                .alert("TokioForcedYields")
                .meaning(
                    "Polls that ended because the task had used up its budget: tasks that hog their workers.",
                ),
        ],
    }
}

fn stalls() -> Row {
    Row {
        title: "Stalls",
        section: "Stalls",
        panels: vec![
            lines("Stalled workers", "short", [Query::new(&format!("sum by (BY) ({STALLED})"), RUNTIME)])
                .alert("TokioRuntimeStalled")
                .thresholds([1.0])
                .meaning("Workers that are proved to be stuck in one poll, for the stall threshold of 1 s or longer."),
            lines("Poll in progress", "s", [Query::new("topk(10, <worker.progress.age>)", WORKER)])
                .alert("TokioWorkerStalled")
                .thresholds([1.0])
                .meaning(
                    "Which worker is stuck, and for how long. A line that climbs at one second a \
                          second is a poll that does not return.",
                ),
            lines(
                "Stalls that began",
                "short",
                [Query::new("increase(sum by (BY) (<worker.stalls>)[$__rate_interval:15s])", RUNTIME)],
            )
            .alert("TokioWorkerStallsRepeated")
            .meaning("Counted by the watchdog, also between two exports."),
            // A cause has no series before its first stall, which `increase` would miss.
            Panel::new(
                Shape::Stack,
                "Stalls by cause",
                "short",
                vec![Query::new(
                    "sum by (tokio_stall_cause) (clamp_min(<worker.stalls> - \
                     (<worker.stalls> offset $__rate_interval or <worker.stalls> * 0), 0))",
                    CAUSE,
                )],
            )
            .alert("TokioWorkerStallsRepeated")
            .meaning(
                "Why the workers stalled: each cause has a remedy of its own, in the runbook.",
            ),
            heatmap("Duration of stalls", "worker.stall.duration")
                .alert("TokioWorkerStallsRepeated")
                .meaning("How long the stalls were that have ended. Needs a watchdog."),
            lines(
                "Duration of stalls by cause, p90",
                "s",
                [Query::quantile(0.9, "worker.stall.duration", &cause_labels(), CAUSE)],
            )
            .alert("TokioWorkerStallsRepeated")
            .meaning(
                "One stall in ten of that cause lasted for so long or longer. The first stall of a cause is missing here; it is among \
                 the stalls by cause.",
            ),
        ],
    }
}

fn latency() -> Row {
    Row {
        title: "Latency",
        section: "Latency",
        panels: vec![
            heatmap("Polls", "task.poll.duration")
                .alert("TokioSlowPolls")
                .meaning("How long polls take. A second band far above the first is the code to look for."),
            heatmap("Schedule delay", "task.schedule.duration")
                .alert("TokioLongScheduleDelay")
                .meaning("How long tasks wait from being woken to being polled."),
            lines("Polls", "s", quantiles("task.poll.duration"))
                .alert("TokioSlowPolls")
                .thresholds([0.001])
                .meaning("The same as quantiles, for each runtime."),
            lines("Schedule delay", "s", quantiles("task.schedule.duration"))
                .alert("TokioLongScheduleDelay")
                .thresholds([0.005])
                .meaning("The same as quantiles, for each runtime."),
        ],
    }
}

fn queues() -> Row {
    Row {
        title: "Queues",
        section: "Queues",
        panels: vec![
            lines("Global queue", "short", [Query::new("sum by (BY) (<global_queue.size>)", RUNTIME)])
                .alert("TokioQueueBacklog")
                .meaning("Tasks that can run and that no worker has taken yet."),
            lines("Local queues", "short", [Query::new("topk(10, <worker.local_queue.size>)", WORKER)])
                .alert("TokioQueueBacklog")
                .meaning("Tasks that wait for a certain worker, or for another that steals them: the ten longest queues."),
            lines(
                "Where tasks are scheduled",
                "cps",
                [
                    Query::new(
                        "sum by (BY) (rate(<worker.local_schedules>[$__rate_interval]))",
                        &format!("from within {RUNTIME}"),
                    ),
                    Query::new(
                        "sum by (BY) (rate(<task.remote_schedules>[$__rate_interval]))",
                        &format!("from outside {RUNTIME}"),
                    ),
                ],
            )
            .meaning("Tasks woken by other tasks, and tasks woken by threads outside of the runtime: those go through the global queue."),
            lines("Overflows", "cps", [per_second("worker.overflows")])
                .meaning("A worker scheduled more than its queue holds (256 tasks), and half of it went to the global one."),
        ],
    }
}

fn balance() -> Row {
    Row {
        title: "Balance between workers (choose one instance)",
        section: "Balance",
        panels: vec![
            lines(
                "Busy",
                "percentunit",
                [Query::new(r#"rate(<worker.time tokio_worker_state="busy">[$__rate_interval])"#, WORKER)],
            )
            .alert("TokioWorkerImbalance")
            .meaning("Share of its time that each worker is busy. The lines should lie close together."),
            lines("Polls", "cps", [each_worker("worker.polls")])
                .alert("TokioWorkerImbalance")
                .meaning("How many polls each worker makes. Few polls and much busy time: long polls."),
            lines(
                "Stealing",
                "cps",
                [
                    Query::new(
                        "sum by (BY) (rate(<worker.stolen_tasks>[$__rate_interval]))",
                        &format!("tasks {RUNTIME}"),
                    ),
                    Query::new(
                        "sum by (BY) (rate(<worker.steal_operations>[$__rate_interval]))",
                        &format!("times {RUNTIME}"),
                    ),
                ],
            )
            .meaning("Work arrives unevenly and is evened out. Much of it is not wrong; none on an uneven board is."),
            lines(
                "Parks and unparks",
                "cps",
                [
                    Query::new("rate(<worker.parks>[$__rate_interval])", &format!("parks {WORKER}")),
                    Query::new("rate(<worker.unparks>[$__rate_interval])", &format!("unparks {WORKER}")),
                ],
            )
            .meaning("How often workers go to sleep and wake. A worker that stops doing either is saturated, stuck or asleep."),
            lines(
                "Woken in vain",
                "percentunit",
                [Query::new(
                    "sum by (BY) (rate(<worker.noops>[$__rate_interval])) / sum by (BY) (rate(<worker.parks>[$__rate_interval]))",
                    RUNTIME,
                )],
            )
            .meaning("Share of the parks after which the worker found nothing to poll."),
        ],
    }
}

fn blocking() -> Row {
    Row {
        title: "Blocking pool",
        section: "Blocking pool",
        panels: vec![
            Panel::new(
                Shape::Stack,
                "Threads",
                "short",
                vec![Query::new(
                    "sum by (tokio_blocking_thread_state) (<blocking.thread.count>)",
                    "{{tokio_blocking_thread_state}}",
                )],
            )
            .alert("TokioBlockingPoolExhausted")
            .meaning(
                "Threads of spawn_blocking, of tokio::fs and of DNS look-ups. The most there can be is max_blocking_threads, by \
                 default 512 for each runtime.",
            ),
            lines("Queue", "short", [Query::new("sum by (BY) (<blocking.queue.size>)", RUNTIME)])
                .alert("TokioBlockingPoolExhausted")
                .meaning("Tasks that wait for a thread. Should be 0 but for moments."),
        ],
    }
}

fn io_driver() -> Row {
    Row {
        title: "I/O driver",
        section: "I/O driver",
        panels: vec![
            lines("Ready events", "cps", [per_second("io_driver.ready_events")])
                .meaning("Sockets that became readable or writable. It falls to nothing while no worker gets round to the driver."),
            lines(
                "Descriptors registered",
                "short",
                [Query::new(
                    "sum by (BY) (<io_driver.fd.registered>) - sum by (BY) (<io_driver.fd.deregistered>)",
                    RUNTIME,
                )],
            )
            .meaning("Sockets and pipes that are open on the runtime. A line that only climbs is a leak."),
            lines(
                "Descriptors opened and closed",
                "cps",
                [
                    Query::new(
                        "sum by (BY) (rate(<io_driver.fd.registered>[$__rate_interval]))",
                        &format!("opened {RUNTIME}"),
                    ),
                    Query::new(
                        "sum by (BY) (rate(<io_driver.fd.deregistered>[$__rate_interval]))",
                        &format!("closed {RUNTIME}"),
                    ),
                ],
            )
            .meaning("Many of both are connections that are not kept open."),
        ],
    }
}

fn groups() -> Row {
    let p99 = |suffix| [Query::quantile(0.99, suffix, &group_labels(), GROUP)];
    Row {
        title: "Tasks by group",
        section: "Tasks by group",
        panels: vec![
            lines("Polls, p99", "s", p99("task.group.poll.duration"))
                .alert("TokioSlowPolls")
                .thresholds([0.001])
                .meaning("Which tasks are slow: the groups that the program has named with TaskMetrics."),
            lines("Schedule delay, p99", "s", p99("task.group.schedule.duration"))
                .alert("TokioLongScheduleDelay")
                .thresholds([0.005])
                .meaning("Which tasks wait."),
            lines("Polls", "cps", [Query::counted("task.group.poll.duration", &group_labels(), GROUP)])
                .meaning("Which tasks are polled most."),
        ],
    }
}

fn timers() -> Row {
    Row {
        title: "Timers",
        section: "Timers",
        panels: vec![
            heatmap("Timer delay", "timer.delay")
                .alert("TokioTimerLate")
                .meaning("How late a timer on the runtime is. Up to 1 ms is the resolution of Tokio's timers. Needs a canary."),
            lines("Timer delay", "s", quantiles("timer.delay"))
                .alert("TokioTimerLate")
                .thresholds([0.005])
                .meaning("The same as quantiles, for each runtime."),
        ],
    }
}

fn stat(title: &'static str, unit: &'static str, query: Query) -> Panel {
    Panel::new(Shape::Stat, title, unit, vec![query])
}

fn lines(title: &'static str, unit: &'static str, queries: impl Into<Vec<Query>>) -> Panel {
    Panel::new(Shape::Lines, title, unit, queries.into())
}

fn heatmap(title: &'static str, suffix: &str) -> Panel {
    Panel::new(Shape::Heatmap, title, "s", vec![Query::heatmap(suffix)])
}

fn per_second(suffix: &str) -> Query {
    Query::new(&format!("sum by (BY) (rate(<{suffix}>[$__rate_interval]))"), RUNTIME)
}

fn each_worker(suffix: &str) -> Query {
    Query::new(&format!("rate(<{suffix}>[$__rate_interval])"), WORKER)
}

fn quantiles(suffix: &str) -> [Query; 2] {
    [(0.5, "p50"), (0.99, "p99")].map(|(quantile, name)| {
        Query::quantile(quantile, suffix, &runtime_labels(), &format!("{name} {RUNTIME}"))
    })
}
