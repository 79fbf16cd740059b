//! What a runtime's threads tell when they park and unpark.
//!
//! Installed on the builder of a runtime, called on its workers. A hook must not block.

use std::fmt;
use std::sync::Arc;

use tokio::runtime::Builder;

use super::shared::Shared;
use super::thread::{self, Current};

/// The hooks on the threads of a runtime: those of [`TaskMetrics`](super::TaskMetrics), and yours.
///
/// Tokio's builder keeps one hook of each kind, and a second call replaces the first. So give yours
/// to this, which runs all of them. They tell which thread runs which worker, also while no
/// instrumented task is polled: a stall is then seen, with its thread's name and its exact age, at
/// the first look.
///
/// # Examples
///
/// ```
/// use worker_metrics_tokio::TaskMetrics;
///
/// let tasks = TaskMetrics::new();
/// let mut builder = tokio::runtime::Builder::new_multi_thread();
/// tasks.hooks().on_thread_park(|| { /* yours */ }).install(&mut builder);
/// let runtime = builder.enable_all().build()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "hooks do nothing until they are installed"]
pub struct Hooks {
    shared: Arc<Shared>,
    start: Vec<Hook>,
    stop: Vec<Hook>,
    park: Vec<Hook>,
    unpark: Vec<Hook>,
}

type Hook = Box<dyn Fn() + Send + Sync>;

impl Hooks {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, start: Vec::new(), stop: Vec::new(), park: Vec::new(), unpark: Vec::new() }
    }

    /// Runs `hook` too when a thread starts, as [`Builder::on_thread_start`] does.
    pub fn on_thread_start(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.start.push(Box::new(hook));
        self
    }

    /// Runs `hook` too before a thread stops, as [`Builder::on_thread_stop`] does.
    pub fn on_thread_stop(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.stop.push(Box::new(hook));
        self
    }

    /// Runs `hook` too before a worker parks, as [`Builder::on_thread_park`] does.
    pub fn on_thread_park(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.park.push(Box::new(hook));
        self
    }

    /// Runs `hook` too after a worker was unparked, as [`Builder::on_thread_unpark`] does.
    pub fn on_thread_unpark(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.unpark.push(Box::new(hook));
        self
    }

    /// Installs all of them on the builder of a runtime, in place of what it has.
    ///
    /// **Cost**: a clock reading each time a worker parks or unparks.
    pub fn install(self, builder: &mut Builder) {
        let Self { shared, start, stop, park, unpark } = self;
        shared.hooked();
        if !start.is_empty() {
            builder.on_thread_start(move || run(&start));
        }
        let stopping = shared.clone();
        builder.on_thread_stop(move || {
            run(&stop);
            thread::unbind(&stopping);
        });
        let parking = shared.clone();
        builder.on_thread_park(move || {
            run(&park);
            active(&parking);
        });
        builder.on_thread_unpark(move || {
            active(&shared);
            run(&unpark);
        });
    }
}

fn run(hooks: &[Hook]) {
    hooks.iter().for_each(|hook| hook());
}

fn active(shared: &Arc<Shared>) {
    if let Some(current) = Current::of(shared) {
        current.write(|writer| writer.active(shared.clock.now_ns()));
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").finish_non_exhaustive()
    }
}
