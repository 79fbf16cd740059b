//! The 64-bit atomic that every counter is made of, on targets with and without a native one.
//!
//! Used by the blocks of this crate. Nothing here may lock where the target has 64-bit atomics.

#[cfg(not(target_has_atomic = "64"))]
pub(crate) use portable_atomic::AtomicU64;
#[cfg(target_has_atomic = "64")]
pub(crate) use std::sync::atomic::AtomicU64;
