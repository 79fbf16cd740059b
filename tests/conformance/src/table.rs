//! The table of `docs/metrics.md`, from the catalogue.

use std::fmt::Write as _;

use worker_metrics::catalogue::{CATALOGUE, Instrument, Level, Requirement};
use worker_metrics::{Attribute, Definition, Namespace};
use worker_metrics_tokio::Gate;

/// Where the table begins in a document.
pub const BEGIN: &str = "<!-- The table is made from the catalogue: UPDATE=1 cargo test -p conformance -->\n";
/// Where it ends.
pub const END: &str = "<!-- end of the table -->\n";

/// The table of all metrics under Tokio's namespace, as Markdown.
///
/// # Panics
///
/// For a kind of instrument that it has no word for.
#[must_use]
pub fn metrics() -> String {
    let mut table = String::from(
        "| metric | instrument | unit | attributes | meaning | needs |\n|---|---|---|---|---|---|\n",
    );
    let gated = CATALOGUE.iter().filter_map(|definition| Some((definition, Gate::of(definition.metric)?)));
    for (definition, needs) in gated {
        let name = Namespace::TOKIO.metric(definition);
        let request = match definition.requirement {
            Requirement::Recommended => "",
            _ => "; on request",
        };
        let Definition { unit, description, .. } = definition;
        let _ = writeln!(
            table,
            "| `{name}` | {} | `{unit}` | {} | {description} | {needs}{request} |",
            instrument(definition),
            attributes(definition),
        );
    }
    table
}

fn instrument(definition: &Definition) -> &'static str {
    match definition.instrument {
        Instrument::Counter => "counter",
        Instrument::UpDownCounter => "up-down counter",
        Instrument::Gauge => "gauge",
        Instrument::Histogram => "histogram",
        other => panic!("how is {other:?} called?"),
    }
}

fn attributes(definition: &Definition) -> String {
    let mut attributes = Vec::new();
    if definition.level() == Level::Worker && definition.instrument != Instrument::Histogram {
        attributes.push("`tokio.worker.index`".to_owned());
    }
    if definition.level() == Level::TaskGroup {
        attributes.push(format!("`{}`", Namespace::TOKIO.attribute(Attribute::TaskGroup)));
    }
    if let Some(attribute) = definition.state_attribute() {
        attributes.push(format!(
            "`{}` = {}",
            Namespace::TOKIO.attribute(attribute),
            definition.states().join(", ")
        ));
    }
    attributes.join(", ")
}

/// `document` with the table between its markers replaced by the catalogue's; `None` where the
/// markers are missing.
#[must_use]
pub fn replace_in(document: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{}{END}{after}", metrics()))
}
