//! The attribute sets of one source, built once when it is attached.
//!
//! Observing reads them and allocates nothing.

use std::sync::Arc;

use opentelemetry::{Key, KeyValue};
use worker_metrics::catalogue::Level;
use worker_metrics::{Attribute, Definition, Identity, Metric};

use crate::options::{Detail, Options};

/// The attributes of one series, sorted by key: the SDK sorts what is not, at every observation.
pub(crate) type AttributeSet = Box<[KeyValue]>;

/// For each row of the catalogue, the attribute sets of its series, in the order in which their
/// values are read.
#[derive(Debug)]
pub(super) struct Attributes {
    by_row: Vec<Arc<[AttributeSet]>>,
}

impl Attributes {
    /// `with_id` where the name alone does not tell the source apart.
    pub(super) fn new(identity: &Identity, with_id: bool, options: &Options) -> Self {
        let mut shapes = Shapes { identity, with_id, options, built: Vec::new() };
        Self { by_row: Metric::ALL.iter().map(|metric| shapes.sets_of(metric.definition())).collect() }
    }

    /// The attribute sets of a metric.
    pub(super) fn of(&self, metric: Metric) -> Arc<[AttributeSet]> {
        self.by_row.get(metric as usize).map_or_else(|| [].into(), Arc::clone)
    }
}

/// Builds attribute sets; rows of the same shape share theirs.
struct Shapes<'a> {
    identity: &'a Identity,
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

impl Shapes<'_> {
    fn sets_of(&mut self, definition: &Definition) -> Arc<[AttributeSet]> {
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
        let members: Vec<_> = match shape.level {
            Level::Runtime => vec![None],
            Level::Worker => (0..self.identity.workers).map(|index| Some(self.worker_index(index))).collect(),
            Level::TaskGroup => {
                self.identity.task_groups.iter().map(|name| Some(self.task_group(name))).collect()
            }
            _ => Vec::new(),
        };
        let states: Vec<_> = match shape.state_attribute {
            Some(attribute) => shape.states.iter().map(|state| Some(self.state(attribute, state))).collect(),
            None => vec![None],
        };
        let mut sets = Vec::with_capacity(members.len() * states.len());
        for member in &members {
            for state in &states {
                let mut set = self.source();
                set.extend(member.clone());
                set.extend(state.clone());
                set.sort_by(|one, other| one.key.cmp(&other.key));
                sets.push(set.into_boxed_slice());
            }
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

    fn worker_index(&self, index: usize) -> KeyValue {
        KeyValue::new(self.key(Attribute::WorkerIndex), i64::try_from(index).unwrap_or(i64::MAX))
    }

    fn task_group(&self, name: &Arc<str>) -> KeyValue {
        KeyValue::new(self.key(Attribute::TaskGroup), name.clone())
    }

    fn state(&self, attribute: Attribute, state: &'static str) -> KeyValue {
        KeyValue::new(self.key(attribute), state)
    }

    fn key(&self, attribute: Attribute) -> Key {
        let key = self.identity.namespace.attribute(attribute);
        let known = OF_TOKIO.iter().find(|known| **known == key);
        known.map_or_else(|| counted(&key).into(), |known| Key::from_static_str(known))
    }
}

/// The keys of [`Namespace::TOKIO`](worker_metrics::Namespace::TOKIO), whose clones are not even
/// counted.
const OF_TOKIO: [&str; 8] = [
    "tokio.runtime.name",
    "tokio.runtime.id",
    "tokio.runtime.flavor",
    "tokio.worker.index",
    "tokio.worker.state",
    "tokio.worker.microstate",
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
            BlockingThreadState, Flavor, Id, Name, TaskGroup, WorkerIndex, WorkerMicrostate, WorkerState,
        };
        let all =
            [Name, Id, Flavor, WorkerIndex, WorkerState, WorkerMicrostate, TaskGroup, BlockingThreadState];
        assert_eq!(all.map(|attribute| Namespace::TOKIO.attribute(attribute)), OF_TOKIO);
    }
}
