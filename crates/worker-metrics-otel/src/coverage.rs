//! What an attached source provides, and what it lacks and why.

use std::fmt;

use worker_metrics::catalogue::{Instrument, Requirement};
use worker_metrics::{Coverage, Identity, Row};

use crate::options::Options;
use crate::source::Attached;
use crate::ways::Ways;

/// The metrics that apply to one attached source, and why some of them are not exported.
///
/// What this kind of source can never have is left out. Its `Display` names the source, and groups
/// what is missing by reason.
///
/// # Examples
///
/// ```
/// use worker_metrics::Pool;
/// use worker_metrics_otel::Instrumentation;
///
/// let workers = Instrumentation::default();
/// let (pool, _batches) = Pool::builder("render").workers(1).build()?;
/// let _render = workers.attach(pool)?;
/// for source in workers.coverage() {
///     println!("{source}");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SourceCoverage {
    /// Which source it is.
    pub identity: Identity,
    /// The rows of the catalogue that apply to it.
    pub rows: Vec<Row>,
    /// What the system lets the watchdog see of the workers' threads, where there is a watchdog.
    pub threads: Option<worker_metrics_thread_dump::Coverage>,
    options: Options,
    ways: Ways,
}

impl SourceCoverage {
    pub(crate) fn of(attached: &Attached, options: &Options, ways: Ways) -> Self {
        Self {
            identity: attached.identity().clone(),
            rows: attached.definitions().to_vec(),
            threads: options.watchdog.as_ref().map(|_| worker_metrics_thread_dump::coverage()),
            options: options.clone(),
            ways,
        }
    }

    /// The metrics that are not exported, each with the reason.
    pub fn missing(&self) -> impl Iterator<Item = (String, &'static str)> {
        self.rows
            .iter()
            .filter_map(|row| Some((self.identity.namespace.metric(row.definition), self.why_missing(row)?)))
    }

    /// What is not seen of the workers' threads, and why.
    fn unseen(&self) -> Vec<String> {
        let Some(threads) = &self.threads else { return Vec::new() };
        let mut unseen = Vec::new();
        if let Err(why) = threads.looks {
            unseen.push(format!("stalls are proved by polls of a known age alone, and have no cause: {why}"));
        } else if let Err(why) = threads.stacks {
            unseen.push(format!("stalls have no stack: {why}"));
        }
        unseen
    }

    /// The source, for a person to read.
    pub(crate) fn source(&self) -> String {
        let Identity { namespace, id, name, .. } = &self.identity;
        match name {
            Some(name) => format!("{namespace} {name:?} (id {id})"),
            None => format!("{namespace} (id {id})"),
        }
    }

    fn why_missing(&self, row: &Row) -> Option<&'static str> {
        let is_exported = self.options.exports(row.definition);
        match (missing_reason(row), row.definition.instrument, row.definition.requirement) {
            (Some(why), ..) => Some(why),
            (_, Instrument::Histogram, _) if !is_exported => Some("switched off: `Options::with_histograms`"),
            (_, _, Requirement::OptIn) if !is_exported => Some("on request: `Options::with_opt_in_metrics`"),
            (_, Instrument::Histogram, _) if !self.ways.lead_out(row.definition) => {
                Some("no instrument takes a ready histogram: push it with `Instrumentation::otlp`")
            }
            (..) if !self.ways.lead_out(row.definition) => {
                Some("goes by OTLP: push it with `Instrumentation::otlp`, or set `Numbers::Meter`")
            }
            _ => None,
        }
    }
}

/// Why the source does not provide a row.
fn missing_reason(row: &Row) -> Option<&'static str> {
    match row.coverage {
        Coverage::Missing(why) => Some(why),
        Coverage::LeftToWatchdog => Some("needs the watchdog: leave out `Options::without_watchdog`"),
        _ => None,
    }
}

impl fmt::Display for SourceCoverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut by_reason: Vec<(&str, Vec<String>)> = Vec::new();
        for (name, why) in self.missing() {
            match by_reason.iter_mut().find(|(reason, _)| *reason == why) {
                Some((_, names)) => names.push(name),
                None => by_reason.push((why, vec![name])),
            }
        }
        let missing: usize = by_reason.iter().map(|(_, names)| names.len()).sum();
        let exported = self.rows.len() - missing;
        match missing {
            0 => write!(f, "{}: all {exported} metrics are exported", self.source())?,
            1 => write!(f, "{}: {exported} metrics are exported, 1 is not", self.source())?,
            _ => write!(f, "{}: {exported} metrics are exported, {missing} are not", self.source())?,
        }
        for (reason, names) in by_reason {
            write!(f, "\n  {reason}: {}", names.join(", "))?;
        }
        self.unseen().iter().try_for_each(|unseen| write!(f, "\n  {unseen}"))
    }
}
