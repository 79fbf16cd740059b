//! From the options to the table.

use std::fmt::Write;
use std::sync::Arc;

use worker_metrics_otel::{Instrumentation, Options as InstrumentationOptions};

use crate::error::Failure;
use crate::options::Options;
use crate::pipeline::Pipeline;
use crate::pools::Pools;
use crate::standstill::Standstill;
use crate::{check, load, occasions, table};

/// Runs the load, and returns what arrived of it.
pub(crate) fn run(options: &Options) -> Result<String, Failure> {
    let pools = Pools::start(options.workers())?;

    // These lines are all that a program needs.
    let workers = Instrumentation::new(InstrumentationOptions::default().with_opt_in_metrics());
    let pipeline = Pipeline::start(&workers)?;
    let attachments = [
        workers
            .attach(Arc::clone(pools.executor.pool()))
            .map_err(Failure::pipeline("attaching the executor"))?,
        workers
            .attach(Arc::clone(pools.jobs.pool()))
            .map_err(Failure::pipeline("attaching the thread pool"))?,
    ];

    occasions::noop(&pools)?;
    occasions::overflow_and_steal(&pools)?;
    load::run(&pools, options.duration())?;
    let standstill = Standstill::begin(&pools);
    let received = pipeline.received();
    standstill.end()?;
    let received = received?;

    let (mut text, mut faults) = (String::new(), Vec::new());
    for source in workers.coverage() {
        let of = &source.identity;
        let name = of.name.as_deref().unwrap_or_default();
        let table = table::render(&received, &source);
        // Writing to a string does not fail.
        _ = writeln!(text, "{} workers of {name:?}, namespace {}\n{table}\n", of.workers, of.namespace);
        faults.extend(check::faults(&received, &source));
    }
    drop(attachments);
    pipeline.stop()?;
    if faults.is_empty() { Ok(text) } else { Err(Failure::Faults(faults, text)) }
}
