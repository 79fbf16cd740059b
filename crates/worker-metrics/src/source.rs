//! What is measured.
//!
//! Exporters know sources by this trait alone. A source must not make the measured workers wait.

use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use crate::{Definition, Evidence, Metric, Namespace, Pool, Snapshot};

/// Something whose workers can be observed: a runtime, an executor, a thread pool.
///
/// Implement it for an executor that has counters of its own; embed a [`Pool`](crate::Pool) in one
/// that has none.
///
/// # Examples
///
/// A thread pool that counts its jobs and parks already:
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
/// use worker_metrics::{
///     Counter, Coverage, Identity, Metric, Namespace, NamespaceError, Row, Snapshot, Source,
/// };
///
/// struct Renderer {
///     identity: Identity,
///     rows: Vec<Row>,
///     workers: Vec<Worker>,
/// }
///
/// #[derive(Default)]
/// struct Worker {
///     jobs: AtomicU64,
///     parks: AtomicU64,
/// }
///
/// impl Renderer {
///     fn new(workers: usize) -> Result<Self, NamespaceError> {
///         let identity = Identity::new(Namespace::new("render")?, "1").with_workers(workers);
///         let rows = [Metric::WorkerPolls, Metric::WorkerParks];
///         Ok(Self {
///             identity,
///             rows: rows.map(|metric| Row::new(metric, Coverage::Covered)).to_vec(),
///             workers: (0..workers).map(|_| Worker::default()).collect(),
///         })
///     }
/// }
///
/// impl Source for Renderer {
///     fn identity(&self) -> &Identity {
///         &self.identity
///     }
///
///     fn definitions(&self) -> &[Row] {
///         &self.rows
///     }
///
///     fn collect(&self, snapshot: &mut Snapshot) {
///         for (from, into) in self.workers.iter().zip(snapshot.begin(self.workers.len())) {
///             into.set_count(Counter::Polls, from.jobs.load(Relaxed));
///             into.set_count(Counter::Parks, from.parks.load(Relaxed));
///         }
///     }
/// }
///
/// let renderer = Renderer::new(2)?;
/// renderer.workers[1].jobs.fetch_add(1, Relaxed);
/// let mut snapshot = Snapshot::new();
/// renderer.collect(&mut snapshot);
/// assert_eq!(snapshot.workers()[1].count(Counter::Polls), Some(1));
/// # Ok::<(), NamespaceError>(())
/// ```
pub trait Source: Send + Sync {
    /// Which source this is. It stays the same for the life of the source.
    fn identity(&self) -> &Identity;

    /// The rows of the catalogue that this kind of source can have, and whether this one has them.
    ///
    /// A row that no change could bring is not listed: a Tokio runtime keeps no microstates, and a
    /// pool has no I/O driver. A row that a cfg, a feature or a call would bring is listed as
    /// [`Coverage::Missing`], with that remedy. The list stays the same for the life of the source.
    fn definitions(&self) -> &[Row];

    /// Fills `snapshot` with the values of now, beginning with [`Snapshot::begin`].
    ///
    /// Called from any thread, also from several at once, and while the source is being shut down.
    /// Reading resets nothing: a second reader sees the same totals. It must not block on the
    /// measured workers, and allocates nothing when `snapshot` was filled by the same source
    /// before.
    fn collect(&self, snapshot: &mut Snapshot);

    /// What is known of a worker beyond numbers, for a person to read. Nothing, unless the source
    /// knows it.
    ///
    /// Called once for each stall of the worker; it may lock and allocate.
    fn worker_info(&self, worker: usize) -> WorkerInfo {
        let _ = worker;
        WorkerInfo::default()
    }

    /// What shows whether a worker gets on, as of now.
    ///
    /// A watchdog asks again and again while the worker publishes nothing, before and after it has
    /// looked at the thread. It must not block on the measured workers, and allocates nothing.
    /// `None`, as without an implementation: the states that the source collects are taken for
    /// proved.
    fn evidence(&self, worker: usize) -> Option<Evidence> {
        let _ = worker;
        None
    }

    /// The time from which a worker that does not get on is stalled; 1 s unless the source sets
    /// another.
    fn stall_threshold(&self) -> Duration {
        Pool::DEFAULT_STALL_THRESHOLD
    }

    /// Asks the workers for a sign of life, which shows in [`Evidence::progress`] of the one that
    /// gives it. Returns at once; does nothing unless the source has a way to ask.
    ///
    /// A watchdog calls it at each look while it suspects `worker`, and never otherwise.
    fn probe(&self, worker: usize) {
        let _ = worker;
    }
}

impl<S: Source + ?Sized> Source for Arc<S> {
    fn identity(&self) -> &Identity {
        (**self).identity()
    }

    fn definitions(&self) -> &[Row] {
        (**self).definitions()
    }

    fn collect(&self, snapshot: &mut Snapshot) {
        (**self).collect(snapshot);
    }

    fn worker_info(&self, worker: usize) -> WorkerInfo {
        (**self).worker_info(worker)
    }

