//! What an attached source provides, and what it lacks and why.

use std::fmt;

use worker_metrics::catalogue::{Instrument, Requirement};
use worker_metrics::{Coverage, Identity, Row};

use crate::options::Options;
use crate::registry::Attached;
use crate::ways::Ways;

/// The rows of the catalogue as one attached source sees them.
///
/// Its `Display` lists what is not exported, one line a metric, each with the remedy.
#[derive(Clone, Debug)]
pub struct SourceCoverage {
    /// Which source it is.
    pub identity: Identity,
    /// Every row of the catalogue.
    pub rows: Vec<Row>,
    /// Of each row, whether it goes beside the SDK.
    beside: Vec<bool>,
    options: Options,
    ways: Ways,
}

impl SourceCoverage {
    pub(crate) fn of(attached: &Attached, options: &Options, ways: Ways) -> Self {
        Self {
            identity: attached.identity().clone(),
            rows: attached.source().definitions().to_vec(),
            beside: attached
                .source()
                .definitions()
                .iter()
                .map(|row| attached.sends_beside(row.definition))
                .collect(),
            options: options.clone(),
            ways,
        }
    }

    /// The metrics that are not exported, each with the reason.
    pub fn missing(&self) -> impl Iterator<Item = (String, &'static str)> {
        self.rows.iter().zip(&self.beside).filter_map(|(row, &beside)| {
            Some((self.identity.namespace.metric(row.definition), self.why_missing(row, beside)?))
        })
    }

    fn why_missing(&self, row: &Row, beside: bool) -> Option<&'static str> {
        let exported = self.options.exports(row.definition);
        match (row.coverage, row.definition.instrument, row.definition.requirement) {
            (Coverage::Missing(why), ..) => Some(why),
            (Coverage::LeftToWatchdog, ..) if !self.options.provides(row) => {
                Some("needs `Options::with_watchdog`")
            }
            (_, Instrument::Histogram, _) if !exported => Some("switched off: `Options::with_histograms`"),
            (_, _, Requirement::OptIn) if !exported => {
                Some("exported on request: `Options::with_opt_in_metrics`")
            }
            (_, instrument, _) if !self.ways.lead_out(row.definition, beside) => Some(match instrument {
                Instrument::Histogram => {
                    "no instrument takes a ready histogram: wrap the exporter with `Instrumentation::exporter`"
                }
                _ => {
                    "goes through the exporter: wrap it with `Instrumentation::exporter`, or set `Scalars::Meter`"
                }
            }),
            _ => None,
        }
    }
}

impl fmt::Display for SourceCoverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, why) in self.missing() {
            writeln!(f, "{name}: {why}")?;
        }
        Ok(())
    }
}
