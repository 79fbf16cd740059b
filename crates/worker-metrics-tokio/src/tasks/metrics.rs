//! The handle through which tasks are measured.
//!
//! Held by the program, which spawns through it, and by the source that exports what was measured.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::{JoinHandle, spawn_local};
use worker_metrics::histogram::Scale;

use super::error::{TaskMetricsError, UnknownTaskGroupError};
use super::hooks::Hooks;
use super::instrumented::Instrumented;
use super::reader::Reader;
use super::shared::Shared;

/// Poll times and schedule latencies of the tasks of one runtime, on stable Tokio:
/// `tokio.task.poll.duration` and `tokio.task.schedule.duration`, with an exact sum.
///
/// Spawn tasks through it, and give it to the source with
/// [`TokioRuntime::with_tasks`](crate::TokioRuntime::with_tasks). Only tasks that are spawned or
/// [instrumented](Self::instrument) through it are measured. Where Tokio keeps a histogram itself
/// ([`RuntimeBuilderExt::enable_worker_histograms`](crate::RuntimeBuilderExt::enable_worker_histograms)
/// with `--cfg tokio_unstable`), Tokio's own is exported instead, and it alone: nothing is counted
/// twice.
///
/// Clones are handles of the same metrics. Make one for each runtime.
///
/// # What is measured
///
/// * A *poll*, from its beginning to its end, also when it panics. A poll in which `block_in_place`
///   is called counts with all of its time. An instrumented future that is polled within another
///   one, as a branch of `select!`, is part of that poll.
/// * A *scheduling*, from the wake to the poll: of several wakes the first counts; a task that is
///   woken while it is polled is scheduled when the poll has ended; a task that was spawned through
///   this handle is scheduled when it is spawned, and each of its polls has a delay (test
///   `every_poll_of_a_spawned_task_has_a_delay`). A poll of an instrumented future without a wake
///   before it has none, and a poll that never comes, because the task is dropped, is not counted.
///
/// A poll belongs to the worker that makes it. Polls on a thread that is no worker, such as those
/// of a [`LocalSet`](tokio::task::LocalSet) in `block_on` of a multi-thread runtime, count in their
/// group alone, as Tokio's own histogram has none of them.
///
/// # Task groups
///
/// A small, fixed set of names says *which* tasks are slow: a handle that [`group`](Self::group)
/// returns counts its tasks in `tokio.task.group.poll.duration` and
/// `tokio.task.group.schedule.duration` as well, each with the attribute `tokio.task.group.name`.
/// That works beside Tokio's own histograms too.
///
/// # Where a task was spawned
///
/// Each spawn through this handle, and each [`instrument`](Self::instrument), keeps the line of its
/// caller. While the task is polled, [`WorkerInfo`](worker_metrics::WorkerInfo) has it (test
/// `a_spawned_task_is_known_by_its_line_while_it_is_polled`), together with the group of the same
/// poll (test `a_group_and_a_location_are_those_of_one_poll`). A program has room for 4,096 such
/// lines; those after them have none.
///
/// # Cost
///
/// Two clock readings for each poll and one for each wake, about what Tokio's own histograms cost;
/// one allocation for each task, and the look-up of its location. `docs/benchmarks.md` has the
/// figures. Nothing locks or allocates at a poll (test `a_poll_allocates_nothing`), except once
/// when a thread begins to run a worker.
///
/// # Examples
///
/// ```
/// use worker_metrics_tokio::{RuntimeBuilderExt, TaskMetrics, TokioRuntime};
///
/// let tasks = TaskMetrics::builder().group("checkout").build()?;
/// let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().measure_tasks(&tasks).build()?;
/// let source = TokioRuntime::new(runtime.handle()).with_tasks(&tasks); // to be attached
///
/// let checkout = tasks.group("checkout")?;
/// runtime.block_on(async {
///     tasks.spawn(async { /* … */ }).await?;
///     checkout.spawn(async { /* … */ }).await
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct TaskMetrics {
    shared: Arc<Shared>,
    group: Option<usize>,
}

impl TaskMetrics {
    /// Most groups that there can be.
    pub const MAX_GROUPS: usize = 32;
    /// Longest name of a group, in bytes.
    pub const MAX_GROUP_NAME_LEN: usize = 200;

    /// Without groups, on the scale of [`Scale::preset`].
    #[must_use]
    pub fn new() -> Self {
        Self { shared: Arc::new(Shared::new(Scale::preset(), Vec::new())), group: None }
    }

    /// Begins to choose groups and a scale.
    pub fn builder() -> TaskMetricsBuilder {
        TaskMetricsBuilder { scale: Scale::preset(), groups: Vec::new() }
    }

