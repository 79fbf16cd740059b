//! The 64-bit atomic of the tasks' blocks, on targets with and without a native one, and in the
//! model checks.

#[cfg(all(test, worker_metrics_loom))]
pub(crate) use loom::sync::atomic::AtomicU64;
#[cfg(all(not(all(test, worker_metrics_loom)), not(target_has_atomic = "64")))]
pub(crate) use portable_atomic::AtomicU64;
#[cfg(all(not(all(test, worker_metrics_loom)), target_has_atomic = "64"))]
pub(crate) use std::sync::atomic::AtomicU64;
