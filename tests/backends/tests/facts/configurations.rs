//! The collector's configurations hang together, and hold no secret.

use std::collections::BTreeSet;

use backends::backends::BACKENDS;
use serde_yaml_ng::{Mapping, Value};

use crate::documents::read;

fn keys(value: &Value) -> BTreeSet<String> {
    let mapping = value.as_mapping().into_iter().flat_map(Mapping::keys);
    mapping.map(|key| key.as_str().unwrap().to_owned()).collect()
}

fn names(value: &Value) -> Vec<String> {
    let names = value.as_sequence().into_iter().flatten();
    names.map(|name| name.as_str().unwrap().to_owned()).collect()
}

fn strings<'a>(value: &'a Value, found: &mut Vec<(String, &'a str)>, path: &str) {
    match value {
        Value::String(text) => found.push((path.to_owned(), text)),
        Value::Sequence(values) => values.iter().for_each(|value| strings(value, found, path)),
        Value::Mapping(mapping) => {
            for (key, value) in mapping {
                strings(value, found, &format!("{path}.{}", key.as_str().unwrap_or_default()));
            }
        }
        _ => {}
    }
}

#[test]
fn every_configuration_uses_what_it_defines_and_defines_what_it_uses() {
    for backend in BACKENDS {
        let file = format!("deploy/backends/{}.yaml", backend.file);
        let configuration: Value = serde_yaml_ng::from_str(&read(&file)).unwrap();
        let service = &configuration["service"];
        let pipelines = service["pipelines"].as_mapping().unwrap();
        assert!(!pipelines.is_empty(), "{file}");
        for kind in ["receivers", "processors", "exporters"] {
            let used: BTreeSet<_> = pipelines.values().flat_map(|pipeline| names(&pipeline[kind])).collect();
            assert_eq!(keys(&configuration[kind]), used, "{file}: {kind}");
        }
        let extensions: BTreeSet<_> = names(&service["extensions"]).into_iter().collect();
        assert_eq!(keys(&configuration["extensions"]), extensions, "{file}: extensions");
        for pipeline in pipelines.values() {
            assert_eq!(names(&pipeline["processors"])[0], "memory_limiter", "{file}");
        }
    }
}

#[test]
fn whatever_may_be_secret_comes_from_the_environment() {
    let secret = ["key", "token", "authorization", "password", "team", "dsn"];
    let mut looked_at = 0;
    for backend in BACKENDS {
        let file = format!("deploy/backends/{}.yaml", backend.file);
        let configuration: Value = serde_yaml_ng::from_str(&read(&file)).unwrap();
        let mut found = Vec::new();
        strings(&configuration, &mut found, "");
        for (path, text) in found {
            let name = path.rsplit('.').next().unwrap().to_lowercase();
            // The name of an attribute that a processor sets is none.
            let is_attribute = path.ends_with(".attributes.key");
            if !is_attribute && secret.iter().any(|secret| name.contains(secret)) {
                assert!(text.contains("${env:"), "{file}: {path}");
                looked_at += 1;
            }
        }
    }
    assert!(looked_at >= 8, "{looked_at}");
}
