//! The ways out that there are.

use worker_metrics::Definition;
use worker_metrics::catalogue::Instrument;

/// The ways out that there are beside the meters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ways {
    /// There is an export by OTLP.
    pub(crate) otlp: bool,
    /// Histograms are replayed through the meters.
    pub(crate) replay: bool,
    /// Numbers go through the meters.
    pub(crate) numbers_by_meter: bool,
}

impl Ways {
    /// Whether there is one for a row of the catalogue.
    pub(crate) fn lead_out(self, definition: &Definition) -> bool {
        match definition.instrument {
            Instrument::Histogram => self.otlp || self.replay,
            _ => self.otlp || self.numbers_by_meter,
        }
    }
}
