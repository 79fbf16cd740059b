//! Sources on one instrumentation.

use std::fmt;
use std::sync::Arc;

use worker_metrics::Source;
use worker_metrics_otel::{Attachment, Histograms, Instrumentation, Numbers, Options};

use super::expected::expected;
use super::from_zero::FromZero;

/// Sources that are attached for as long as this lives, with every metric for each worker, the
/// opt-in ones as well, everything from the beginning of the source on, and without a watchdog.
pub struct Attached {
    pub(super) workers: Instrumentation,
    numbers: Numbers,
    sources: Vec<Arc<dyn Source>>,
    _attachments: Vec<Attachment>,
}

impl Attached {
    /// Attaches them, with their numbers going this way.
    #[must_use]
    pub fn new(sources: Vec<Arc<dyn Source>>, numbers: Numbers) -> Arc<Self> {
        let options = Options::default()
            .with_histograms(Histograms::Worker)
            .with_opt_in_metrics()
            .with_numbers(numbers)
            .without_watchdog();
        let workers = Instrumentation::new(options);
        let attach = |source: &Arc<dyn Source>| {
            workers.attach(FromZero::new(source.clone())).expect("it is attached once")
        };
        let attachments = sources.iter().map(attach);
        let attachments = attachments.collect();
        Arc::new(Self { workers, numbers, sources, _attachments: attachments })
    }

    /// The series that go through a meter, and those that go by OTLP.
    pub(super) fn expected(&self) -> (usize, usize) {
        let counts = self.sources.iter().map(expected);
        let (numbers, histograms) = counts.fold((0, 0), |sum, more| (sum.0 + more.0, sum.1 + more.1));
        match self.numbers {
            Numbers::Otlp => (0, numbers + histograms),
            _ => (numbers, histograms),
        }
    }
}

impl fmt::Debug for Attached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attached").field("workers", &self.workers).finish_non_exhaustive()
    }
}
