//! The resource of a service, as Prometheus shows it: `job` and `instance`.

use std::collections::BTreeSet;

use opentelemetry_otlp::{MetricExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{SdkMeterProvider, Temporality};
use worker_metrics::Pool;
use worker_metrics_otel::{Instrumentation, Protocol as OtlpProtocol};

use crate::collector::Collector;
use crate::peers::peers;
use crate::process::in_a_process;
use crate::prometheus::Prometheus;
use crate::service::Protocol;
use crate::wait::until;

const ENDPOINT: &str = "COLLECTOR_TESTS_ENDPOINT";
const IN_CODE: &str = "COLLECTOR_TESTS_RESOURCE_IN_CODE";
const POOL: &str = "COLLECTOR_TESTS_POOL";

/// Of both ways of the service below: one metric is a number, the other a histogram.
const METRICS: [&str; 2] = ["worker_pool_worker_polls_total", "worker_pool_task_poll_duration_seconds_count"];
const WAYS: [&str; 3] = ["apart", "together", "push"];

#[test]
fn numbers_and_histograms_have_one_job_and_instance_wherever_the_resource_is_given() {
    let peers = peers!("numbers_and_histograms_have_one_job_and_instance_wherever_the_resource_is_given");
    let prometheus = Prometheus::start(&peers);
    let gateway = Collector::gateway(&peers, prometheus.otlp_endpoint());
    let name = ("OTEL_SERVICE_NAME", "by-name");
    let attributes = (
        "OTEL_RESOURCE_ATTRIBUTES",
        "service.name=by-attributes,service.namespace=shop,service.instance.id=env-1",
    );
    let others = ("OTEL_RESOURCE_ATTRIBUTES", "service.namespace=shop,service.instance.id=env-1");
    type Case<'a> = (&'a str, bool, &'a [(&'a str, &'a str)], &'a str, Option<&'a str>);
    let cases: [Case<'_>; 5] = [
        ("code", true, &[], "in-code", Some("code-1")),
        ("attributes", false, &[attributes], "shop/by-attributes", Some("env-1")),
        ("environment", false, &[name, others], "shop/by-name", Some("env-1")),
        ("both", true, &[name, others], "shop/in-code", Some("code-1")),
        ("nowhere", false, &[], "unknown_service", None),
    ];
    for (case, in_code, environment, job, instance) in cases {
        let endpoint = gateway.endpoint(Protocol::Http);
        let in_code = if in_code { "yes" } else { "no" };
        let own = [(ENDPOINT, &*endpoint), (IN_CODE, in_code), (POOL, case)];
        in_a_process("resources::a_service", own.into_iter().chain(environment.iter().copied()));
        for way in WAYS {
            for metric in METRICS {
                let series = format!("{metric}{{worker_pool_name=\"{case} {way}\"}}");
                let found = until(&series, || {
                    let found = prometheus.query(&series);
                    if found.is_empty() { Err("nothing".to_owned()) } else { Ok(found) }
                });
                let label = |name: &str| -> BTreeSet<_> {
                    found.iter().map(|sample| sample.labels.get(name).map(String::as_str)).collect()
                };
                assert_eq!(label("instance"), BTreeSet::from([instance]), "{series}: {found:?}");
                let jobs = label("job");
                let is_expected =
                    jobs.iter().all(|found| found.is_some_and(|found| found.split(':').next() == Some(job)));
                assert!(jobs.len() == 1 && is_expected, "{series}: {found:?}");
            }
        }
    }
}

fn resource() -> Option<Resource> {
    (std::env::var(IN_CODE).unwrap() == "yes").then(|| {
        let instance = opentelemetry::KeyValue::new("service.instance.id", "code-1");
        Resource::builder().with_service_name("in-code").with_attribute(instance).build()
    })
}

/// One pool on each of the three ways that carry histograms.
#[test]
#[ignore = "the service of the test above, which starts it"]
fn a_service() {
    let endpoint = std::env::var(ENDPOINT).unwrap();
    for way in WAYS {
        let workers = Instrumentation::default();
        let otlp = || workers.otlp().with_endpoint(&endpoint).with_protocol(OtlpProtocol::HttpProtobuf);
        let provider = SdkMeterProvider::builder();
        let provider = resource().into_iter().fold(provider, |provider, it| provider.with_resource(it));
        let provider = match way {
            "apart" => {
                let exporter = MetricExporter::builder().with_http().with_endpoint(&endpoint);
                let exporter = exporter.with_temporality(Temporality::Cumulative).build().unwrap();
                Some(provider.with_periodic_exporter(exporter).build())
            }
            "together" => Some(provider.with_periodic_exporter(otlp().exporter().unwrap()).build()),
            _ => None,
        };
        if let Some(provider) = &provider {
            workers.register(provider);
        }
        let push = (way != "together")
            .then(|| resource().into_iter().fold(otlp(), |otlp, it| otlp.with_resource(it)).start().unwrap());

        let name = format!("{} {way}", std::env::var(POOL).unwrap());
        let config = worker_metrics::WorkerConfig::new()
            .with_poll_time_histogram(worker_metrics::histogram::Scale::preset());
        let (pool, mut batches) = Pool::builder(&name).workers(1).config(config).build().unwrap();
        let attached = workers.attach(pool).unwrap();
        batches[0].start_poll();
        batches[0].end_poll();
        batches[0].submit();
        provider.iter().for_each(|provider| provider.force_flush().unwrap());
        push.iter().for_each(|push| push.force_flush().unwrap());
        // What ends has no value in Prometheus any more: the source stays attached to the end of
        // the process.
        std::mem::forget((attached, push, provider));
    }
}
