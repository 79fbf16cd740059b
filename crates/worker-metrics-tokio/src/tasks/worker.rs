//! Which worker this thread runs.
//!
//! Called at each instrumented poll. Tokio has `worker_index` from 1.54 on, and before with
//! `--cfg tokio_unstable`; no cfg of this crate says which Tokio it is.

/// The index of the worker that this thread runs.
///
/// **Absent when** it runs none, or this Tokio cannot be asked: see [`know_workers`].
#[inline]
pub(crate) fn current_worker() -> Option<usize> {
    #[allow(unused_imports, reason = "where it has no `worker_index`, the one below is meant")]
    use tokio::runtime::*;
    worker_index().worker()
}

/// Whether this Tokio says which worker a thread runs, so that polls can be counted for their
/// worker.
pub(crate) fn know_workers() -> bool {
    fn known<A: Answer>(_: impl Fn() -> A) -> bool {
        A::KNOWN
    }

    #[allow(unused_imports, reason = "where it has no `worker_index`, the one below is meant")]
    use tokio::runtime::*;
    known(worker_index)
}

/// Stands in where Tokio has none: an import within a function, by `*` too, goes before what is
/// outside.
#[allow(dead_code, reason = "it is for Tokios that lack the function")]
fn worker_index() -> NoAnswer {
    NoAnswer
}

#[allow(dead_code, reason = "it is for Tokios that lack the function")]
struct NoAnswer;

trait Answer {
    const KNOWN: bool;

    fn worker(self) -> Option<usize>;
}

impl Answer for Option<usize> {
    const KNOWN: bool = true;

    #[inline]
    fn worker(self) -> Self {
        self
    }
}

impl Answer for NoAnswer {
    const KNOWN: bool = false;

    #[inline]
    fn worker(self) -> Option<usize> {
        None
    }
}
