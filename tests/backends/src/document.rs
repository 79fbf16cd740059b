//! The tables of the documents, from the data.
//!
//! Markers in a document say where a table begins and ends; what is between them is replaced.

use std::fmt::Write as _;

use opentelemetry_sdk::metrics::Temporality;
use worker_metrics_otel::Protocol;

use crate::backend::{Backend, Limit, Rule, Settings, Standing};
use crate::backends::{BACKENDS, COMMON};

/// Where the table of this name begins.
#[must_use]
pub fn begin(name: &str) -> String {
    format!("<!-- {name}: made by UPDATE=1 cargo test -p backends -->\n")
}

/// Where it ends.
#[must_use]
pub fn end(name: &str) -> String {
    format!("<!-- end of {name} -->\n")
}

/// The text between the markers of this name; `None` where they are missing.
#[must_use]
pub fn between<'a>(document: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = document.split_once(&begin(name))?;
    Some(rest.split_once(&end(name))?.0)
}

/// `document` with another text between the markers of this name; `None` where they are missing.
#[must_use]
pub fn replace(document: &str, name: &str, text: &str) -> Option<String> {
    let (begin, end) = (begin(name), end(name));
    let (before, rest) = document.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}{text}{end}{after}"))
}

/// The index of the backends.
#[must_use]
pub fn index() -> String {
    let mut table = String::from(
        "| backend | direct | set | the collector's exporter: least distribution | what bites |\n|---|---|---|---|---|\n",
    );
    for backend in BACKENDS {
        let Backend { name, file, collector, bites, .. } = backend;
        let direct = if backend.direct { "yes" } else { "no" };
        let _ = writeln!(
            table,
            "| [{name}]({file}.md) | {direct} | {} | [{collector}]({file}.yaml) | {bites} |",
            settings(backend.settings)
        );
    }
    table
}

/// Every limit with its source.
#[must_use]
pub fn limits() -> String {
    let mut table = String::from("| backend | limit | source | |\n|---|---|---|---|\n");
    let mut row = |name: &str, limit: &Limit| {
        let standing = match limit.standing {
            Standing::Read => "",
            Standing::Unsure => "**check with the vendor**",
        };
        let _ = writeln!(table, "| {name} | {} | {} | {standing} |", rule(limit.rule), limit.source);
    };
    COMMON.iter().for_each(|limit| row("all", limit));
    BACKENDS.iter().for_each(|backend| backend.limits.iter().for_each(|limit| row(backend.name, limit)));
    table
}

fn settings(settings: Settings) -> String {
    let mut set = Vec::new();
    if settings.protocol != Settings::DEFAULT.protocol {
        set.push("`grpc`".to_owned());
    }
    if settings.temporality != Settings::DEFAULT.temporality {
        set.push("delta".to_owned());
    }
    if let Some(max_buckets) = settings.max_buckets {
        set.push(format!("`with_max_buckets({max_buckets})`"));
    }
    if set.is_empty() { "nothing".to_owned() } else { set.join(", ") }
}

fn rule(rule: Rule) -> String {
    match rule {
        Rule::Protocols(taken) => {
            let names = taken.iter().map(|protocol| match protocol {
                Protocol::Grpc => "gRPC",
                _ => "HTTP/protobuf",
            });
            names.collect::<Vec<_>>().join(" or ")
        }
        Rule::Temporalities(taken) => format!("counters and histograms: {}", temporalities(taken)),
        Rule::Exponential([]) => "no exponential histograms".to_owned(),
        Rule::Exponential(taken) => format!("exponential histograms: {}", temporalities(taken)),
        Rule::Buckets(most) => format!("{} buckets", grouped(most)),
        Rule::Points(most) => format!("{} points a request", grouped(most)),
        Rule::Bytes(most) => format!("{} bytes a request", grouped(most)),
        Rule::Attributes(most) => format!("{} attributes a point", grouped(most)),
        Rule::KeyLength(most) => format!("keys of {} characters", grouped(most)),
        Rule::ValueLength(most) => format!("values of {} characters", grouped(most)),
        Rule::MetricName(beside) => format!("metric names: ASCII letters, digits, `{beside}`"),
        Rule::AttributeName(beside) => format!("keys: ASCII letters, digits, `{beside}`"),
        Rule::Bounds => "bounds ascend strictly and are finite".to_owned(),
        Rule::Sum => "histograms have a sum".to_owned(),
        Rule::NoMinMax => "histograms have no min and no max".to_owned(),
        Rule::Instance => "`service.instance.id` is set".to_owned(),
    }
}

fn temporalities(taken: &[Temporality]) -> String {
    let names = taken.iter().map(|temporality| format!("{temporality:?}").to_lowercase());
    names.collect::<Vec<_>>().join(" or ")
}

/// With a comma after each three digits.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
