//! The attribute sets of one source, built once when it is attached.
//!
//! Observing reads them and allocates nothing.

use std::sync::Arc;

use opentelemetry::{Key, KeyValue, Value};
use worker_metrics::catalogue::Level;
use worker_metrics::{Attribute, Definition, Identity};

use crate::options::{Detail, Options};

/// The attributes of one series, sorted by key: the SDK sorts what is not, at every observation.
pub(crate) type AttributeSet = Box<[KeyValue]>;

/// Builds the attribute sets of the series of a source, in the order in which their values are
/// read; rows of the same shape share theirs.
pub(super) struct Attributes<'a> {
    identity: &'a Identity,
    /// Where the name alone does not tell the source apart.
    with_id: bool,
    options: &'a Options,
    built: Vec<(Shape, Arc<[AttributeSet]>)>,
}

#[derive(Clone, PartialEq, Eq)]
struct Shape {
    level: Level,
    state_attribute: Option<Attribute>,
    states: Vec<&'static str>,
}

impl<'a> Attributes<'a> {
    pub(super) fn new(identity: &'a Identity, with_id: bool, options: &'a Options) -> Self {
        Self { identity, with_id, options, built: Vec::new() }
    }

    /// The attribute sets of a metric.
    pub(super) fn of(&mut self, definition: &Definition) -> Arc<[AttributeSet]> {
        let shape = Shape {
            level: match definition.level() {
                Level::Worker if self.options.detail_of(definition) == Detail::Runtime => Level::Runtime,
                level => level,
            },
            state_attribute: definition.state_attribute(),
            states: definition.states(),
        };
        if let Some((_, sets)) = self.built.iter().find(|(built, _)| *built == shape) {
            return sets.clone();
        }
        let sets: Arc<[AttributeSet]> = self.build(&shape).into();
        self.built.push((shape, sets.clone()));
        sets
    }

    fn build(&self, shape: &Shape) -> Vec<AttributeSet> {
        let pair = |attribute, value: Value| Some(KeyValue::new(self.key(attribute), value));
        let index = |index: usize| i64::try_from(index).unwrap_or(i64::MAX);
        let members: Vec<_> = match shape.level {
            Level::Runtime => vec![None],
            Level::Worker => (0..self.identity.workers)
                .map(|worker| pair(Attribute::WorkerIndex, index(worker).into()))
                .collect(),
            Level::TaskGroup => {
                let groups = self.identity.task_groups.iter();
                groups.map(|name| pair(Attribute::TaskGroup, Value::String(name.clone().into()))).collect()
            }
            _ => Vec::new(),
        };
        let states: Vec<_> = match shape.state_attribute {
            Some(attribute) => shape.states.iter().map(|state| pair(attribute, (*state).into())).collect(),
            None => vec![None],
        };
        let mut sets = Vec::with_capacity(members.len() * states.len());
        let mut push = |member: &Option<KeyValue>, state: &Option<KeyValue>| {
            let mut set = self.source();
            set.extend(member.clone());
            set.extend(state.clone());
            set.sort_by(|one, other| one.key.cmp(&other.key));
            sets.push(set.into_boxed_slice());
        };
        if shape.state_attribute == Some(Attribute::StallCause) {
            // Most causes have no series: those that are there lie side by side.
            states.iter().for_each(|state| members.iter().for_each(|member| push(member, state)));
        } else {
            members.iter().for_each(|member| states.iter().for_each(|state| push(member, state)));
        }
        sets
    }

    fn source(&self) -> Vec<KeyValue> {
        let Identity { id, name, flavor, .. } = self.identity;
        let mut set = Vec::with_capacity(5);
        if let Some(name) = name {
            set.push(KeyValue::new(self.key(Attribute::Name), counted(name)));
        }
        if self.with_id {
            set.push(KeyValue::new(self.key(Attribute::Id), counted(id)));
        }
        if let Some(flavor) = flavor.filter(|_| self.options.flavor) {
            set.push(KeyValue::new(self.key(Attribute::Flavor), flavor));
        }
        set
    }

    fn key(&self, attribute: Attribute) -> Key {
        let key = self.identity.namespace.attribute(attribute);
        let known = OF_TOKIO.iter().find(|known| **known == key);
        known.map_or_else(|| counted(&key).into(), |known| Key::from_static_str(known))
    }
}

/// The keys of [`Namespace::TOKIO`](worker_metrics::Namespace::TOKIO), whose clones are not even
/// counted.
const OF_TOKIO: [&str; 9] = [
    "tokio.runtime.name",
    "tokio.runtime.id",
    "tokio.runtime.flavor",
    "tokio.worker.index",
    "tokio.worker.state",
    "tokio.worker.microstate",
    "tokio.stall.cause",
    "tokio.task.group.name",
    "tokio.blocking.thread.state",
];

/// Text whose clones are counted: the SDK clones every attribute of every point at each collection.
fn counted(text: &str) -> Arc<str> {
    text.into()
}

#[cfg(test)]
mod tests {
    use worker_metrics::Namespace;

    use super::*;

    #[test]
    fn the_keys_of_tokio_are_those_of_its_namespace() {
        use Attribute::{
            BlockingThreadState, Flavor, Id, Name, StallCause, TaskGroup, WorkerIndex, WorkerMicrostate,
            WorkerState,
        };
        let all = [
            Name,
            Id,
            Flavor,
            WorkerIndex,
            WorkerState,
            WorkerMicrostate,
            StallCause,
            TaskGroup,
            BlockingThreadState,
        ];
        assert_eq!(all.map(|attribute| Namespace::TOKIO.attribute(attribute)), OF_TOKIO);
    }
}
