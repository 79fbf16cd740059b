//! The dashboard and the rules of `deploy/` on the metrics of a real service with a worker that
//! blocks.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::Value;
use worker_metrics::catalogue::CATALOGUE;
use worker_metrics::{Definition, Namespace};
use worker_metrics_tokio::Gate;

use crate::collector::Collector;
use crate::peers::{deployed, peers};
use crate::prometheus::Prometheus;
use crate::quickstart::Quickstart;
use crate::service::Protocol;
use crate::wait::until;

/// The queries of the dashboard, by their panels.
fn dashboard() -> Vec<(String, String)> {
    let file = deployed("grafana/dashboards/worker-metrics.json");
    let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let mut queries = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = target["expr"].as_str().unwrap();
            let query = ["$job", "$instance", "$runtime"]
                .iter()
                .fold(query.to_owned(), |query, variable| query.replace(variable, ".*"))
                .replace("$__rate_interval", "1m");
            assert!(!query.contains('$'), "a variable that this test does not know: {query}");
            queries.push((panel["title"].as_str().unwrap().to_owned(), query));
        }
    }
    assert!(queries.len() > 30, "{queries:?}");
    queries
}

/// The recorded series, of the rules as Prometheus has loaded them; by name, as each is in a panel
/// of its own.
fn recorded(prometheus: &Prometheus) -> Vec<(String, String)> {
    let groups = prometheus.rules();
    let rules = groups.iter().flat_map(|group| group["rules"].as_array().unwrap());
    let recorded: Vec<_> = rules
        .filter(|rule| rule["type"] == "recording")
        .map(|rule| rule["name"].as_str().unwrap().to_owned())
        .map(|name| (name.clone(), name))
        .collect();
    assert!(recorded.len() >= 5, "{recorded:?}");
    recorded
}

/// What the alerts ask for, by their names: an alert on a series that is not there never fires.
fn asked_by_alerts(prometheus: &Prometheus) -> Vec<(String, String)> {
    let labels = Regex::new(r"(?-u:\b)(by|without|ignoring|on) *\([^)]*\)").unwrap();
    let selector = Regex::new(r"(?-u:\b)(tokio_|runtime:|target_info)[a-z0-9_:]*(\{[^}]*\})?").unwrap();
    let groups = prometheus.rules();
    let rules = groups.iter().flat_map(|group| group["rules"].as_array().unwrap());
    let mut asked = Vec::new();
    for alert in rules.filter(|rule| rule["type"] == "alerting") {
        let query = labels.replace_all(alert["query"].as_str().unwrap(), "").into_owned();
        let selectors = selector.find_iter(&query).map(|found| found.as_str().to_owned());
        let before = asked.len();
        asked.extend(selectors.map(|selector| (alert["name"].as_str().unwrap().to_owned(), selector)));
        assert!(asked.len() > before, "{query}");
    }
    assert!(asked.len() >= 13, "{asked:?}");
    asked
}

/// Whether the query asks for what a runtime of stable Tokio does not tell.
fn needs_tokio_unstable(query: &str) -> bool {
    let needs = |definition: &&Definition| {
        Gate::of(definition.metric).is_some_and(|gate| gate.tokio_unstable && gate.or.is_none())
    };
    let named =
        |definition: &Definition| query.contains(&Namespace::TOKIO.metric(definition).replace('.', "_"));
    CATALOGUE.iter().filter(needs).any(named)
}

#[test]
fn every_query_has_data_and_the_alert_fires_for_a_worker_that_blocks() {
    let peers = peers!("every_query_has_data_and_the_alert_fires_for_a_worker_that_blocks");
    let prometheus = Prometheus::start(&peers);
    let gateway = Collector::gateway(&peers, prometheus.otlp_endpoint());
    let _service = Quickstart::start(&gateway.endpoint(Protocol::Grpc));

    until("the worker that blocks", || {
        match prometheus.value("sum(tokio_worker_count{tokio_worker_state=\"stalled\"})") {
            Some(1.0) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    let queries = [dashboard(), recorded(&prometheus), asked_by_alerts(&prometheus)].concat();
    let mut missing: Vec<_> = queries
        .into_iter()
        .filter(|(_, query)| cfg!(tokio_unstable) || !needs_tokio_unstable(query))
        .collect();
    until("data for every query", || {
        missing.retain(|(_, query)| prometheus.query_any(query).is_empty());
        if missing.is_empty() { Ok(()) } else { Err(format!("{missing:#?}")) }
    });

    // It blocks for 3.5 s of every 7.5: a pattern of stalls, which the watchdog of the service
    // counts.
    let alert = "ALERTS{alertname=\"TokioWorkerStallsRepeated\", alertstate=\"firing\"}";
    let fired = until(alert, || prometheus.query(alert).pop().ok_or_else(|| "none".to_owned()));
    let expected = [("job", "quickstart"), ("tokio_runtime_name", "main"), ("severity", "warning")];
    let expected: BTreeMap<_, _> = expected.iter().copied().collect();
    for (label, value) in expected {
        assert_eq!(fired.labels.get(label).map(String::as_str), Some(value), "{fired:?}");
    }
}
