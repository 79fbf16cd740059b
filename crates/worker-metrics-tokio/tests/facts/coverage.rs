//! What is covered in this configuration, and why the rest is not.

use tokio::runtime::Runtime;
use worker_metrics::{Counter, Coverage, Metric, Snapshot, Source};
use worker_metrics_tokio::{Gate, TaskMetrics, TokioRuntime};

use crate::rig::{current_thread, look_until, multi_thread};

const STABLE: [&str; 7] = [
    "worker.count",
    "worker.time",
    "worker.progress.age",
    "task.count",
    "global_queue.size",
    "worker.unparks",
    "worker.parks",
];

fn covered(runtime: &Runtime) -> Vec<&'static str> {
    let source = TokioRuntime::new(runtime.handle());
    source.definitions().iter().filter(|row| row.is_covered()).map(|row| row.definition.suffix).collect()
}

fn coverage(source: &TokioRuntime, metric: Metric) -> Option<Coverage> {
    source.definitions().iter().find(|row| row.metric() == metric).map(|row| row.coverage)
}

fn of(runtime: &Runtime, metric: Metric) -> Option<Coverage> {
    coverage(&TokioRuntime::new(runtime.handle()), metric)
}

/// What only the multi-thread scheduler has.
const MULTI_THREAD: [Metric; 4] = [
    Metric::WorkerStolenTasks,
    Metric::WorkerStealOperations,
    Metric::WorkerOverflows,
    Metric::WorkerPollMeanDuration,
];

#[test]
fn what_no_tokio_runtime_of_its_flavor_can_have_is_not_listed() {
    let absent = |runtime: &Runtime| -> Vec<_> {
        Metric::ALL.iter().filter(|metric| of(runtime, **metric).is_none()).copied().collect()
    };
    assert_eq!(absent(&multi_thread(1)), [Metric::WorkerMicrostateTime]);
    let mut expected = vec![Metric::WorkerMicrostateTime];
    expected.extend(MULTI_THREAD);
    assert_eq!(absent(&current_thread()), expected);
}

#[cfg(not(tokio_unstable))]
mod stable {
    use super::*;

    #[test]
    fn stable_tokio_covers_seven_metrics() {
        assert_eq!(covered(&multi_thread(1)), STABLE);
        assert_eq!(covered(&current_thread()), STABLE);
    }

    #[test]
    fn the_others_name_the_cfg_and_where_it_belongs() {
        let remedy = "needs `--cfg tokio_unstable` in RUSTFLAGS or .cargo/config.toml";
        assert_eq!(of(&multi_thread(1), Metric::WorkerPolls), Some(Coverage::Missing(remedy)));
    }
}

#[cfg(tokio_unstable)]
mod unstable {
    use super::*;
    use tokio::runtime::Builder;
    use worker_metrics_tokio::RuntimeBuilderExt;

    #[test]
    fn a_multi_thread_runtime_covers_all_but_what_is_not_switched_on() {
        let missing: Vec<_> = TokioRuntime::new(multi_thread(1).handle())
            .definitions()
            .iter()
            .filter(|row| !row.is_covered() && row.definition.suffix.starts_with("task."))
            .map(|row| row.definition.suffix)
            .collect();
        assert_eq!(
            missing,
            [
                "task.poll.duration",
                "task.schedule.duration",
                "task.group.poll.duration",
                "task.group.schedule.duration"
            ]
        );
        assert!(STABLE.iter().all(|stable| covered(&multi_thread(1)).contains(stable)));
    }

    #[test]
    fn the_io_driver_is_covered_with_the_feature_net() {
        let expected = match cfg!(feature = "net") {
            true => Coverage::Covered,
            false => Coverage::Missing("needs the feature `net` of worker-metrics-tokio"),
        };
        assert_eq!(of(&multi_thread(1), Metric::IoDriverReadyEvents), Some(expected));
    }

    #[test]
    fn a_multi_thread_runtime_covers_what_has_a_meaning_there_alone() {
        for metric in MULTI_THREAD {
            assert_eq!(of(&multi_thread(1), metric), Some(Coverage::Covered), "{metric:?}");
        }
    }

