//! Queries in PromQL, written with the catalogue's names.

use worker_metrics::{Attribute, Definition};

use crate::prometheus;

/// One query of a panel.
#[derive(Clone, Debug)]
pub struct Query {
    /// The query in PromQL.
    pub expr: String,
    /// How each of its series is called.
    pub legend: String,
    /// The metrics in it.
    pub metrics: Vec<&'static Definition>,
}

impl Query {
    /// A query from a template, in which `<worker.parks>` is the metric, for the chosen services,
    /// instances and runtimes, and `<worker.count tokio_worker_state="busy">` the same with more
    /// matchers. `BY` is what tells runtimes apart.
    ///
    /// # Panics
    ///
    /// If a name is not in the catalogue.
    #[must_use]
    pub fn new(template: &str, legend: &str) -> Self {
        let mut query = Self { expr: String::new(), legend: legend.to_owned(), metrics: Vec::new() };
        let template = template.replace("BY", &runtime_labels().join(", "));
        let mut rest = template.as_str();
        while let Some((before, after)) = rest.split_once('<') {
            query.expr.push_str(before);
            let (name, after) = after.split_once('>').expect("a name ends with >");
            let (suffix, matchers) = name.split_once(' ').unwrap_or((name, ""));
            let definition = find(suffix);
            query.expr.push_str(&select(&prometheus::metric(definition), matchers));
            query.metrics.push(definition);
            rest = after;
        }
        query.expr.push_str(rest);
        query
    }

    /// A quantile of a histogram for each of `by`, from classic buckets or from native ones,
    /// whichever there are.
    #[must_use]
    pub fn quantile(quantile: f64, suffix: &str, by: &[String], legend: &str) -> Self {
        let of = |name: &str, by: &str| {
            format!(
                "histogram_quantile({quantile}, sum by ({by}) (rate({}[$__rate_interval])))",
                select(name, "")
            )
        };
        Self::classic_or_native(suffix, legend, by, of)
    }

    /// What a heatmap shows of a histogram.
    #[must_use]
    pub fn heatmap(suffix: &str) -> Self {
        let of = |name: &str, by: &str| {
            let by = if by.is_empty() { String::new() } else { format!(" by ({by})") };
            format!("sum{by} (increase({}[$__rate_interval]))", select(name, ""))
        };
        Self::classic_or_native(suffix, "{{le}}", &[], of)
    }

    /// How many values a histogram counts each second.
    #[must_use]
    pub fn counted(suffix: &str, by: &[String], legend: &str) -> Self {
        let definition = find(suffix);
        let native = prometheus::metric(definition);
        let by = by.join(", ");
        let classic =
            format!("sum by ({by}) (rate({}[$__rate_interval]))", select(&format!("{native}_count"), ""));
        let native =
            format!("histogram_count(sum by ({by}) (rate({}[$__rate_interval])))", select(&native, ""));
        Self { expr: format!("{classic} or {native}"), legend: legend.to_owned(), metrics: vec![definition] }
    }

    fn classic_or_native(
        suffix: &str,
        legend: &str,
        by: &[String],
        of: impl Fn(&str, &str) -> String,
    ) -> Self {
        let definition = find(suffix);
        let native = prometheus::metric(definition);
        let with_buckets = [by, &["le".to_owned()]].concat().join(", ");
        let expr =
            format!("{} or {}", of(&format!("{native}_bucket"), &with_buckets), of(&native, &by.join(", ")));
        Self { expr, legend: legend.to_owned(), metrics: vec![definition] }
    }

    /// The largest of what it has.
    #[must_use]
    pub fn largest(mut self) -> Self {
        self.expr = format!("max({})", self.expr);
        self
    }
}

/// The labels that tell runtimes apart.
#[must_use]
pub fn runtime_labels() -> Vec<String> {
    let mut labels = vec!["job".to_owned(), "instance".to_owned()];
    labels.extend([Attribute::Name, Attribute::Id].map(prometheus::label));
    labels
}

/// Those that tell the groups of tasks of a runtime apart.
#[must_use]
pub fn group_labels() -> Vec<String> {
    let mut labels = runtime_labels();
    labels.push(prometheus::label(Attribute::TaskGroup));
    labels
}

/// The label that tells the causes of stalls apart.
#[must_use]
pub fn cause_labels() -> Vec<String> {
    vec![prometheus::label(Attribute::StallCause)]
}

fn find(suffix: &str) -> &'static Definition {
    Definition::find(suffix).expect("the board names rows of the catalogue")
}

fn select(name: &str, matchers: &str) -> String {
    let runtime = prometheus::label(Attribute::Name);
    let comma = if matchers.is_empty() { "" } else { "," };
    format!(r#"{name}{{job=~"$job",instance=~"$instance",{runtime}=~"$runtime"{comma}{matchers}}}"#)
}
