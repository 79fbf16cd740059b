//! The table on the terminal.

use comfy_table::presets;
use comfy_table::{ContentArrangement, Table};

use crate::verdict::Verdict;
use crate::view::{Row, View};

/// Columns where nobody tells: enough for every row to stand on one line.
const WIDTH: u16 = 200;

/// The table as text, with the verdict below it, where a short terminal shows it.
pub(crate) fn render(view: &View, columns: Option<u16>, seconds: u64, exports: u64) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(columns.unwrap_or(WIDTH))
        .set_header(["WHAT", "NOW", "BY WORKER", "METRIC"]);
    for Row { what, now, by_worker, metric } in &view.rows {
        table.add_row([what, now, by_worker, metric]);
    }
    format!("\n{}\n{}", table.trim_fmt(), verdict(&view.verdict, seconds, exports))
}

/// The line that says whether the workers are healthy.
pub(crate) fn verdict(verdict: &Verdict, seconds: u64, exports: u64) -> String {
    let text = match verdict {
        Verdict::Stalled(_) => console::style(verdict.to_string()).red().bold(),
        Verdict::Healthy | Verdict::Unknown => console::style(verdict.to_string()),
    };
    format!("after {seconds} s, {exports} exports received: {text}\n")
}
