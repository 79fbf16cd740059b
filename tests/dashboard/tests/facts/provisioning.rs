//! `deploy/grafana/provisioning`.

use serde_yaml_ng::Value;

use crate::tree;

fn read(file: &str) -> Value {
    serde_yaml_ng::from_str(&tree::read(&format!("deploy/grafana/provisioning/{file}"))).unwrap()
}

#[test]
fn grafana_gets_a_prometheus_and_a_place_for_the_dashboard() {
    let datasource = &read("datasources/prometheus.yaml")["datasources"][0];
    assert_eq!(datasource["type"], "prometheus");
    assert_eq!(datasource["isDefault"], true);
    let path = &read("dashboards/worker-metrics.yaml")["providers"][0]["options"]["path"];
    assert!(
        tree::read("deploy/README.md").contains(path.as_str().unwrap()),
        "deploy/README.md says what to mount there"
    );
}
