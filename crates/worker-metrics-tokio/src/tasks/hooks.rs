//! What a runtime's threads tell when they park and unpark, and when they poll.
//!
//! Installed on the builder of a runtime, called on its workers. A hook must not block.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use tokio::runtime::Builder;

use super::locations;
use super::polled;
use super::shared::Shared;
use super::thread::{self, Current};
use crate::unstable::TaskHooks;

/// The hooks of a runtime: those of [`TaskMetrics`](super::TaskMetrics), and yours.
///
/// Tokio's builder keeps one hook of each kind, and a second call replaces the first. So give yours
/// to this, which runs all of them. They tell which thread runs which worker, also while no
/// instrumented task is polled.
///
/// With `--cfg tokio_unstable` they also tell when each poll of *any* task begins and ends, and
/// where that task was spawned, those of hyper and axum included: the age of every poll is known,
/// exact to one look of a watchdog, and no task has to be measured for it. Your own go to
/// `on_task_spawn`, `on_before_task_poll` and `on_after_task_poll` then. Tasks of a
/// [`LocalSet`](tokio::task::LocalSet) and the future of `block_on` are not among them: Tokio has
/// no hooks there.
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
    pub(crate) tasks: TaskHooks,
}

type Hook = Box<dyn Fn() + Send + Sync>;

impl Hooks {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            start: Vec::new(),
            stop: Vec::new(),
            park: Vec::new(),
            unpark: Vec::new(),
            tasks: TaskHooks::default(),
        }
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

    /// Installs all of them on the builder of a runtime, in place of those that it has on starting,
    /// stopping, parking and unparking threads and, with `--cfg tokio_unstable`, on tasks that are
    /// spawned and polled.
    ///
    /// **Cost**: a clock reading each time a worker parks or unparks. With `--cfg tokio_unstable`
    /// three stores for each poll, without a clock, and the look-up of a location for each spawn.
    pub fn install(self, builder: &mut Builder) {
        let Self { shared, start, stop, park, unpark, tasks } = self;
        shared.hooked();
        tasks.install(&PollHooks(polled::Runtime::new(shared.clone())), builder);
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

/// What Tokio's hooks on tasks tell, where it has them.
#[derive(Clone)]
pub(crate) struct PollHooks(polled::Runtime);

#[allow(dead_code, reason = "stable Tokio has no such hooks")]
impl PollHooks {
    pub(crate) fn task_is_spawned(location: &'static Location<'static>) {
        locations::keep(location);
    }

    /// **Cost**: two stores, which release: as cheap as any on x86-64.
    #[inline]
    pub(crate) fn poll_begins(&self, location: &'static Location<'static>) {
        self.0.begin(locations::address_of(location));
    }

    /// **Cost**: one store.
    #[inline]
    pub(crate) fn poll_has_ended(&self) {
        self.0.end();
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").finish_non_exhaustive()
    }
}
