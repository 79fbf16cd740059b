//! Prints what every worker is doing when the process gets SIGQUIT, as a JVM prints its threads:
//! `kill -QUIT PID`, or Ctrl-\ in a terminal. SIGINT or SIGTERM ends it.

#[cfg(unix)]
mod service;
#[cfg(unix)]
mod sigquit;

/// Runs the service until it is told to end.
#[cfg(unix)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    use worker_metrics_otel::Instrumentation;
    use worker_metrics_tokio::{RuntimeBuilderExt, TaskMetrics, TokioRuntime};

    let mut end = Signals::new([SIGINT, SIGTERM])?;
    let tasks = TaskMetrics::builder().group("checkout").build()?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).measure_tasks(&tasks).build()?;

    let workers = Instrumentation::default();
    let main = workers.attach(TokioRuntime::new(runtime.handle()).with_name("main").with_tasks(&tasks))?;
    let sigquit = sigquit::DumpOnSigquit::install(&workers)?;

    let database = service::start(&tasks, &runtime)?;
    println!("all workers block: kill -QUIT {}", std::process::id());
    end.forever().next();

    drop(database); // what the workers wait for
    drop((sigquit, main, runtime));
    println!("ended");
    Ok(())
}

/// Says that there is nothing to run.
#[cfg(not(unix))]
fn main() {
    eprintln!("this system has no SIGQUIT: see examples/debug-page");
}
