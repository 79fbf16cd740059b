//! The guard of an attached source.

use std::fmt;
use std::sync::Arc;

use worker_metrics::Identity;

use crate::instrumentation::Shared;
use crate::registry::Attached;

/// Keeps a source attached; dropping it detaches the source.
///
/// The source itself, and with it what it holds of its runtime, goes with it, or with the collection that is under way. Its
/// histograms are read one last time, and go with the next export. What counters and gauges have seen since the last collection is
/// not exported: where that matters, flush the meter provider before.
#[must_use = "the source is detached when this is dropped"]
pub struct Attachment {
    shared: Arc<Shared>,
    attached: Arc<Attached>,
}

impl Attachment {
    pub(crate) fn new(shared: Arc<Shared>, attached: Arc<Attached>) -> Self {
        Self { shared, attached }
    }

    /// Which source it is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        self.attached.identity()
    }
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Attachment").field(self.identity()).finish()
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        self.shared.detach(&self.attached);
    }
}
