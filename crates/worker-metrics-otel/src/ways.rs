//! The ways out of the process.

use worker_metrics::Definition;
use worker_metrics::catalogue::Instrument;

/// Which ways there are beside the meters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ways {
    /// An exporter is wrapped.
    pub(crate) exporter: bool,
    /// Histograms are replayed through the meters.
    pub(crate) replay: bool,
}

impl Ways {
    /// Whether there is one for a row of the catalogue.
    pub(crate) fn lead_out(self, definition: &Definition, sends_beside: bool) -> bool {
        match definition.instrument {
            _ if sends_beside => self.exporter,
            Instrument::Histogram => self.exporter || self.replay,
            _ => true,
        }
    }
}
