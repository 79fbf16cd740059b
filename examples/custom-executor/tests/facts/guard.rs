//! A value that tells when it is dropped.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

/// Counts its drops, together with all its siblings.
pub(crate) struct Guard(Arc<AtomicUsize>);

impl Guard {
    pub(crate) fn of(drops: &Arc<AtomicUsize>) -> Self {
        Self(Arc::clone(drops))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}
