//! A runtime whose workers are all blocked, with the pipeline built inside `#[tokio::main]`.

use std::thread::sleep;
use std::time::Duration;

use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use worker_metrics_otel::Instrumentation;
use worker_metrics_tokio::TokioRuntime;

use crate::Outcome;

const INTERVAL: Duration = Duration::from_millis(100);
const BLOCK: Duration = Duration::from_secs(2);

/// Blocks every worker, and ends `main` in one of several ways.
pub(crate) fn run(way: &str) -> Outcome {
    match way {
        "push" => in_main(true),
        "exporter" => in_main(false),
        "current-thread" => current_thread(),
        "task" => in_a_task(),
        _ => Err(format!("no such way: {way}").into()),
    }
}

#[tokio::main(worker_threads = 2)]
async fn in_main(is_push: bool) -> Outcome {
    let workers = Instrumentation::default();
    // Both are dropped at the end of `main`, inside the runtime.
    let (mut _push, mut _provider) = (None, None);
    if is_push {
        _push = Some(workers.otlp().with_interval(INTERVAL).start()?);
    } else {
        let reader = PeriodicReader::builder(workers.otlp().exporter()?).with_interval(INTERVAL).build();
        let provider = SdkMeterProvider::builder().with_reader(reader).build();
        workers.register(&provider);
        _provider = Some(provider);
    }
    let _main = workers.attach(TokioRuntime::current()?)?;
    let blocking: Vec<_> = (0..2).map(|_| tokio::spawn(async { sleep(BLOCK) })).collect();
    // The main task itself is no worker's.
    sleep(BLOCK);
    for task in blocking {
        task.await?;
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn current_thread() -> Outcome {
    let workers = Instrumentation::default();
    let _push = workers.otlp().with_interval(INTERVAL).start()?;
    let _main = workers.attach(TokioRuntime::current()?)?;
    sleep(BLOCK);
    Ok(())
}

/// Everything is made and dropped within a spawned task.
#[tokio::main(worker_threads = 2)]
async fn in_a_task() -> Outcome {
    let task = tokio::spawn(async {
        let workers = Instrumentation::default();
        let push = workers.otlp().with_interval(INTERVAL).start().map_err(|error| error.to_string())?;
        let attached = workers
            .attach(TokioRuntime::current().map_err(|error| error.to_string())?)
            .map_err(|error| error.to_string())?;
        sleep(BLOCK);
        drop((attached, workers, push));
        Ok::<(), String>(())
    });
    Ok(task.await??)
}
