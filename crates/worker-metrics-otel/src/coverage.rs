//! What an attached source provides, and what it lacks and why.

use std::fmt;

use worker_metrics::{Coverage, Identity, Row};

use crate::options::Options;
use crate::registry::Attached;

/// The rows of the catalogue as one attached source sees them.
///
/// Its `Display` lists what is not exported, one line a metric, each with the remedy.
#[derive(Clone, Debug)]
pub struct SourceCoverage {
    /// Which source it is.
    pub identity: Identity,
    /// Every row of the catalogue.
    pub rows: Vec<Row>,
    options: Options,
}

impl SourceCoverage {
    pub(crate) fn of(attached: &Attached, options: &Options) -> Self {
        Self {
            identity: attached.identity().clone(),
            rows: attached.source().definitions().to_vec(),
            options: *options,
        }
    }

    /// The metrics that are not exported, each with the reason.
    pub fn missing(&self) -> impl Iterator<Item = (String, &'static str)> {
        self.rows.iter().filter_map(|row| {
            let name = self.identity.namespace.metric(row.definition);
            match row.coverage {
                Coverage::Missing(why) => Some((name, why)),
                Coverage::Covered if !self.options.exports(row.definition) => {
                    Some((name, "exported on request: `Options::with_opt_in_metrics`"))
                }
                Coverage::Covered => None,
            }
        })
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
