//! Whole requests of a real Tokio runtime and a pool of 64 workers, as each backend would get them.

use backends::backend::{Backend, Rule, Settings};
use backends::backends::BACKENDS;
use backends::check::{keys, metrics, points, violations};
use backends::process::{Level, Process};
use opentelemetry_sdk::metrics::Temporality;
use tokio::runtime::Builder;
use worker_metrics::histogram::Scale;
use worker_metrics_otel::{Detail, Histograms, Protocol};
use worker_metrics_tokio::{RuntimeBuilderExt, TaskMetrics, TokioRuntime};

const EVERYTHING: Level = Level { detail: Detail::Worker, histograms: Histograms::Worker };
const RESOURCE: [(&str, &str); 2] = [("service.name", "checkout"), ("service.instance.id", "one")];

fn explicit() -> Scale {
    Scale::preset()
}

fn exponential() -> Scale {
    Scale::exponential(2, Scale::PRESET_MIN, Scale::PRESET_MAX).unwrap()
}

type Requests = Vec<opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest>;

/// Two exports of a process: a Tokio runtime that has worked, and a pool of 64 workers with every
/// bucket filled.
fn requests(settings: Settings, scale: &Scale, resource: &[(&'static str, &str)]) -> Requests {
    let tasks = TaskMetrics::builder().build().unwrap();
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .name("main")
        .enable_all()
        .measure_tasks(&tasks)
        .build()
        .unwrap();
    let mut process = Process::start(settings, EVERYTHING, resource);
    let source = TokioRuntime::new(runtime.handle()).with_tasks(&tasks);
    process.keep(process.workers().attach(source).unwrap());
    runtime.block_on(async {
        for _ in 0..50 {
            tokio::spawn(async {}).await.unwrap();
        }
    });
    let mut batches = process.attach_pool("render", scale, 64);
    let mut requests = process.export();
    for batch in &mut batches {
        batch.start_poll();
        batch.end_poll();
        batch.submit();
    }
    requests.extend(process.export());
    assert_eq!(requests.len(), 4, "the SDK's half and that of the histograms, twice");
    requests
}

fn broken(backend: &Backend, settings: Settings, requests: &Requests) -> Vec<Rule> {
    violations(backend, settings.protocol, requests).iter().map(|violation| violation.rule).collect()
}

fn takes_exponential(backend: &Backend) -> bool {
    !backend.limits.iter().any(|limit| limit.rule == Rule::Exponential(&[]))
}

#[test]
fn what_the_documented_settings_send_is_taken_by_every_backend() {
    for scale in [explicit(), exponential()] {
        // Backends with the same settings look at the same requests.
        let mut sent: Vec<(Settings, Requests)> = Vec::new();
        for backend in BACKENDS {
            if scale.as_exponential().is_some() && !takes_exponential(backend) {
                continue;
            }
            let settings = backend.settings;
            if !sent.iter().any(|(of, _)| *of == settings) {
                sent.push((settings, requests(settings, &scale, &RESOURCE)));
            }
            let (_, requests) = sent.iter().find(|(of, _)| *of == settings).unwrap();
            let violations = violations(backend, settings.protocol, requests);
            assert!(violations.is_empty(), "{}: {violations:#?}", backend.name);
        }
    }
}

#[test]
fn the_default_is_refused_by_those_alone_that_take_deltas_only() {
    let requests = requests(Settings::DEFAULT, &explicit(), &RESOURCE);
    let refuses = |backend: &&Backend| !broken(backend, Settings::DEFAULT, &requests).is_empty();
    let refused: Vec<_> = BACKENDS.iter().filter(refuses).collect();
    let names: Vec<_> = refused.iter().map(|backend| backend.name).collect();
    assert_eq!(names, ["Datadog", "Dynatrace", "Elastic", "Splunk Observability"]);
    for backend in refused {
        let broken = broken(backend, Settings::DEFAULT, &requests);
        assert_eq!(broken, [Rule::Temporalities(&[Temporality::Delta])], "{}", backend.name);
    }
}

#[test]
fn grpc_is_refused_where_the_documents_say_so() {
    let grpc = Settings { protocol: Protocol::Grpc, ..Settings::DEFAULT };
    let requests = requests(grpc, &explicit(), &RESOURCE);
    let refuses = |backend: &&Backend| {
        violations(backend, grpc.protocol, &requests)
            .iter()
            .any(|violation| matches!(violation.rule, Rule::Protocols(_)))
    };
    let names: Vec<_> = BACKENDS.iter().filter(refuses).map(|backend| backend.name).collect();
    assert_eq!(
        names,
        [
            "Datadog",
            "Grafana Cloud",
            "Dynatrace",
            "Splunk Observability",
            "CloudWatch",
            "Azure Monitor",
            "VictoriaMetrics",
            "Axiom"
        ]
    );
}

#[test]
fn an_exponential_histogram_of_many_buckets_is_lowered_where_a_backend_limits_them() {
    let splunk = BACKENDS.iter().find(|backend| backend.file == "splunk").unwrap();
    let plain = requests(Settings::DELTA, &exponential(), &RESOURCE);
    assert_eq!(broken(splunk, Settings::DELTA, &plain), [Rule::Exponential(&[]), Rule::Buckets(30)]);
    let lowered = requests(splunk.settings, &exponential(), &RESOURCE);
    assert_eq!(broken(splunk, splunk.settings, &lowered), [Rule::Exponential(&[])]);
}

#[test]
fn a_process_without_an_instance_is_found() {
    let requests = requests(Settings::DEFAULT, &explicit(), &[("service.name", "checkout")]);
    for backend in BACKENDS {
        let found = violations(backend, Settings::DEFAULT.protocol, &requests);
        assert!(found.iter().any(|violation| violation.rule == Rule::Instance), "{}", backend.name);
    }
}

#[test]
fn the_payloads_hold_both_halves_of_both_sources() {
    let requests = requests(Settings::DEFAULT, &explicit(), &RESOURCE);
    let names: Vec<_> = requests.iter().flat_map(metrics).map(|metric| metric.name.as_str()).collect();
    for name in [
        "tokio.worker.time",
        "tokio.task.poll.duration",
        "worker_pool.worker.time",
        "worker_pool.task.poll.duration",
        "worker_pool.task.schedule.duration",
    ] {
        assert_eq!(names.iter().filter(|found| **found == name).count(), 2, "{name}");
    }
    assert!(requests.iter().any(|request| keys(request).contains("worker_pool.worker.index")));
    assert!(requests.iter().map(points).sum::<usize>() > 2 * 64 * 10);
}
