//! What tells the series of a metric apart.
//!
//! The catalogue says which metric has which; a namespace says how they are called.

/// An attribute of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Attribute {
    /// Name of the runtime or pool.
    Name,
    /// Identifier of the runtime or pool, where names are not unique.
    Id,
    /// Flavor of the runtime's scheduler; on request.
    Flavor,
    /// Index of the worker, from 0.
    WorkerIndex,
    /// State of the worker.
    WorkerState,
    /// What the worker spends its time on.
    WorkerMicrostate,
    /// Why the worker stalled.
    StallCause,
    /// Name of a group of tasks.
    TaskGroup,
    /// State of a thread of the blocking pool.
    BlockingThreadState,
}
