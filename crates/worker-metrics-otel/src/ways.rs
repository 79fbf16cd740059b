//! The ways out of the process.

use worker_metrics::Definition;
use worker_metrics::catalogue::Instrument;

use crate::registry::Attached;

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

    /// The same for a row of an attached source, which has its index in the catalogue.
    pub(crate) fn lead_out_of(self, attached: &Attached, row: usize, definition: &Definition) -> bool {
        self.lead_out(definition, attached.sends_beside(row))
    }
}