    /// The handle whose tasks count in this group as well.
    ///
    /// # Errors
    ///
    /// [`UnknownTaskGroupError`] if the group was not named when these metrics were built.
    pub fn group(&self, name: &str) -> Result<Self, UnknownTaskGroupError> {
        let known = &self.shared.groups;
        match known.iter().position(|known| **known == *name) {
            Some(group) => Ok(Self { group: Some(group), ..self.clone() }),
            None => Err(UnknownTaskGroupError { name: name.to_owned(), known: known.clone() }),
        }
    }

    /// Measures the polls of a task's future, and the delay of each but the first.
    ///
    /// When the task is spawned is not known here: [`spawn`](Self::spawn), or
    /// [`Instrumented::scheduled_now`], counts the delay until the first poll as well. Where this
    /// is called is taken for the place where the task is spawned.
    #[track_caller]
    pub fn instrument<F>(&self, future: F) -> Instrumented<F> {
        Instrumented::new(future, self.shared.clone(), self.group)
    }

    /// [`tokio::spawn`] of the instrumented future.
    ///
    /// # Panics
    ///
    /// As [`tokio::spawn`] does: outside of a runtime.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        tokio::spawn(self.instrument(future).scheduled_now())
    }

    /// [`Handle::spawn`] of the instrumented future.
    #[track_caller]
    pub fn spawn_on<F>(&self, future: F, handle: &Handle) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        handle.spawn(self.instrument(future).scheduled_now())
    }

    /// [`tokio::task::spawn_local`] of the instrumented future.
    ///
    /// # Panics
    ///
    /// As [`tokio::task::spawn_local`] does: outside of a `LocalSet` or `LocalRuntime`.
    #[track_caller]
    pub fn spawn_local<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        spawn_local(self.instrument(future).scheduled_now())
    }

    /// The hooks of a runtime whose tasks these are, to add your own to them;
    /// [`RuntimeBuilderExt::measure_tasks`](crate::RuntimeBuilderExt::measure_tasks) installs them
    /// without.
    pub fn hooks(&self) -> Hooks {
        Hooks::new(self.shared.clone())
    }

    /// The names of the groups.
    pub(crate) fn groups(&self) -> &[Arc<str>] {
        &self.shared.groups
    }

    /// Leaves to Tokio what it keeps itself.
    pub(crate) fn leave_to_tokio(&self, polls: bool, schedules: bool) {
        self.shared.leave_to_tokio(polls, schedules);
    }

    pub(crate) fn reader(&self) -> Reader {
        Reader::new(self.shared.clone())
    }
}

impl Default for TaskMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TaskMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = self.group.and_then(|group| self.shared.groups.get(group));
        f.debug_struct("TaskMetrics").field("groups", &self.shared.groups).field("group", &group).finish()
    }
}

/// [`TaskMetrics`] to be built; [`TaskMetrics::builder`] begins it.
///
/// # Examples
///
/// ```
/// use worker_metrics::histogram::Scale;
/// use worker_metrics_tokio::TaskMetrics;
///
/// let scale = Scale::explicit(&[0.000_1, 0.001, 0.01, 0.1])?;
/// let tasks = TaskMetrics::builder().group("db").group("http").scale(scale).build()?;
/// assert!(tasks.group("db").is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct TaskMetricsBuilder {
    scale: Scale,
    groups: Vec<Arc<str>>,
}

impl TaskMetricsBuilder {
    /// Names a group of tasks.
    pub fn group(mut self, name: impl Into<Arc<str>>) -> Self {
        self.groups.push(name.into());
        self
    }

    /// Sets the scale of the histograms; [`Scale::preset`] if it is not called.
    pub fn scale(mut self, scale: Scale) -> Self {
        self.scale = scale;
        self
    }

    /// Makes the metrics.
    ///
    /// # Errors
    ///
    /// [`TaskMetricsError`] if a group's name is empty, too long or there twice, or there are too
    /// many.
    pub fn build(self) -> Result<TaskMetrics, TaskMetricsError> {
        let Self { scale, groups } = self;
        if groups.len() > TaskMetrics::MAX_GROUPS {
            return Err(TaskMetricsError::TooMany(groups.len()));
        }
        for (index, name) in groups.iter().enumerate() {
            if name.is_empty() {
                return Err(TaskMetricsError::NoName);
            }
            if name.len() > TaskMetrics::MAX_GROUP_NAME_LEN {
                return Err(TaskMetricsError::NameTooLong(name.to_string()));
            }
            if groups.iter().take(index).any(|before| before == name) {
                return Err(TaskMetricsError::Twice(name.to_string()));
            }
        }
        Ok(TaskMetrics { shared: Arc::new(Shared::new(scale, groups)), group: None })
    }
}
