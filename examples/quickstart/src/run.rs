//! From the options to the result.

use std::io::{self, Write};
use std::mem;
use std::sync::mpsc::{self, Receiver as Signal, RecvTimeoutError};
use std::time::{Duration, Instant};

use otlp_receiver::{Document, Receiver};
use serde_json::to_string_pretty;
use tokio::runtime::Runtime;
use worker_metrics_otel::{Instrumentation, Options as InstrumentationOptions};
use worker_metrics_tokio::{RuntimeBuilderExt, TaskMetrics, TokioRuntime};

use crate::calls::Calls;
use crate::error::Failure;
use crate::options::Options;
use crate::pipeline::Pipeline;
use crate::screen::Screen;
use crate::target::Target;
use crate::view::View;
use crate::{table, workload};

const REFRESH: Duration = Duration::from_secs(1);
const CANARY: Duration = Duration::from_millis(10);

/// Runs the workload and shows what arrives.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let interrupted = interruption()?;
    let receiver = Target::is_here(options).then(Receiver::start).transpose();
    let receiver = receiver.map_err(|cause| Failure::run("the receiver in this process", cause))?;

    let calls = Calls::default();
    let options_of_workers = InstrumentationOptions::default()
        .with_opt_in_metrics()
        .with_watchdog(calls.watchdog())
        .with_histograms(options.histograms());
    let workers = Instrumentation::new(options_of_workers);
    let target = Target::new(options, receiver.as_ref());
    // A bad variable is ignored by both exporters, and reported to the log: here that is standard
    // error.
    let pipeline = tracing::subscriber::with_default(log(), || Pipeline::start(options, &target, &workers))?;
    let tasks = workload::tasks().map_err(|cause| Failure::run("the task groups", cause))?;
    let runtime = observed_runtime(options.workers(), &tasks)?;
    let source = TokioRuntime::new(runtime.handle())
        .with_tasks(&tasks)
        .with_canary(CANARY)
        .map_err(|cause| Failure::run("the canary", cause))?;
    let attachment = workers.attach(source).map_err(|cause| Failure::run("attaching the runtime", cause))?;

    let mut screen = Screen::new(options.json);
    screen.print(&introduction(options, &workers, &pipeline, receiver.is_some()))?;
    workload::start(runtime.handle(), &tasks).map_err(|cause| Failure::run("the workload", cause))?;
    let started = Instant::now();
    let watched = watch(options, &interrupted, receiver.as_ref(), &pipeline, &calls, &mut screen);

    let stopped = pipeline.stop();
    drop(attachment);
    // A worker may be in the middle of its mistake: it is not waited for.
    runtime.shutdown_background();
    let mut received = watched?;
    let document = receiver.as_ref().map(Receiver::snapshot);
    if let Some(document) = &document {
        received.update(document.clone());
        let seconds = started.elapsed().as_secs();
        let table = table::render(&received.view(), screen.columns(), seconds, document.exports);
        screen.show(&(table + &calls.line()))?;
    }
    report(options, document, &pipeline, stopped)
}

fn interruption() -> Result<Signal<()>, Failure> {
    let (interrupt, interrupted) = mpsc::channel();
    ctrlc::set_handler(move || {
        // Nobody listens any more at the very end, and there is nothing to interrupt then.
        let _ = interrupt.send(());
    })
    .map_err(|cause| Failure::run("listening for Ctrl-C and for SIGTERM", cause))?;
    Ok(interrupted)
}

/// Warnings on standard error.
fn log() -> impl tracing::Subscriber {
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(io::stderr)
        .without_time()
        .with_ansi(false)
        .finish()
}

fn observed_runtime(workers: usize, tasks: &TaskMetrics) -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .name("main")
        .thread_name("main-worker")
        .enable_all()
        .enable_worker_histograms() // with `--cfg tokio_unstable`, where Tokio keeps its own
        .measure_tasks(tasks)
        .build()
        .map_err(|cause| Failure::run("the observed runtime", cause))
}

fn introduction(options: &Options, workers: &Instrumentation, pipeline: &Pipeline, is_here: bool) -> String {
    let what = if is_here { "a receiver in this process" } else { "your collector" };
    let push = pipeline.status();
    let (to, interval) = (&push.destination, push.interval.unwrap_or_default());
    let mut text = format!(
        "A Tokio runtime of {} workers serves TCP, computes, calls blocking code and waits for timers. Every few seconds one \
         of its tasks blocks its worker for {:?}, as a forgotten synchronous call would.\nIts metrics go to {what}, {to}, every \
         {interval:?}: {} series.\n",
        options.workers(),
        workload::BLOCKED,
        workers.expected_series().total(),
    );
    for source in workers.coverage() {
        if source.missing().next().is_some() {
            text += &format!("{source}\n");
        }
    }
    text
}

/// Until the end: what the receiver got, or what became of the exports.
fn watch(
    options: &Options,
    interrupted: &Signal<()>,
    receiver: Option<&Receiver>,
    pipeline: &Pipeline,
    calls: &Calls,
    screen: &mut Screen,
) -> Result<Received, Failure> {
    let started = Instant::now();
    let mut received = Received::default();
    loop {
        let left = options.duration.0.map_or(REFRESH, |duration| duration.saturating_sub(started.elapsed()));
        if left.is_zero() {
            return Ok(received);
        }
        match interrupted.recv_timeout(left.min(REFRESH)) {
            Ok(()) => return Ok(received),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        let seconds = started.elapsed().as_secs();
        match receiver {
            Some(receiver) => {
                received.update(receiver.snapshot());
                let view = received.view();
                let exports = received.now.exports;
                if screen.is_live() {
                    let table = table::render(&view, screen.columns(), seconds, exports);
                    screen.show(&(table + &calls.line()))?;
                } else {
                    screen.print(&(table::verdict(&view.verdict, seconds, exports) + &calls.line()))?;
                }
            }
            None => {
                let outcome = pipeline.outcome();
                let failed: u64 = outcome.errors.values().sum();
                let error = pipeline.status().last_error;
                let error = error.map(|error| format!("  {error}\n")).unwrap_or_default();
                screen.print(&format!(
                    "after {seconds} s: {} exports acknowledged, {failed} failed\n{error}{}",
                    outcome.exports,
                    calls.line()
                ))?;
            }
        }
    }
}

/// The last two states of each metric that differ: rates are taken between them.
///
/// Numbers and histograms arrive in requests of their own, so that a metric may have news where
/// another has none.
#[derive(Debug, Default)]
struct Received {
    before: Document,
    now: Document,
}

impl Received {
    fn update(&mut self, document: Document) {
        let known = mem::replace(&mut self.now, document);
        for metric in known.metrics {
            if self.now.metric(&metric.name) != Some(&metric) {
                self.before.metrics.retain(|before| before.name != metric.name);
                self.before.metrics.push(metric);
            }
        }
    }

    fn view(&self) -> View {
        View::new(&self.before, &self.now)
    }
}

fn report(
    options: &Options,
    document: Option<Document>,
    pipeline: &Pipeline,
    stopped: Result<(), Failure>,
) -> Result<(), Failure> {
    let outcome = pipeline.outcome();
    if options.json {
        let json = match &document {
            Some(document) => to_string_pretty(document),
            None => to_string_pretty(&outcome),
        };
        let json = json.map_err(|cause| Failure::run("the JSON document", cause))?;
        writeln!(io::stdout(), "{json}").map_err(|cause| Failure::run("standard output", cause))?;
    }
    for (error, times) in &outcome.errors {
        eprintln!("{times} × {error}");
    }
    stopped
}
