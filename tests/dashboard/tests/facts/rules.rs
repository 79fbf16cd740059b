//! `deploy/prometheus`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_yaml_ng::Value;

use crate::{promql, tree};

#[derive(Deserialize)]
struct RuleFile {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

/// A recording rule or an alert.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    record: Option<String>,
    pub(crate) alert: Option<String>,
    pub(crate) expr: String,
    #[serde(rename = "for")]
    #[expect(dead_code, reason = "known, so that a misspelt key is not")]
    pending: Option<String>,
    keep_firing_for: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) annotations: BTreeMap<String, String>,
}

fn rules() -> Vec<Rule> {
    let files = tree::yaml_files("deploy/prometheus/rules");
    let files = files.iter().map(|text| serde_yaml_ng::from_str::<RuleFile>(text).unwrap());
    files.flat_map(|file| file.groups).flat_map(|group| group.rules).collect()
}

/// The alerts, at least one.
pub(crate) fn alerts() -> BTreeMap<String, Rule> {
    let alerts: BTreeMap<_, _> =
        rules().into_iter().filter_map(|rule| Some((rule.alert.clone()?, rule))).collect();
    assert!(!alerts.is_empty());
    alerts
}

/// The names of the recorded series.
pub(crate) fn recorded() -> Vec<String> {
    rules().into_iter().filter_map(|rule| rule.record).collect()
}

/// The queries in a template: the strings of `query (printf "…" …)`.
fn queries_in(template: &str) -> Vec<String> {
    let strings = template.split("(printf \"").skip(1);
    strings
        .map(|rest| {
            let end = rest.match_indices('"').find(|&(at, _)| !rest[..at].ends_with('\\')).unwrap().0;
            let query = rest[..end].replace("\\\"", "\"").replace("%q", "\"\"");
            // Of arguments that are used more than once.
            (1..5).fold(query, |query, number| query.replace(&format!("%[{number}]q"), "\"\""))
        })
        .collect()
}

#[test]
fn every_rule_asks_for_what_the_catalogue_or_another_rule_has() {
    let mut queries = 0;
    for rule in rules() {
        promql::assert_known(&rule.expr);
        for query in rule.annotations.values().flat_map(|template| queries_in(template)) {
            promql::assert_known(&query);
            queries += 1;
        }
    }
    assert!(queries > 0, "descriptions ask for the worker");
}

#[test]
fn every_recorded_series_is_used_or_named_in_the_runbook() {
    let asked: String =
        alerts().values().flat_map(|rule| [&rule.expr, &rule.annotations["description"]]).cloned().collect();
    let all = asked
        + &rules().iter().map(|rule| rule.expr.as_str()).collect::<String>()
        + &tree::read("docs/runbook.md");
    for name in recorded() {
        assert!(all.contains(&name), "{name}");
    }
}

#[test]
fn every_alert_says_how_bad_what_where_and_what_to_do_and_holds_on() {
    for (name, rule) in alerts() {
        assert!(name.starts_with("Tokio"), "{name}");
        assert!(["critical", "warning", "info"].contains(&rule.labels["severity"].as_str()), "{name}");
        assert!(rule.keep_firing_for.is_some(), "{name} has no hysteresis");
        let keys: Vec<_> = rule.annotations.keys().map(String::as_str).collect();
        assert_eq!(keys, ["description", "runbook_url", "summary"], "{name}");
        let anchor = dashboard::model::anchor(&name);
        assert_eq!(rule.annotations["runbook_url"], format!("docs/runbook.md#{anchor}"));
        let description = &rule.annotations["description"];
        assert!(description.contains("$labels.job"), "{name}");
        if !name.starts_with("TokioTelemetry") {
            assert!(description.contains("$labels.instance"), "{name}");
            assert!(description.contains("$labels.tokio_runtime_name"), "{name}");
        }
    }
}

/// What promtool then runs: `.ci/rules`.
#[test]
fn every_alert_is_tested_firing_and_quiet() {
    let (mut firing, mut quiet) = (BTreeSet::new(), BTreeSet::new());
    for text in tree::yaml_files("deploy/prometheus/tests") {
        let file: Value = serde_yaml_ng::from_str(&text).unwrap();
        for test in file["tests"].as_sequence().unwrap() {
            for case in test["alert_rule_test"].as_sequence().into_iter().flatten() {
                // A case that repeats another by an anchor is counted there.
                if let Some(expected) = case["exp_alerts"].as_sequence() {
                    let name = case["alertname"].as_str().unwrap().to_owned();
                    if expected.is_empty() {
                        quiet.insert(name)
                    } else {
                        firing.insert(name)
                    };
                }
            }
        }
    }
    let names: BTreeSet<_> = alerts().into_keys().collect();
    assert_eq!(firing, names);
    assert_eq!(quiet, names);
}
