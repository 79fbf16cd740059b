//! `deploy/grafana/dashboards/worker-metrics.json`.

use std::collections::BTreeSet;
use std::fs;

use dashboard::board::rows;
use dashboard::model::{self, COLUMNS};
use dashboard::panel::Shape;
use serde_json::Value;
use worker_metrics::catalogue::{CATALOGUE, Requirement};
use worker_metrics_tokio::Gate;

use crate::{promql, rules, runbook, tree};

const FILE: &str = "deploy/grafana/dashboards/worker-metrics.json";

fn panels() -> Vec<Value> {
    let panels = model::dashboard()["panels"].as_array().unwrap().clone();
    assert!(!panels.is_empty());
    panels
}

fn panels_with_queries() -> Vec<Value> {
    panels().into_iter().filter(|panel| panel["type"] != "row").collect()
}

#[test]
fn the_file_is_what_the_catalogue_makes() {
    if std::env::var_os("UPDATE").is_some() {
        fs::write(tree::path(FILE), model::text()).unwrap();
        return;
    }
    let file: Value = serde_json::from_str(&tree::read(FILE)).unwrap();
    assert_eq!(file, model::dashboard(), "run UPDATE=1 cargo test -p dashboard to bring {FILE} up to date");
}

#[test]
fn every_recommended_metric_that_tokio_can_provide_is_in_a_panel() {
    let shown: BTreeSet<_> = rows()
        .iter()
        .flat_map(|row| &row.panels)
        .flat_map(|panel| panel.metrics())
        .map(|m| m.suffix)
        .collect();
    let wanted = CATALOGUE.iter().filter(|definition| {
        definition.requirement == Requirement::Recommended && Gate::of(definition.metric).is_some()
    });
    let missing: Vec<_> =
        wanted.map(|definition| definition.suffix).filter(|suffix| !shown.contains(suffix)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_query_asks_for_what_the_catalogue_or_a_rule_has() {
    for panel in panels_with_queries() {
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{}", panel["title"]);
        for target in targets {
            promql::assert_known(target["expr"].as_str().unwrap());
        }
    }
    for annotation in annotations("prometheus") {
        promql::assert_known(annotation["expr"].as_str().unwrap());
    }
}

fn annotations(datasource: &str) -> Vec<Value> {
    let mut annotations = model::dashboard()["annotations"]["list"].as_array().unwrap().clone();
    annotations.retain(|annotation| annotation["datasource"]["type"] == datasource);
    assert!(!annotations.is_empty());
    annotations
}

#[test]
fn the_annotation_of_stalls_is_off_and_asks_the_logs_that_were_chosen() {
    let annotations = annotations("loki");
    assert_eq!(annotations.len(), 1);
    assert_eq!(annotations[0]["enable"], false, "there may be no Loki");
    assert_eq!(annotations[0]["datasource"]["uid"], "${logs}");
    let variables = model::dashboard()["templating"]["list"].as_array().unwrap().clone();
    let logs = variables.iter().find(|variable| variable["name"] == "logs").unwrap();
    assert_eq!(logs["query"], "loki");
}

#[test]
fn every_query_keeps_to_the_chosen_services_instances_and_runtimes() {
    let mut selections = 0;
    for panel in panels_with_queries() {
        for target in panel["targets"].as_array().unwrap() {
            for matchers in target["expr"].as_str().unwrap().split('{').skip(1) {
                let all = r#"job=~"$job",instance=~"$instance",tokio_runtime_name=~"$runtime""#;
                assert!(matchers.starts_with(all), "{matchers}");
                selections += 1;
            }
        }
    }
    assert!(selections > 0);
}

#[test]
fn every_state_in_a_query_is_one_that_the_metric_has() {
    let mut states = 0;
    for query in rows().iter().flat_map(|row| &row.panels).flat_map(|panel| &panel.queries) {
        for rest in query.expr.split("_state=\"").skip(1) {
            let state = rest.split('"').next().unwrap();
            assert!(query.metrics.iter().any(|metric| metric.states().contains(&state)), "{state}");
            states += 1;
        }
    }
    assert!(states > 0);
}

#[test]
fn every_legend_names_labels_of_the_result() {
    let mut known = promql::labels_of_tokio();
    known.extend(["job", "instance", "le"].map(str::to_owned));
    for panel in panels_with_queries() {
        for target in panel["targets"].as_array().unwrap() {
            for label in target["legendFormat"].as_str().unwrap().split("{{").skip(1) {
                let label = label.split("}}").next().unwrap();
                assert!(known.contains(label), "{label} in {}", panel["title"]);
            }
        }
    }
}

#[test]
fn every_panel_says_what_it_means_and_links_to_the_runbook() {
    let anchors = runbook::anchors();
    for row in rows() {
        for panel in &row.panels {
            assert!(panel.meaning.ends_with('.'), "{} says what it means", panel.title);
        }
    }
    for panel in panels_with_queries() {
        assert!(!panel["description"].as_str().unwrap().is_empty());
        let url = panel["links"][0]["url"].as_str().unwrap();
        let anchor = url.strip_prefix("${runbook:raw}#").expect("a section of the runbook");
        assert!(anchors.iter().any(|known| known == anchor), "#{anchor}");
    }
}

#[test]
fn a_panel_with_an_alert_turns_red_where_the_alert_fires() {
    let alerts = rules::alerts();
    let mut checked = 0;
    for row in rows() {
        for panel in row.panels {
            let Some(alert) = panel.alert else { continue };
            let expr = &alerts.get(alert).unwrap_or_else(|| panic!("{alert} is an alert")).expr;
            let Some(red) = panel.thresholds.last() else { continue };
            // A count that is above 0 is 1 or more; the age is that of the default stall threshold.
            let limit = if *red == 1.0 { "> 0".to_owned() } else { format!("> {red}") };
            assert!(expr.trim_end().contains(&limit), "{}: {limit} in {expr}", panel.title);
            checked += 1;
        }
    }
    assert!(checked > 0);
}

#[test]
fn the_first_row_answers_at_a_glance() {
    let first = &rows()[0];
    assert!(first.panels.iter().all(|panel| panel.shape == Shape::Stat && !panel.thresholds.is_empty()));
    let width: u32 = first.panels.iter().map(|panel| panel.shape.size().0).sum();
    assert_eq!(width, COLUMNS, "one line");
}

#[test]
fn panels_have_identifiers_of_their_own_and_do_not_overlap() {
    let (mut ids, mut cells) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()));
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
        assert!(x + w <= u64::from(COLUMNS));
        for cell in (y..y + h).flat_map(|y| (x..x + w).map(move |x| (x, y))) {
            assert!(cells.insert(cell), "{} lies on another", panel["title"]);
        }
    }
}
