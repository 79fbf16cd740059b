//! Sources on one instrumentation.

use std::fmt;
use std::sync::Arc;

use worker_metrics::Source;
use worker_metrics_otel::{Attachment, Histograms, Instrumentation, Options, Scalars};

use super::expected::expected;

/// Sources that are attached for as long as this lives, with every metric for each worker, the opt-in ones as well.
pub struct Attached {
    pub(super) workers: Instrumentation,
    sources: Vec<Arc<dyn Source>>,
    _attachments: Vec<Attachment>,
}

impl Attached {
    /// Attaches them, with their numbers going this way.
    #[must_use]
    pub fn new(sources: Vec<Arc<dyn Source>>, scalars: Scalars) -> Arc<Self> {
        let options = Options::default()
            .with_histograms(Histograms::Worker)
            .with_opt_in_metrics()
            .with_scalars(scalars);
        let workers = Instrumentation::new(options);
        let attachments =
            sources.iter().map(|source| workers.attach(source.clone()).expect("it is attached once"));
        let attachments = attachments.collect();
        Arc::new(Self { workers, sources, _attachments: attachments })
    }

    /// The series of numbers and of histograms that they have.
    pub(super) fn expected(&self) -> (usize, usize) {
        let counts = self.sources.iter().map(expected);
        counts.fold((0, 0), |sum, more| (sum.0 + more.0, sum.1 + more.1))
    }
}

impl fmt::Debug for Attached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attached").field("workers", &self.workers).finish_non_exhaustive()
    }
}
