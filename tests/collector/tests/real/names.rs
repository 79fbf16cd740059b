//! Names, labels and values in Prometheus are those that the source has, by the rule that the
//! documents state.

use std::collections::BTreeMap;

use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ResourceMetrics};
use tokio::runtime::Builder;
use worker_metrics_tokio::TokioRuntime;

use crate::collector::Collector;
use crate::peers::{deployed, peers};
use crate::prometheus::{Prometheus, Sample, close};
use crate::service::{JOB, Protocol, Service, To};
use crate::wait::until;

/// A translation of OTLP's names by Prometheus.
struct Translation {
    strategy: &'static str,
    separator: &'static str,
    seconds: &'static str,
    total: &'static str,
}

const DEFAULT: Translation = Translation {
    strategy: "UnderscoreEscapingWithSuffixes",
    separator: "_",
    seconds: "_seconds",
    total: "_total",
};
const NONE: Translation = Translation { strategy: "NoTranslation", separator: ".", seconds: "", total: "" };

impl Translation {
    fn metric(&self, name: &str, unit: &str, is_monotonic: bool) -> String {
        let seconds = if unit == "s" { self.seconds } else { "" };
        let total = if is_monotonic { self.total } else { "" };
        format!("{}{seconds}{total}", self.label(name))
    }

    fn label(&self, name: &str) -> String {
        name.replace('.', self.separator)
    }
}

/// A series: its labels, the name among them.
type Series = BTreeMap<String, String>;

/// What the SDK collected, as Prometheus should have it. Of what is measured in seconds, which goes
/// on between two collections, no value.
fn expected(
    collected: &ResourceMetrics,
    resource: &[(String, String)],
    translation: &Translation,
) -> BTreeMap<Series, Option<f64>> {
    let mut all = BTreeMap::new();
    for metric in collected.scope_metrics().flat_map(|scope| scope.metrics()) {
        let (is_monotonic, points) = match metric.data() {
            AggregatedMetrics::F64(data) => points(data, |value| value),
            AggregatedMetrics::U64(data) => points(data, |value| value as f64),
            AggregatedMetrics::I64(data) => points(data, |value| value as f64),
        };
        let name = translation.metric(metric.name(), metric.unit(), is_monotonic);
        for (attributes, value) in points {
            let mut labels: Series =
                attributes.into_iter().map(|(key, value)| (translation.label(&key), value)).collect();
            labels.extend(resource.iter().cloned());
            labels.insert("__name__".to_owned(), name.clone());
            all.insert(labels, (metric.unit() != "s").then_some(value));
        }
    }
    all
}

type Points = Vec<(Vec<(String, String)>, f64)>;

fn points<T: Copy>(data: &MetricData<T>, float: impl Fn(T) -> f64) -> (bool, Points) {
    let pairs = |attributes: &mut dyn Iterator<Item = &opentelemetry::KeyValue>| {
        attributes.map(|pair| (pair.key.to_string(), pair.value.to_string())).collect()
    };
    match data {
        MetricData::Gauge(gauge) => {
            (false, gauge.data_points().map(|it| (pairs(&mut it.attributes()), float(it.value()))).collect())
        }
        MetricData::Sum(sum) => (
            sum.is_monotonic(),
            sum.data_points().map(|it| (pairs(&mut it.attributes()), float(it.value()))).collect(),
        ),
        other => panic!("histograms do not go through the SDK: {}", std::any::type_name_of_val(other)),
    }
}

/// Why the two are not the same.
fn difference(expected: &BTreeMap<Series, Option<f64>>, found: &[Sample]) -> Result<(), String> {
    let found: BTreeMap<_, _> = found.iter().map(|sample| (&sample.labels, sample.value)).collect();
    for (series, value) in expected {
        match (found.get(series), value) {
            (None, _) => return Err(format!("{series:?} is missing")),
            (Some(found), Some(value)) if !close(*found, *value) => {
                return Err(format!("{series:?} is {found} in place of {value}"));
            }
            _ => {}
        }
    }
    match found.keys().find(|series| !expected.contains_key(**series)) {
        Some(series) => Err(format!("{series:?} is more than there should be")),
        None => Ok(()),
    }
}

