//! A service on Tokio 1.51 that pushes the metrics of its runtime. It fails unless they arrived.

use std::error::Error;
use std::time::Duration;

use otlp_receiver::{Data, Receiver};
use worker_metrics_otel::{Instrumentation, Protocol};
use worker_metrics_tokio::{RuntimeBuilderExt, TaskMetrics, TokioRuntime};

const TASKS: u64 = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let receiver = Receiver::builder().keep_requests(true).strict(true).start()?;
    let workers = Instrumentation::default();
    let push = workers
        .otlp()
        .with_endpoint(receiver.grpc_endpoint())
        .with_protocol(Protocol::Grpc)
        .with_resource([("service.name", "checkout")])
        .with_interval(Duration::from_secs(3_600))
        .start()?;

    let tasks = TaskMetrics::builder().group("requests").build()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .enable_worker_histograms()
        .measure_tasks(&tasks)
        .build()?;
    let source = TokioRuntime::new(runtime.handle()).with_tasks(&tasks);
    let attachment = workers.attach(source)?;
    let requests = tasks.group("requests")?;
    runtime.block_on(async {
        for _ in 0..TASKS {
            requests.clone().spawn_on(async {}, runtime.handle()).await.expect("it does not panic");
        }
        // A worker publishes when it parks.
        tokio::time::sleep(Duration::from_millis(100)).await;
    });
    push.force_flush()?;
    let metrics = receiver.snapshot().metrics.len();
    drop(attachment);
    push.shutdown()?;

    let polls = counted(&receiver, "tokio.task.group.poll.duration")?;
    if polls != TASKS {
        return Err(format!("{polls} polls of the group arrived, not {TASKS}").into());
    }
    let stable = ["tokio.worker.count", "tokio.worker.time", "tokio.worker.parks", "tokio.task.count"];
    let unstable = ["tokio.worker.polls", "tokio.worker.steal_operations", "tokio.task.poll.duration"];
    let unstable = if cfg!(tokio_unstable) { &unstable[..] } else { &[] };
    for metric in stable.iter().chain(unstable) {
        if receiver.series(metric).is_empty() {
            return Err(format!("{metric} did not arrive").into());
        }
    }
    if cfg!(tokio_unstable) && counted(&receiver, "tokio.task.poll.duration")? < TASKS {
        return Err("polls are missing from tokio.task.poll.duration".into());
    }
    match &receiver.violations()[..] {
        [] => {
            println!("{metrics} metrics, {polls} polls of the group");
            Ok(())
        }
        violations => Err(format!("{violations:?}").into()),
    }
}

/// What all series of a histogram have counted.
fn counted(receiver: &Receiver, metric: &str) -> Result<u64, String> {
    let series = receiver.series(metric);
    let counts = series.iter().map(|series| match series.total() {
        Some(Data::Histogram(histogram)) => Ok(histogram.count),
        other => Err(format!("{metric} is {other:?}, no histogram")),
    });
    counts.sum()
}
