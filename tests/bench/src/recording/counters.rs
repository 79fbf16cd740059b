//! Words that threads count in.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A word on a line of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Apart(pub(super) AtomicU64);

/// Adds one where nobody else writes.
#[inline]
pub(super) fn load_and_store(count: &AtomicU64) {
    count.store(count.load(Relaxed).wrapping_add(1), Relaxed);
}
