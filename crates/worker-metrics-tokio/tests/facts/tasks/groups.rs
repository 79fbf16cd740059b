use tokio::runtime::Builder;
use tokio::task::yield_now;
use worker_metrics::Source;
use worker_metrics::histogram::Scale;
use worker_metrics_tokio::{RuntimeBuilderExt, TaskMetrics, TaskMetricsError, TokioRuntime};

use super::{Measured, snapshot};

#[test]
fn tasks_count_in_their_group_and_in_the_whole() {
    let tasks = TaskMetrics::builder().group("db").group("http").build().unwrap();
    let measured = Measured::on(Builder::new_multi_thread().worker_threads(2), tasks);
    let db = measured.tasks.group("db").unwrap();
    let http = measured.tasks.group("http").unwrap();
    measured.runtime.block_on(async {
        db.spawn(yield_now()).await.unwrap();
        http.spawn(async {}).await.unwrap();
        measured.tasks.spawn(async {}).await.unwrap();
    });
    let snapshot = measured.snapshot();
    let counts: Vec<_> = snapshot
        .task_groups()
        .iter()
        .map(|group| (group.poll_time_histogram.count(), group.schedule_latency_histogram.count()))
        .collect();
    assert_eq!(counts, [(2, 2), (1, 1)]);
    assert_eq!(measured.polls().count(), 4);
    assert_eq!(measured.source.identity().task_groups, ["db".into(), "http".into()]);
}

#[test]
fn what_tokio_keeps_itself_wins_and_groups_are_counted_all_the_same() {
    let tasks = TaskMetrics::builder().group("db").build().unwrap();
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_worker_histograms()
        .measure_tasks(&tasks)
        .build()
        .unwrap();
    let source = TokioRuntime::new(runtime.handle()).with_tasks(&tasks);
    runtime.block_on(async { tasks.group("db").unwrap().spawn(yield_now()).await.unwrap() });
    runtime.block_on(async { tokio::spawn(yield_now()).await.unwrap() });
    let snapshot = snapshot(&source);
    let worker = &snapshot.workers()[0];
    // Tokio keeps no sum, and publishes when the worker parks.
    assert_eq!(worker.poll_time_histogram.sum_ns.is_none(), cfg!(tokio_unstable));
    let own = cfg!(tokio_unstable);
    assert_eq!(worker.schedule_latency_histogram.sum_ns.is_none(), own);
    assert_eq!(snapshot.task_groups()[0].poll_time_histogram.count(), 2);
}

#[test]
fn an_own_scale_holds_for_all_histograms() {
    let scale = Scale::explicit(&[0.001, 0.01]).unwrap();
    let tasks = TaskMetrics::builder().group("db").scale(scale.clone()).build().unwrap();
    let measured = Measured::on(&mut Builder::new_current_thread(), tasks);
    let snapshot = measured.snapshot();
    assert_eq!(snapshot.workers()[0].poll_time_histogram.scale.as_ref(), Some(&scale));
    assert_eq!(snapshot.task_groups()[0].schedule_latency_histogram.scale.as_ref(), Some(&scale));
}

#[test]
fn groups_that_cannot_be_had_are_refused_with_the_remedy() {
    let build = |names: &[&str]| {
        names.iter().fold(TaskMetrics::builder(), |builder, name| builder.group(*name)).build().unwrap_err()
    };
    assert_eq!(build(&["db", ""]), TaskMetricsError::NoName);
    assert_eq!(build(&["db", "http", "db"]), TaskMetricsError::Twice("db".to_owned()));
    let long = "x".repeat(TaskMetrics::MAX_GROUP_NAME_LEN + 1);
    assert!(build(&[&long]).to_string().contains("has 201 bytes: use at most 200"));
    let many: Vec<_> = (0..33).map(|group| group.to_string()).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    assert!(build(&many).to_string().starts_with("33 task groups are too many: name at most 32"));
}

#[test]
fn a_group_that_was_not_named_is_refused_with_those_that_were() {
    let tasks = TaskMetrics::builder().group("db").group("http").build().unwrap();
    let error = tasks.group("dv").unwrap_err().to_string();
    assert_eq!(
        error,
        "there is no task group \"dv\": use one of \"db\", \"http\", or name it when the task metrics are built"
    );
    assert!(TaskMetrics::new().group("db").unwrap_err().to_string().contains("TaskMetrics::builder()"));
}
