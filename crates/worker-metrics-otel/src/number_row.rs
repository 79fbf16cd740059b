//! Numbers that are exported of a source beside the SDK, and how they are read from a snapshot.
//!
//! Made when a source is attached; read by the exporter.

use std::sync::Arc;

use worker_metrics::catalogue::CATALOGUE;
use worker_metrics::{Definition, Identity, Snapshot};

use crate::attributes::AttributeSet;
use crate::options::Options;
use crate::reading::{Number, for_each_number};

/// A metric of a source.
#[derive(Clone)]
pub(crate) struct NumberRow {
    pub(crate) definition: &'static Definition,
    pub(crate) name: Arc<str>,
    pub(crate) attributes: Arc<[AttributeSet]>,
}

impl NumberRow {
    /// `None` for a row of the catalogue that goes through a meter, or is a histogram.
    pub(crate) fn new(
        index: usize,
        identity: &Identity,
        attributes: &Arc<[AttributeSet]>,
        options: &Options,
    ) -> Option<Self> {
        let definition = CATALOGUE.get(index)?;
        options.sends_beside(definition).then(|| Self {
            definition,
            name: identity.namespace.metric(definition).into(),
            attributes: attributes.clone(),
        })
    }

    /// Runs `take` for each series whose number is known, with its index.
    pub(crate) fn for_each_number(&self, snapshot: &Snapshot, take: impl FnMut(usize, Number)) {
        for_each_number(self.definition.reading, snapshot, self.attributes.len(), take);
    }
}
