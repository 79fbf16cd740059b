//! The guard of an attached source.

use std::fmt;

use worker_metrics::Identity;

/// Keeps a source attached; dropping it detaches the source.
///
/// The source itself, and with it what it holds of its runtime, is let go of, at the latest with
/// the collection that is under way. Its last values are exported with the next collection of each
/// meter, and with the next export by OTLP, where its series end.
#[must_use = "the source is detached when this is dropped"]
pub struct Attachment {
    identity: Identity,
    detach: Option<Box<dyn FnOnce() + Send + Sync>>,
}

impl Attachment {
    /// `detach` runs when this is dropped.
    pub(crate) fn new(identity: Identity, detach: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self { identity, detach: Some(Box::new(detach)) }
    }

    /// Which source it is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Attachment").field(self.identity()).finish()
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        if let Some(detach) = self.detach.take() {
            detach();
        }
    }
}
