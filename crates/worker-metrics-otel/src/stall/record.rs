//! A stall as a log record: an event of OpenTelemetry.

use std::time::SystemTime;

use opentelemetry::Key;
use opentelemetry::logs::{AnyValue, LogRecord, Logger, Severity};
use worker_metrics::{Attribute, Identity, Namespace};

use super::stall::Stall;

/// A stall as a log record, for whatever sends it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StallRecord {
    /// `tokio.worker.stall`, or `tokio.worker.stall.end`.
    pub(crate) event_name: String,
    pub(crate) at: SystemTime,
    pub(crate) body: String,
    pub(crate) attributes: Vec<(Key, AnyValue)>,
}

impl StallRecord {
    pub(crate) const SEVERITY: Severity = Severity::Warn;

    /// The record of a stall that was proved, or has ended, at `at`.
    pub(crate) fn of(stall: &Stall, at: SystemTime) -> Self {
        let end = if stall.has_ended() { ".end" } else { "" };
        Self {
            event_name: format!("{}.worker.stall{end}", stall.identity.namespace),
            at,
            body: stall.to_string(),
            attributes: attributes(stall),
        }
    }

    /// Emits it through a logger of the program's.
    pub(crate) fn emit(&self, logger: &impl Logger) {
        if !logger.event_enabled(Self::SEVERITY, env!("CARGO_PKG_NAME"), None) {
            return;
        }
        let mut record = logger.create_log_record();
        if let Some(name) = known_event_name(&self.event_name) {
            record.set_event_name(name);
        }
        record.set_timestamp(self.at);
        record.set_observed_timestamp(self.at);
        record.set_severity_number(Self::SEVERITY);
        record.set_severity_text(Self::SEVERITY.name());
        record.set_body(self.body.clone().into());
        record.add_attributes(self.attributes.clone());
        logger.emit(record);
    }
}

/// The API takes no names that are made at run time: those of other namespaces have the attributes
/// alone.
fn known_event_name(name: &str) -> Option<&'static str> {
    const KNOWN: [&str; 4] = [
        "tokio.worker.stall",
        "tokio.worker.stall.end",
        "worker_pool.worker.stall",
        "worker_pool.worker.stall.end",
    ];
    KNOWN.into_iter().find(|known| *known == name)
}

fn attributes(stall: &Stall) -> Vec<(Key, AnyValue)> {
    let Identity { namespace, id, name, .. } = &stall.identity;
    let mut attributes = Attributes { namespace, list: Vec::new() };
    attributes.source(Attribute::Name, name.clone());
    attributes.source(Attribute::Id, Some(id.clone()));
    attributes.source(Attribute::WorkerIndex, i64::try_from(stall.worker).ok());
    attributes.source(Attribute::StallCause, Some(stall.cause.as_str()));
    attributes.own("stall.proof", Some(stall.proof.as_str()));
    attributes.own("stall.age", Some(stall.age.as_secs_f64()));
    attributes.own("stall.duration", stall.duration.map(|duration| duration.as_secs_f64()));
    attributes.own("stall.waits_on", stall.activity.as_ref().map(ToString::to_string));
    attributes.source(Attribute::TaskGroup, stall.task_group.as_deref().map(str::to_owned));
    attributes.own("task.spawn.location", stall.spawn_location.map(ToString::to_string));
    attributes.common("thread.name", stall.thread_name.as_deref().map(str::to_owned));
    attributes.common("thread.id", stall.thread_id.map(|id| i64::from(id.as_u32())));
    if let Some(stack) = stall.stack.as_ref().filter(|_| !stall.has_ended()) {
        attributes.common("code.stacktrace", Some(stack.to_string()));
    }
    if let Some(frame) = stall.stack.as_ref().and_then(|stack| stack.topmost().next()) {
        attributes.common("code.function.name", frame.function.as_deref().map(str::to_owned));
        attributes.common("code.file.path", frame.file.as_deref().map(str::to_owned));
        attributes.common("code.line.number", frame.line.map(i64::from));
    }
    attributes.list
}

struct Attributes<'a> {
    namespace: &'a Namespace,
    list: Vec<(Key, AnyValue)>,
}

impl Attributes<'_> {
    /// One of the catalogue's.
    fn source(&mut self, attribute: Attribute, value: Option<impl Into<AnyValue>>) {
        let key = self.namespace.attribute(attribute);
        self.list.extend(value.map(|value| (key.into(), value.into())));
    }

    /// One of this event's.
    fn own(&mut self, suffix: &str, value: Option<impl Into<AnyValue>>) {
        let key = format!("{}.{suffix}", self.namespace);
        self.list.extend(value.map(|value| (key.into(), value.into())));
    }

    /// One of the semantic conventions.
    fn common(&mut self, key: &'static str, value: Option<impl Into<AnyValue>>) {
        self.list.extend(value.map(|value| (key.into(), value.into())));
    }
}
