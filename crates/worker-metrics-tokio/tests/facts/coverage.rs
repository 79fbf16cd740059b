//! What is covered in this configuration, and why the rest is not.

use tokio::runtime::Runtime;
use worker_metrics::{Coverage, Snapshot, Source};
use worker_metrics_tokio::{Gate, TaskMetrics, TokioRuntime};

use crate::rig::{current_thread, look_until, multi_thread};

const STABLE: [&str; 7] = [
    "worker.count",
    "worker.time",
    "worker.progress.age",
    "task.count",
    "global_queue.size",
    "worker.parks",
    "worker.unparks",
];

fn covered(runtime: &Runtime) -> Vec<&'static str> {
    let source = TokioRuntime::new(runtime.handle());
    source.definitions().iter().filter(|row| row.is_covered()).map(|row| row.definition.suffix).collect()
}

fn why_missing(runtime: &Runtime, suffix: &str) -> Option<&'static str> {
    let source = TokioRuntime::new(runtime.handle());
    let row = source
        .definitions()
        .iter()
        .find(|row| row.definition.suffix == suffix)
        .expect("a row of the catalogue");
    match row.coverage {
        Coverage::Missing(why) => Some(why),
        Coverage::Covered => None,
    }
}

#[test]
fn every_row_of_the_catalogue_is_there_with_its_coverage() {
    let source = TokioRuntime::new(multi_thread(1).handle());
    assert_eq!(source.definitions().len(), worker_metrics::catalogue::CATALOGUE.len());
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
    fn the_others_name_the_cfg_and_the_trap_beside_it() {
        let why = why_missing(&multi_thread(1), "worker.polls").unwrap();
        assert!(why.contains("--cfg tokio_unstable") && why.contains("RUSTFLAGS"), "{why}");
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
        let why = why_missing(&multi_thread(1), "io_driver.ready_events");
        let expected = (!cfg!(feature = "net")).then_some("needs the feature `net` of worker-metrics-tokio");
        assert_eq!(why, expected);
    }

    #[test]
    fn a_current_thread_runtime_lacks_what_has_no_meaning_there() {
        for suffix in [
            "worker.stolen_tasks",
            "worker.steal_operations",
            "worker.overflows",
            "worker.poll.mean_duration",
        ] {
            assert!(why_missing(&current_thread(), suffix).unwrap().contains("current-thread"), "{suffix}");
            assert_eq!(why_missing(&multi_thread(1), suffix), None);
        }
    }

    #[test]
    fn the_builder_helper_switches_the_histograms_on() {
        let runtime =
            Builder::new_multi_thread().worker_threads(1).enable_worker_histograms().build().unwrap();
        assert_eq!(why_missing(&runtime, "task.poll.duration"), None);
        let why = why_missing(&runtime, "task.schedule.duration");
        let expected = (!cfg!(feature = "schedule-latency"))
            .then_some("needs the feature `schedule-latency` of worker-metrics-tokio");
        assert_eq!(why, expected);
    }
}

#[test]
fn task_metrics_and_a_canary_cover_what_tokio_itself_does_not() {
    let runtime = multi_thread(1);
    let rows = [
        "task.poll.duration",
        "task.schedule.duration",
        "task.group.poll.duration",
        "task.group.schedule.duration",
        "timer.delay",
    ];
    let covered = |source: &TokioRuntime| {
        rows.map(|suffix| {
            source.definitions().iter().any(|row| row.definition.suffix == suffix && row.is_covered())
        })
    };
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
        let needs_poll = |snapshot: &Snapshot| snapshot.workers()[0].poll_count != Some(0);
        let snapshot = look_until(&source, needs_poll);
        for row in source.definitions() {
            let worker = &snapshot.workers()[0];
            let known = match row.definition.reading {
                Reading::Count(read) => read(&snapshot).is_some(),
                Reading::CountByState(_, counts) => {
                    counts.iter().all(|count| (count.read)(&snapshot).is_some())
                }
                Reading::WorkerCount(read) => read(worker).is_some(),
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
        for suffix in ["worker.stalls", "worker.stall.duration"] {
            assert_eq!(why_missing(&runtime, suffix), Some(Coverage::FOR_WATCHDOG));
        }
    }
}

#[test]
fn gates_read_like_words() {
    let gate = |suffix| Gate::of(worker_metrics::Definition::find(suffix).unwrap()).to_string();
    assert_eq!(gate("task.count"), "stable Tokio");
    assert_eq!(gate("worker.time"), "stable Tokio, 64-bit atomics");
    assert_eq!(gate("worker.stalls"), "stable Tokio, `Options::with_watchdog`, 64-bit atomics");
    assert_eq!(gate("worker.overflows"), "`--cfg tokio_unstable`, multi-thread, 64-bit atomics");
    assert_eq!(
        gate("task.schedule.duration"),
        "`--cfg tokio_unstable`, feature `schedule-latency`, `enable_worker_histograms`, 64-bit atomics; or `TokioRuntime::with_tasks`"
    );
}