    fn evidence(&self, worker: usize) -> Option<Evidence> {
        (**self).evidence(worker)
    }

    fn stall_threshold(&self) -> Duration {
        (**self).stall_threshold()
    }

    fn probe(&self, worker: usize) {
        (**self).probe(worker);
    }
}

/// What is known of a worker beyond numbers.
///
/// # Examples
///
/// ```
/// use worker_metrics::WorkerInfo;
///
/// let info = WorkerInfo::default().with_thread_name("render-3");
/// assert_eq!(info.thread_name.as_deref(), Some("render-3"));
/// assert_eq!(info.task_group, None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerInfo {
    /// The name of the thread that runs the worker now.
    pub thread_name: Option<Arc<str>>,
    /// The group of the task that the worker polls now.
    pub task_group: Option<Arc<str>>,
    /// Where the task that the worker polls now was spawned.
    pub spawn_location: Option<&'static Location<'static>>,
}

impl WorkerInfo {
    /// Sets the name of the thread.
    #[must_use]
    pub fn with_thread_name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.thread_name = Some(name.into());
        self
    }

    /// Sets the group of the task.
    #[must_use]
    pub fn with_task_group(mut self, group: impl Into<Arc<str>>) -> Self {
        self.task_group = Some(group.into());
        self
    }

    /// Sets where the task was spawned.
    #[must_use]
    pub fn with_spawn_location(mut self, location: &'static Location<'static>) -> Self {
        self.spawn_location = Some(location);
        self
    }
}

/// The identity of a source: what its series are told apart by.
///
/// # Examples
///
/// ```
/// use worker_metrics::{Identity, Namespace};
///
/// let identity = Identity::new(Namespace::WORKER_POOL, "7").with_name("render").with_workers(4);
/// assert_eq!((identity.name.as_deref(), identity.workers), (Some("render"), 4));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    /// The namespace of its metrics and attributes.
    pub namespace: Namespace,
    /// Its identifier, unique among the live sources of the namespace.
    pub id: String,
    /// Its name, if it has one: at most [`Self::MAX_NAME_LEN`] bytes.
    pub name: Option<String>,
    /// The flavor of its scheduler, if there are several.
    pub flavor: Option<&'static str>,
    /// The number of its workers, which does not change.
    pub workers: usize,
    /// The names of its task groups, in the order of [`Snapshot::task_groups`]; they do not change.
    pub task_groups: Vec<Arc<str>>,
}

impl Identity {
    /// Longest name, in bytes: it is an attribute of every series, and receivers refuse a request
    /// that grows too large. Chosen as for [`Namespace::MAX_LEN`].
    pub const MAX_NAME_LEN: usize = 200;

    /// A source without name, flavor, workers and task groups.
    #[must_use]
    pub fn new(namespace: Namespace, id: impl Into<String>) -> Self {
        Self { namespace, id: id.into(), name: None, flavor: None, workers: 0, task_groups: Vec::new() }
    }

    /// Sets the name. One that is longer than [`Self::MAX_NAME_LEN`] is refused where the source is
    /// built or attached.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the flavor of the scheduler.
    #[must_use]
    pub fn with_flavor(mut self, flavor: &'static str) -> Self {
        self.flavor = Some(flavor);
        self
    }

    /// Sets the number of workers.
    #[must_use]
    pub fn with_workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Sets the names of the task groups.
    #[must_use]
    pub fn with_task_groups(mut self, task_groups: impl IntoIterator<Item = Arc<str>>) -> Self {
        self.task_groups = task_groups.into_iter().collect();
        self
    }
}

/// One row of the catalogue, as one source sees it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Row {
    /// The metric.
    pub definition: &'static Definition,
    /// Whether the source provides it.
    pub coverage: Coverage,
}

impl Row {
    /// The row of `metric`.
    #[must_use]
    pub fn new(metric: Metric, coverage: Coverage) -> Self {
        Self { definition: metric.definition(), coverage }
    }

    /// Which metric it is.
    #[must_use]
    pub fn metric(&self) -> Metric {
        self.definition.metric
    }

    /// Whether the source provides the metric.
    #[must_use]
    pub fn is_covered(&self) -> bool {
        self.coverage == Coverage::Covered
    }
}

/// Whether a source provides a metric.
///
/// # Examples
///
/// ```
/// use worker_metrics::{Coverage, Pool, Source};
///
/// let (pool, _batches) = Pool::builder("render").workers(1).build()?;
/// for row in pool.definitions() {
///     match row.coverage {
///         Coverage::Missing(remedy) => println!("{}: {remedy}", row.definition.suffix),
///         Coverage::LeftToWatchdog => println!("{}: needs a watchdog", row.definition.suffix),
///         _ => {}
///     }
/// }
/// # Ok::<(), worker_metrics::PoolError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Coverage {
    /// The source provides it.
    Covered,
    /// The source reports the states and progress ages that a watchdog derives it from: whoever
    /// collects again and again, such as an instrumentation with a watchdog, provides it.
    LeftToWatchdog,
    /// The source does not provide it; what would change that.
    Missing(&'static str),
}
