//! Thousands of processes in one, for a collector to carry.
//!
//! Each has a resource of its own, its own connection and a pool whose workers go on counting.
//! Exports are spread evenly over the interval.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use worker_metrics::Batch;
use worker_metrics::histogram::Scale;
use worker_metrics_otel::{Attachment, Instrumentation, Protocol, Push};

use crate::backend::Settings;
use crate::process::{Level, options, pool, push, resource};

/// What to send.
#[derive(Clone, Debug)]
pub struct Load {
    /// Simulated processes, with one runtime each.
    pub runtimes: usize,
    /// Workers of each.
    pub workers: usize,
    /// Where it goes: the base for gRPC, the whole URL for HTTP.
    pub endpoint: String,
    /// How it travels, and as what.
    pub settings: Settings,
    /// How much each tells.
    pub level: Level,
    /// Between two exports of one process.
    pub interval: Duration,
    /// How long.
    pub duration: Duration,
    /// Threads that export.
    pub threads: usize,
}

/// What became of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Exports that were acknowledged.
    pub acknowledged: AtomicU64,
    /// Exports that failed.
    pub failed: AtomicU64,
    /// Exports that began more than an interval late: this machine does not keep up, or the
    /// receiver holds it back.
    pub late: AtomicU64,
}

struct Simulated {
    workers: Instrumentation,
    batches: Vec<Batch>,
    /// Before the attachment: its last export ends no series.
    push: Push,
    _attachment: Attachment,
}

impl Load {
    /// The number of series of one process.
    #[must_use]
    pub fn series(&self) -> usize {
        self.simulated(0).workers.expected_series().total()
    }

    /// Sends until the duration is over, or `stop`.
    ///
    /// # Panics
    ///
    /// If this machine has no thread left, or the endpoint is no URL.
    #[must_use]
    pub fn run(&self, stop: &AtomicBool) -> Outcome {
        let outcome = Outcome::default();
        let threads = self.threads.clamp(1, self.runtimes.max(1));
        let start = Instant::now();
        thread::scope(|scope| {
            for first in 0..threads {
                let outcome = &outcome;
                scope.spawn(move || {
                    let own = (first..self.runtimes).step_by(threads);
                    let mut processes: Vec<_> = own.map(|index| (index, self.simulated(index))).collect();
                    self.send(&mut processes, start, stop, outcome);
                    // A shutdown exports once more, which is not counted.
                    drop(processes);
                });
            }
        });
        outcome
    }

    fn simulated(&self, index: usize) -> Simulated {
        let workers = Instrumentation::new(options(self.settings, self.level));
        let instance = format!("load-{index}");
        let resource = resource(&[("service.name", "load"), ("service.instance.id", instance.as_str())]);
        let push = push(&workers, self.settings, &self.endpoint, &resource);
        let (pool, batches) = pool("main", &Scale::preset(), self.workers);
        let attachment = workers.attach(pool).expect("the pool is new");
        Simulated { workers, batches, push, _attachment: attachment }
    }

    fn send(
        &self,
        processes: &mut [(usize, Simulated)],
        start: Instant,
        stop: &AtomicBool,
        outcome: &Outcome,
    ) {
        let slot = |index: usize| self.interval.mul_f64(index as f64 / self.runtimes as f64);
        for round in 0_u32.. {
            for (index, process) in &mut *processes {
                let due = start + self.interval * round + slot(*index);
                if due >= start + self.duration || stop.load(Relaxed) {
                    return;
                }
                match due.checked_duration_since(Instant::now()) {
                    Some(left) => thread::sleep(left),
                    None if due.elapsed() > self.interval => _ = outcome.late.fetch_add(1, Relaxed),
                    None => {}
                }
                process.work();
                let became = match process.push.force_flush() {
                    Ok(()) => &outcome.acknowledged,
                    Err(_) => &outcome.failed,
                };
                // Every sending thread counts here.
                became.fetch_add(1, Relaxed);
            }
        }
    }
}

impl Simulated {
    /// A poll and a delay of each worker.
    fn work(&mut self) {
        for (batch, micros) in self.batches.iter_mut().zip((10..).step_by(37)) {
            let now_ns = batch.clock().now_ns();
            batch.start_poll_at(now_ns);
            batch.end_poll_at(now_ns.saturating_add(micros * 1_000));
            batch.scheduled_for(Duration::from_micros(micros));
            batch.submit();
        }
    }
}

/// A URL that is whole for HTTP: the path of the signal is added to a base.
#[must_use]
pub fn endpoint(protocol: Protocol, base: &str) -> String {
    let base = base.trim_end_matches('/');
    match protocol {
        Protocol::HttpProtobuf if !base.ends_with("/v1/metrics") => format!("{base}/v1/metrics"),
        _ => base.to_owned(),
    }
}
