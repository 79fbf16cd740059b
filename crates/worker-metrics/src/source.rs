//! What is measured.
//!
//! Exporters know sources by this trait alone. A source must not make the measured workers wait.

use std::sync::Arc;

use crate::{Definition, Namespace, Snapshot};

/// Something whose workers can be looked at: a runtime, an executor, a thread pool.
///
/// Implement it for an executor that has counters of its own; embed a [`Pool`](crate::Pool) in one that has none.
pub trait Source: Send + Sync {
    /// Which source this is. It stays the same for the life of the source.
    fn identity(&self) -> &Identity;

    /// Every row of the catalogue, and whether this source covers it.
    ///
    /// It stays the same for the life of the source.
    fn definitions(&self) -> &[Row];

    /// Fills `snapshot` with the values of now, beginning with [`Snapshot::begin`].
    ///
    /// Called from any thread, also from several at once, and while the source is being shut down. Reading resets nothing: a
    /// second reader sees the same totals. It must not block on the measured workers, and allocates nothing when `snapshot`
    /// was filled by the same source before.
    fn collect(&self, snapshot: &mut Snapshot);

    /// What is known of a worker beyond numbers, for a person to read. Nothing, unless the source knows it.
    ///
    /// Asked when a worker has stalled, once; it may lock and allocate.
    fn worker_info(&self, worker: usize) -> WorkerInfo {
        let _ = worker;
        WorkerInfo::default()
    }
}

/// What is known of a worker beyond numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkerInfo {
    /// The name of the thread that runs the worker now.
    pub thread_name: Option<Arc<str>>,
    /// The group of the task that the worker polls now.
    pub task_group: Option<Arc<str>>,
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
}

/// Which source it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The namespace of its metrics and attributes.
    pub namespace: Namespace,
    /// Its identifier, unique among the live sources of the namespace.
    pub id: String,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// The flavor of its scheduler, if there are several.
    pub flavor: Option<&'static str>,
    /// The number of its workers, which does not change.
    pub workers: usize,
    /// The names of its task groups, in the order of [`Snapshot::task_groups`]; they do not change.
    pub task_groups: Vec<Arc<str>>,
}

/// One row of the catalogue, as one source sees it.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The metric.
    pub definition: &'static Definition,
    /// Whether the source provides it.
    pub coverage: Coverage,
}

/// Whether a source provides a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// It does.
    Covered,
    /// It does not: why, and what would change that.
    Missing(&'static str),
}

impl Coverage {
    /// Why a source that tells the states and ages of its workers lacks their stalls: somebody who looks again and again counts
    /// them.
    ///
    /// An instrumentation with a watchdog exports the rows that are missing for this reason, and for no other.
    pub const FOR_WATCHDOG: &'static str =
        "counted by the watchdog of the instrumentation: `Options::with_watchdog`";
}

impl Row {
    /// Whether the source provides the metric.
    #[must_use]
    pub fn is_covered(&self) -> bool {
        self.coverage == Coverage::Covered
    }

    /// Whether the source leaves the metric to a watchdog: [`Coverage::FOR_WATCHDOG`].
    #[must_use]
    pub fn is_for_watchdog(&self) -> bool {
        self.coverage == Coverage::Missing(Coverage::FOR_WATCHDOG)
    }
}
