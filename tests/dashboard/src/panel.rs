//! One panel.

use serde_json::{Value, json};
use worker_metrics::{Definition, Namespace};

use crate::query::Query;

/// A panel: what it shows, and where the runbook speaks of it.
#[derive(Debug)]
pub struct Panel {
    /// Its title.
    pub title: &'static str,
    /// What it means, one sentence or two; the metrics' own descriptions follow by themselves.
    pub meaning: &'static str,
    /// How it is drawn.
    pub shape: Shape,
    /// The unit, in Grafana's terms.
    pub unit: &'static str,
    /// The queries.
    pub queries: Vec<Query>,
    /// The alert that goes with it; without one, the runbook's section of its row is meant.
    pub alert: Option<&'static str>,
    /// From where on it is yellow and red.
    pub thresholds: Vec<f64>,
}

/// How a panel is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One number, as of now.
    Stat,
    /// Lines.
    Lines,
    /// Lines on top of each other.
    Stack,
    /// A histogram over time.
    Heatmap,
}

impl Shape {
    /// Width and height on a grid of 24 columns.
    #[must_use]
    pub fn size(self) -> (u32, u32) {
        match self {
            Self::Stat => (4, 4),
            Self::Lines | Self::Stack => (8, 8),
            Self::Heatmap => (12, 8),
        }
    }
}

impl Panel {
    /// A panel without thresholds and without an alert of its own.
    #[must_use]
    pub fn new(shape: Shape, title: &'static str, unit: &'static str, queries: Vec<Query>) -> Self {
        Self { title, meaning: "", shape, unit, queries, alert: None, thresholds: Vec::new() }
    }

    /// What it means.
    #[must_use]
    pub fn meaning(mut self, meaning: &'static str) -> Self {
        self.meaning = meaning;
        self
    }

    /// The alert that goes with it.
    #[must_use]
    pub fn alert(mut self, alert: &'static str) -> Self {
        self.alert = Some(alert);
        self
    }

    /// Yellow and red from these on; with one alone, red.
    #[must_use]
    pub fn thresholds(mut self, thresholds: impl Into<Vec<f64>>) -> Self {
        self.thresholds = thresholds.into();
        self
    }

    /// The metrics that it shows, each once.
    #[must_use]
    pub fn metrics(&self) -> Vec<&'static Definition> {
        let mut metrics: Vec<&'static Definition> = Vec::new();
        for metric in self.queries.iter().flat_map(|query| &query.metrics) {
            if !metrics.iter().any(|known| known.suffix == metric.suffix) {
                metrics.push(metric);
            }
        }
        metrics
    }

    /// As Grafana has it, at a place on the grid.
    #[must_use]
    pub fn json(&self, id: usize, x: u32, y: u32, anchor: &str) -> Value {
        let (w, h) = self.shape.size();
        let (kind, options) = self.options();
        json!({
            "id": id,
            "type": kind,
            "title": self.title,
            "description": self.description(),
            "links": [{
                "title": "Runbook",
                "url": format!("${{runbook:raw}}#{anchor}"),
                "targetBlank": true,
            }],
            "gridPos": {"x": x, "y": y, "w": w, "h": h},
            "datasource": datasource(),
            "targets": self.targets(),
            "fieldConfig": {"defaults": self.defaults(), "overrides": []},
            "options": options,
        })
    }

    fn description(&self) -> String {
        let mut description = self.meaning.to_owned();
        for metric in self.metrics() {
            description.push_str(&format!(
                "\n\n`{}`: {}",
                Namespace::TOKIO.metric(metric),
                metric.description
            ));
        }
        description
    }

    fn targets(&self) -> Vec<Value> {
        let instant = self.shape == Shape::Stat;
        let format = if self.shape == Shape::Heatmap { "heatmap" } else { "time_series" };
        ('A'..='Z')
            .zip(&self.queries)
            .map(|(reference, query)| {
                json!({
                    "refId": reference.to_string(),
                    "datasource": datasource(),
                    "expr": query.expr,
                    "legendFormat": query.legend,
                    "format": format,
                    "instant": instant,
                    "range": !instant,
                    "editorMode": "code",
                })
            })
            .collect()
    }

    fn options(&self) -> (&'static str, Value) {
        match self.shape {
            Shape::Stat => (
                "stat",
                json!({
                    "colorMode": "background",
                    "graphMode": "none",
                    "justifyMode": "auto",
                    "orientation": "auto",
                    "textMode": "value",
                    "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": false},
                }),
            ),
            Shape::Lines | Shape::Stack => (
                "timeseries",
                json!({
                    "legend": {"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []},
                    "tooltip": {"mode": "multi", "sort": "desc"},
                }),
            ),
            Shape::Heatmap => (
                "heatmap",
                json!({
                    "calculate": false,
                    "cellGap": 1,
                    "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "exponent": 0.5, "reverse": false},
                    "filterValues": {"le": 1e-9},
                    "legend": {"show": true},
                    "rowsFrame": {"layout": "auto"},
                    "showValue": "never",
                    "tooltip": {"mode": "single", "yHistogram": true, "showColorScale": false},
                    "yAxis": {"axisPlacement": "left", "unit": self.unit},
                }),
            ),
        }
    }

    fn defaults(&self) -> Value {
        let colours: &[&str] = if self.thresholds.len() == 1 { &["red"] } else { &["yellow", "red"] };
        let mut steps = vec![json!({"color": "green", "value": null})];
        steps.extend(
            self.thresholds
                .iter()
                .zip(colours)
                .map(|(value, colour)| json!({"color": colour, "value": value})),
        );
        let thresholds = json!({"mode": "absolute", "steps": steps});
        match self.shape {
            Shape::Heatmap => json!({"custom": {"scaleDistribution": {"type": "linear"}}}),
            Shape::Stat => json!({
                "unit": self.unit,
                "color": {"mode": "thresholds"},
                "thresholds": thresholds,
                "noValue": "not sent",
            }),
            Shape::Lines | Shape::Stack => {
                let stacked = self.shape == Shape::Stack;
                json!({
                    "unit": self.unit,
                    "min": 0,
                    "color": {"mode": "palette-classic"},
                    "thresholds": thresholds,
                    "custom": {
                        "drawStyle": "line",
                        "lineWidth": 1,
                        "fillOpacity": if stacked { 30 } else { 0 },
                        "stacking": {"mode": if stacked { "normal" } else { "none" }, "group": "A"},
                        "showPoints": "never",
                        "spanNulls": false,
                        "thresholdsStyle": {"mode": if self.thresholds.is_empty() { "off" } else { "dashed" }},
                    },
                })
            }
        }
    }
}

/// The data source that was chosen.
#[must_use]
pub fn datasource() -> Value {
    json!({"type": "prometheus", "uid": "${datasource}"})
}