    #[test]
    fn the_builder_helper_switches_the_histograms_on() {
        let runtime =
            Builder::new_multi_thread().worker_threads(1).enable_worker_histograms().build().unwrap();
        assert_eq!(of(&runtime, Metric::TaskPollDuration), Some(Coverage::Covered));
        assert_eq!(of(&runtime, Metric::TaskScheduleDuration), Some(Coverage::Covered));
        let needs = Coverage::Missing("needs `RuntimeBuilderExt::enable_worker_histograms`");
        assert_eq!(of(&multi_thread(1), Metric::TaskPollDuration), Some(needs));
        assert_eq!(of(&multi_thread(1), Metric::TaskScheduleDuration), Some(needs));
    }
}

#[test]
fn task_metrics_and_a_canary_cover_what_tokio_itself_does_not() {
    let runtime = multi_thread(1);
    let rows = [
        Metric::TaskPollDuration,
        Metric::TaskScheduleDuration,
        Metric::TaskGroupPollDuration,
        Metric::TaskGroupScheduleDuration,
        Metric::TimerDelay,
    ];
    let covered =
        |source: &TokioRuntime| rows.map(|metric| coverage(source, metric) == Some(Coverage::Covered));
    let source = TokioRuntime::new(runtime.handle());
    assert_eq!(covered(&source), [false; 5]);
    let source = source.with_tasks(&TaskMetrics::new());
    assert_eq!(covered(&source), [true, true, false, false, false]);
    let groups = TaskMetrics::builder().group("db").build().unwrap();
    let source = source.with_tasks(&groups).with_canary(std::time::Duration::from_millis(10)).unwrap();
    assert_eq!(covered(&source), [true; 5]);
}

#[test]
fn what_is_covered_has_a_value_and_what_is_missing_has_none() {
    use worker_metrics::catalogue::Reading;

    for runtime in [multi_thread(1), current_thread()] {
        let source = TokioRuntime::new(runtime.handle());
        runtime.block_on(async {
            tokio::spawn(tokio::task::yield_now()).await.unwrap();
        });
        let needs_poll = |snapshot: &Snapshot| snapshot.workers()[0].count(Counter::Polls) != Some(0);
        let snapshot = look_until(&source, needs_poll);
        for row in source.definitions() {
            let worker = &snapshot.workers()[0];
            let known = match row.definition.reading {
                Reading::Count(read) => read(&snapshot).is_some(),
                Reading::CountByState(_, counts) => {
                    counts.iter().all(|count| (count.read)(&snapshot).is_some())
                }
                Reading::WorkerCount(counter) => worker.count(counter).is_some(),
                Reading::WorkerValue(read) => read(worker).is_some(),
                Reading::WorkerTime { read, .. } => read(worker).is_some(),
                Reading::WorkerTimeByMicrostate(read) => read(worker).is_some(),
                // Not asked for.
                _ => continue,
            };
            assert_eq!(known, row.is_covered(), "{}", row.definition.suffix);
        }
    }
}

#[test]
fn stalls_are_left_to_a_watchdog() {
    for runtime in [multi_thread(1), current_thread()] {
        for metric in [Metric::WorkerStalls, Metric::WorkerStallDuration] {
            assert_eq!(of(&runtime, metric), Some(Coverage::LeftToWatchdog));
        }
    }
}

#[test]
fn a_runtime_that_is_declared_intermittent_leaves_no_stalls_to_a_watchdog() {
    let source = TokioRuntime::new(current_thread().handle()).intermittent();
    let needs = "needs a runtime that is not declared `TokioRuntime::intermittent`";
    for metric in [Metric::WorkerProgressAge, Metric::WorkerStalls, Metric::WorkerStallDuration] {
        assert_eq!(coverage(&source, metric), Some(Coverage::Missing(needs)));
    }
}

#[test]
fn gates_read_like_words() {
    let gate = |metric| Gate::of(metric).unwrap().to_string();
    assert_eq!(gate(Metric::TaskCount), "stable Tokio");
    assert_eq!(gate(Metric::WorkerTime), "stable Tokio, 64-bit atomics");
    assert_eq!(gate(Metric::WorkerStalls), "stable Tokio, the watchdog, 64-bit atomics");
    assert_eq!(gate(Metric::WorkerOverflows), "`--cfg tokio_unstable`, multi-thread, 64-bit atomics");
    assert_eq!(
        gate(Metric::TaskScheduleDuration),
        "`--cfg tokio_unstable`, feature `tokio/schedule-latency`, `enable_worker_histograms`, 64-bit atomics; \
         or `TokioRuntime::with_tasks`"
    );
}
