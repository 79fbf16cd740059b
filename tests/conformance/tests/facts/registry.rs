//! The catalogue against `registry/tokio.yaml`, the semantic conventions of this project.

use std::path::Path;

use serde::Deserialize;
use worker_metrics::catalogue::{CATALOGUE, Instrument, Level, Reading, Requirement};
use worker_metrics::{Attribute, Definition, Namespace, StallCause};
use worker_metrics_tokio::Gate;

#[derive(Deserialize)]
struct Registry {
    attributes: Vec<AttributeEntry>,
    metrics: Vec<MetricEntry>,
    events: Vec<EventEntry>,
}

#[derive(Deserialize)]
struct EventEntry {
    name: String,
    attributes: Vec<AttributeReference>,
}

#[derive(Deserialize)]
struct AttributeEntry {
    key: String,
    #[serde(rename = "type")]
    kind: AttributeKind,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum AttributeKind {
    Scalar(String),
    Enumeration { members: Vec<Member> },
}

#[derive(Deserialize)]
struct Member {
    value: String,
}

#[derive(Deserialize)]
struct MetricEntry {
    name: String,
    brief: String,
    instrument: String,
    unit: String,
    requirement_level: String,
    annotations: Annotations,
    attributes: Vec<AttributeReference>,
}

#[derive(Deserialize)]
struct Annotations {
    code_generation: CodeGeneration,
}

#[derive(Deserialize)]
struct CodeGeneration {
    metric_value_type: String,
}

#[derive(Deserialize)]
struct AttributeReference {
    #[serde(rename = "ref")]
    attribute: Option<String>,
    ref_group: Option<String>,
}

fn registry() -> Registry {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../registry/tokio.yaml");
    serde_yaml_ng::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// What the registry says of one metric, and what the catalogue says of it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    name: String,
    description: String,
    instrument: String,
    unit: String,
    requirement: String,
    value_type: String,
    attributes: Vec<String>,
}

impl Row {
    fn registered(entry: MetricEntry) -> Self {
        let mut attributes: Vec<_> = entry
            .attributes
            .into_iter()
            .flat_map(|reference| [reference.attribute, reference.ref_group])
            .flatten()
            .collect();
        attributes.sort();
        Self {
            name: entry.name,
            description: entry.brief,
            instrument: entry.instrument,
            unit: entry.unit,
            requirement: entry.requirement_level,
            value_type: entry.annotations.code_generation.metric_value_type,
            attributes,
        }
    }

    fn catalogued(definition: &Definition) -> Self {
        let histogram = definition.instrument == Instrument::Histogram;
        let mut attributes = vec![if definition.level() == Level::Worker && !histogram {
            "attributes.tokio.worker".to_owned()
        } else {
            "attributes.tokio.runtime".to_owned()
        }];
        match definition.level() {
            Level::Worker if histogram => {
                attributes.push(Namespace::TOKIO.attribute(Attribute::WorkerIndex));
            }
            Level::TaskGroup => attributes.push(Namespace::TOKIO.attribute(Attribute::TaskGroup)),
            _ => {}
        }
        attributes
            .extend(definition.state_attribute().map(|attribute| Namespace::TOKIO.attribute(attribute)));
        attributes.sort();
        Self {
            name: Namespace::TOKIO.metric(definition),
            description: definition.description.to_owned(),
            instrument: match definition.instrument {
                Instrument::Counter => "counter",
                Instrument::UpDownCounter => "updowncounter",
                Instrument::Gauge => "gauge",
                Instrument::Histogram => "histogram",
                other => panic!("how is {other:?} registered?"),
            }
            .to_owned(),
            unit: definition.unit.to_owned(),
            requirement: match definition.requirement {
                Requirement::Recommended => "recommended",
                Requirement::OptIn => "opt_in",
                other => panic!("how is {other:?} registered?"),
            }
            .to_owned(),
            value_type: if definition.unit == "s" { "double" } else { "int" }.to_owned(),
            attributes,
        }
    }
}

#[test]
fn the_catalogue_is_the_registry() {
    let mut registered: Vec<_> = registry().metrics.into_iter().map(Row::registered).collect();
    let of_tokio = CATALOGUE.iter().filter(|definition| Gate::of(definition.metric).is_some());
    let mut catalogued: Vec<_> = of_tokio.map(Row::catalogued).collect();
    registered.sort();
    catalogued.sort();
    assert_eq!(catalogued, registered);
}

#[test]
fn the_states_that_are_exported_are_the_registered_ones() {
    let registry = registry();
    let members = |attribute: Attribute| -> Vec<String> {
        let key = Namespace::TOKIO.attribute(attribute);
        let entry =
            registry.attributes.iter().find(|entry| entry.key == key).expect("the attribute is registered");
        match &entry.kind {
            AttributeKind::Enumeration { members } => {
                members.iter().map(|member| member.value.clone()).collect()
            }
            AttributeKind::Scalar(kind) => panic!("{key} is a {kind}"),
        }
    };
    let mut checked = 0;
    for definition in CATALOGUE {
        if let Reading::CountByState(attribute, counts) = definition.reading {
            assert_eq!(counts.iter().map(|count| count.state).collect::<Vec<_>>(), members(attribute));
            checked += 1;
        }
        if let Reading::WorkerTime { state: Some(state), .. } = definition.reading {
            assert!(members(Attribute::WorkerState).iter().any(|member| member == state));
            checked += 1;
        }
    }
    assert_eq!(checked, 3);
    assert_eq!(StallCause::ALL.map(StallCause::as_str).as_slice(), members(Attribute::StallCause));
}

#[test]
fn every_attribute_is_registered() {
    let registry = registry();
    let mut keys: Vec<_> = registry.attributes.iter().map(|entry| entry.key.as_str()).collect();
    keys.sort_unstable();
    let of_metrics = [
        Attribute::Name,
        Attribute::Id,
        Attribute::Flavor,
        Attribute::WorkerIndex,
        Attribute::WorkerState,
        Attribute::StallCause,
        Attribute::TaskGroup,
        Attribute::BlockingThreadState,
    ]
    .map(|attribute| Namespace::TOKIO.attribute(attribute));
    let of_events = [
        "tokio.stall.proof",
        "tokio.stall.age",
        "tokio.stall.duration",
        "tokio.stall.waits_on",
        "tokio.task.spawn.location",
    ];
    let mut expected: Vec<_> = of_metrics.iter().map(String::as_str).chain(of_events).collect();
    expected.sort_unstable();
    assert_eq!(keys, expected);
}

#[test]
fn every_attribute_of_an_event_is_registered() {
    let registry = registry();
    assert_eq!(
        registry.events.iter().map(|event| event.name.as_str()).collect::<Vec<_>>(),
        ["tokio.worker.stall", "tokio.worker.stall.end"]
    );
    for attribute in registry.events.iter().flat_map(|event| &event.attributes) {
        if let Some(key) = &attribute.attribute {
            assert!(registry.attributes.iter().any(|entry| entry.key == *key), "{key}");
        }
    }
}
