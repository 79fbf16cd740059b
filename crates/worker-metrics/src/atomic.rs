//! The atomics that every counter is made of, on targets with and without native 64-bit ones, and
//! in the model checks.
//!
//! Used by the blocks of this crate. Nothing here may lock where the target has 64-bit atomics.

#[cfg(all(test, worker_metrics_loom))]
pub(crate) use loom::sync::atomic::{AtomicU64, AtomicUsize};
#[cfg(all(not(all(test, worker_metrics_loom)), not(target_has_atomic = "64")))]
pub(crate) use portable_atomic::AtomicU64;
#[cfg(all(not(all(test, worker_metrics_loom)), target_has_atomic = "64"))]
pub(crate) use std::sync::atomic::AtomicU64;
#[cfg(not(all(test, worker_metrics_loom)))]
pub(crate) use std::sync::atomic::AtomicUsize;