/// All but histograms, with a Tokio runtime beside the pools. Returns what Prometheus has then.
fn assert_same(peers: &crate::peers::Peers, translation: &Translation, prometheus: &Prometheus) -> Service {
    let gateway = Collector::gateway(peers, prometheus.otlp_endpoint());
    let to = To::new(Protocol::Grpc, gateway.endpoint(Protocol::Grpc), Temporality::Cumulative);
    let mut service = Service::start(&to);
    let runtime = Builder::new_multi_thread().worker_threads(2).name("main").enable_all().build().unwrap();
    let _attachment = service.workers.attach(TokioRuntime::new(runtime.handle())).unwrap();
    service.work();
    runtime.block_on(async {
        for _ in 0..100 {
            tokio::spawn(tokio::task::yield_now()).await.unwrap();
        }
    });
    let mut resource =
        vec![("job".to_owned(), JOB.to_owned()), ("instance".to_owned(), service.instance.clone())];
    for (key, value) in
        [("service.name", "checkout"), ("service.namespace", "shop"), ("service.version", "1.2.3")]
    {
        resource.push((translation.label(key), value.to_owned()));
    }
    let histograms = ["task.poll", "task.schedule", "worker.stall"].map(|what| {
        let name = translation.label(&format!("{what}.duration"));
        format!(".+{name}{}.*", translation.seconds)
    });
    let query =
        format!("{{instance=\"{}\", __name__!~\"target_info|{}\"}}", service.instance, histograms.join("|"));
    until("the series of the source", || {
        service.deliver();
        let collected = service.collected.get_finished_metrics().unwrap();
        let expected = expected(collected.last().unwrap(), &resource, translation);
        assert!(expected.len() > 30, "{expected:?}");
        // What was taken is a moment under way.
        until_stable(|| difference(&expected, &prometheus.query(&query)))
    });
    let info = prometheus.query(&format!("target_info{{instance=\"{}\"}}", service.instance));
    assert_eq!(info[0].labels[&translation.label("host.name")], "somewhere");
    assert_eq!(gateway.log().matches("deprecated").count(), 0, "{}", gateway.log());
    service
}

/// Asks some times before the answer counts.
fn until_stable(mut ask: impl FnMut() -> Result<(), String>) -> Result<(), String> {
    let mut last = ask();
    for _ in 0..40 {
        if last.is_ok() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
        last = ask();
    }
    last
}

#[test]
fn names_labels_and_values_in_prometheus_are_those_of_the_source() {
    let peers = peers!("names_labels_and_values_in_prometheus_are_those_of_the_source");
    let prometheus = Prometheus::start(&peers);
    let service = assert_same(&peers, &DEFAULT, &prometheus);

    let document = std::fs::read_to_string(deployed("../docs/metrics.md")).unwrap();
    let (_, section) = document.split_once("## Prometheus").unwrap();
    let named: Vec<_> = section.split('`').filter(|quoted| quoted.starts_with("tokio_")).collect();
    assert!(named.len() >= 5, "{named:?}");
    for name in named {
        let query = format!("count({name}{{instance=\"{}\"}})", service.instance);
        assert!(prometheus.value(&query).is_some_and(|series| series >= 1.0), "{name} has no series");
    }
}

#[test]
fn without_translation_the_names_are_those_of_opentelemetry() {
    let peers = peers!("without_translation_the_names_are_those_of_opentelemetry");
    let prometheus = Prometheus::translating(&peers, NONE.strategy);
    assert_same(&peers, &NONE, &prometheus);
    assert_eq!(DEFAULT.strategy, "UnderscoreEscapingWithSuffixes");
}
