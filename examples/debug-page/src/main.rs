//! Serves what every worker is doing, at `/debug/workers` on loopback, while all of them are
//! blocked. The end of its input ends it.

mod page;

use std::error::Error;
use std::sync::{Arc, Mutex, mpsc};

use worker_metrics_otel::Instrumentation;
use worker_metrics_tokio::{RuntimeBuilderExt, TaskMetrics, TokioRuntime};

fn main() -> Result<(), Box<dyn Error>> {
    let tasks = TaskMetrics::builder().group("render").build()?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).measure_tasks(&tasks).build()?;

    let workers = Instrumentation::default();
    let main = workers.attach(TokioRuntime::new(runtime.handle()).with_name("main").with_tasks(&tasks))?;
    let port = std::env::args().nth(1).map_or(Ok(6060), |port| port.parse())?;
    let page = page::DebugPage::serve(&workers, port)?;

    // A fault to look at: tasks that wait for jobs as a thread would.
    let (jobs, queue) = mpsc::channel::<u32>();
    let queue = Arc::new(Mutex::new(queue));
    for _ in 0..runtime.metrics().num_workers() {
        let queue = queue.clone();
        tasks.group("render")?.spawn_on(async move { render(&queue) }, runtime.handle());
    }
    println!("all workers block: http://{}/debug/workers", page.address());
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;

    drop(jobs); // what the workers wait for
    drop((page, main, runtime));
    println!("ended");
    Ok(())
}

fn render(queue: &Mutex<mpsc::Receiver<u32>>) {
    while let Ok(Ok(job)) = queue.lock().map(|queue| queue.recv()) {
        println!("job {job}");
    }
}
