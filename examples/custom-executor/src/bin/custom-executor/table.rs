//! The table of what the receiver got from one pool.

use comfy_table::presets;
use comfy_table::{ContentArrangement, Table};
use otlp_receiver::{Document, Number, Point};
use worker_metrics_otel::SourceCoverage;

use crate::check;

/// Columns enough for every row to stand on one line.
const WIDTH: u16 = 200;

/// One row a metric, in the order of the catalogue.
pub(crate) fn render(document: &Document, source: &SourceCoverage) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH)
        .set_header(["METRIC", "UNIT", "SERIES"]);
    for (name, definition) in check::expected(source) {
        let points = document.metric(&name).map(|metric| metric.points.as_slice()).unwrap_or_default();
        let series: Vec<_> = points.iter().map(series).collect();
        table.add_row([name, definition.unit.to_owned(), series.join("  ")]);
    }
    table.trim_fmt()
}

/// Such as `0/busy: 1.25`, by the attributes besides the name of the pool.
fn series(point: &Point) -> String {
    let others = point.attributes.iter().filter(|(key, _)| !key.ends_with(".name"));
    let labels: Vec<_> = others.map(|(_, value)| value.to_string().trim_matches('"').to_owned()).collect();
    let value = match (point.value(), point.histogram()) {
        (Some(Number::Int(count)), _) => count.to_string(),
        (Some(Number::Double(number)), _) => format!("{number:.6}"),
        (None, Some(histogram)) => {
            let sum = histogram.sum.map_or_else(|| "unknown".to_owned(), |sum| format!("{sum:.6}"));
            format!("{} values, sum {sum}", histogram.count)
        }
        (None, None) => "of another type".to_owned(),
    };
    if labels.is_empty() { value } else { format!("{}: {value}", labels.join("/")) }
}
