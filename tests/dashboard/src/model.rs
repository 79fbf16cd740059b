//! Grafana's JSON of the whole dashboard.

use serde_json::{Value, json};
use worker_metrics::{Attribute, Definition};

use crate::board::{Row, rows};
use crate::panel::{Panel, datasource};
use crate::prometheus;

/// Columns of Grafana's grid.
pub const COLUMNS: u32 = 24;

/// The dashboard, in the model that Grafana 11 writes and 12 reads (schema version 39).
#[must_use]
pub fn dashboard() -> Value {
    json!({
        "title": "Workers of Tokio runtimes",
        "uid": "worker-metrics",
        "description": "Are the async workers healthy? Made from the catalogue of worker-metrics.",
        "tags": ["tokio", "worker-metrics"],
        "schemaVersion": 39,
        "version": 1,
        "editable": true,
        "graphTooltip": 1,
        "timezone": "",
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "timepicker": {},
        "links": [],
        "annotations": {"list": [alerts(), stalls()]},
        "templating": {"list": variables()},
        "panels": panels(),
    })
}

/// The anchor that a Markdown heading gets.
#[must_use]
pub fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

/// The section of the runbook that a panel of a row links to.
#[must_use]
pub fn section(row: &Row, panel: &Panel) -> &'static str {
    panel.alert.unwrap_or(row.section)
}

fn panels() -> Vec<Value> {
    let mut panels = Vec::new();
    let mut y = 0;
    for row in rows() {
        panels.push(json!({
            "id": panels.len() + 1,
            "type": "row",
            "title": row.title,
            "collapsed": false,
            "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1},
            "panels": [],
        }));
        y += 1;
        let (mut x, mut tallest) = (0, 0);
        for panel in &row.panels {
            let (width, height) = panel.shape.size();
            if x + width > COLUMNS {
                (x, y, tallest) = (0, y + tallest, 0);
            }
            panels.push(panel.json(panels.len() + 1, x, y, &anchor(section(&row, panel))));
            x += width;
            tallest = tallest.max(height);
        }
        y += tallest;
    }
    panels
}

/// The alerts of `deploy/prometheus`, drawn over every panel.
fn alerts() -> Value {
    json!({
        "name": "Alerts",
        "datasource": datasource(),
        "enable": true,
        "iconColor": "red",
        "expr": r#"ALERTS{alertname=~"Tokio.*",alertstate="firing",job=~"$job"}"#,
        "titleFormat": "{{alertname}}",
        "textFormat": "{{instance}} {{tokio_runtime_name}}",
        "step": "30s",
        "useValueForTime": false,
    })
}

/// The stalls themselves, where their events are in Loki: off until somebody switches them on. Loki
/// writes attributes with underscores, and has no `job`.
fn stalls() -> Value {
    let [cause, runtime, worker] =
        [Attribute::StallCause, Attribute::Name, Attribute::WorkerIndex].map(prometheus::label);
    let job = "{{if .service_namespace}}{{.service_namespace}}/{{end}}{{.service_name}}";
    let expr = [
        r#"{service_name=~".+"}"#.to_owned(),
        format!(r#"{cause}!="""#),
        r#"tokio_stall_duration="""#.to_owned(),
        format!("label_format job=`{job}`"),
        r#"job=~"$job""#.to_owned(),
        r#"service_instance_id=~"$instance""#.to_owned(),
        format!(r#"{runtime}=~"$runtime""#),
    ]
    .join(" | ");
    json!({
        "name": "Stalls (from logs in Loki)",
        "datasource": {"type": "loki", "uid": "${logs}"},
        "enable": false,
        "iconColor": "orange",
        "expr": expr,
        "titleFormat": format!("worker {{{{{worker}}}}}: {{{{{cause}}}}}"),
        "textFormat": "{{code_function_name}}",
    })
}

fn variables() -> Vec<Value> {
    let every = Definition::find("task.count").expect("every runtime has it");
    let tasks = prometheus::metric(every);
    let name = prometheus::label(Attribute::Name);
    vec![
        json!({
            "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1,
            "includeAll": false, "multi": false, "hide": 0, "current": {}, "options": [],
        }),
        json!({
            "name": "logs", "label": "Logs (optional)", "type": "datasource", "query": "loki", "refresh": 1,
            "description": "A Loki that has the events of stalls: for the annotation that draws each of them.",
            "includeAll": false, "multi": false, "hide": 0, "current": {}, "options": [],
        }),
        variable("job", "Service", &format!("label_values({tasks}, job)")),
        variable("instance", "Instance", &format!(r#"label_values({tasks}{{job=~"$job"}}, instance)"#)),
        variable(
            "runtime",
            "Runtime",
            &format!(r#"label_values({tasks}{{job=~"$job",instance=~"$instance"}}, {name})"#),
        ),
        json!({
            "name": "runbook", "label": "Runbook", "type": "textbox", "hide": 0,
            "description": "Where docs/runbook.md is published.",
            "query": RUNBOOK, "current": {"text": RUNBOOK, "value": RUNBOOK},
            "options": [{"selected": true, "text": RUNBOOK, "value": RUNBOOK}],
        }),
    ]
}

const RUNBOOK: &str = "docs/runbook.md";

/// "All" also matches runtimes without a name.
fn variable(name: &str, label: &str, query: &str) -> Value {
    json!({
        "name": name,
        "label": label,
        "type": "query",
        "datasource": datasource(),
        "definition": query,
        "query": {"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
        "refresh": 2,
        "sort": 1,
        "regex": "",
        "hide": 0,
        "multi": true,
        "includeAll": true,
        "allValue": ".*",
        "current": {"selected": true, "text": ["All"], "value": ["$__all"]},
        "options": [],
    })
}

/// The text of the file.
#[must_use]
pub fn text() -> String {
    format!("{:#}\n", dashboard())
}
