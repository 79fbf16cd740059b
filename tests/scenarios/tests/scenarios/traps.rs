//! Traps that the documents warn of.

use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData};
use opentelemetry_sdk::metrics::{
    InMemoryMetricExporter, Instrument, PeriodicReader, SdkMeterProvider, Stream,
};
use scenarios::{DURATION, POLLS, counted, poll, pool, receiver};
use worker_metrics_otel::{Detail, Instrumentation, Options};

/// The values of a counter after a flush.
fn values(provider: &SdkMeterProvider, exporter: &InMemoryMetricExporter, name: &str) -> Vec<u64> {
    exporter.reset();
    provider.force_flush().unwrap();
    let exported = exporter.get_finished_metrics().unwrap();
    let scopes = exported.iter().flat_map(|resource| resource.scope_metrics());
    let metrics = scopes.flat_map(|scope| scope.metrics()).filter(|metric| metric.name() == name);
    metrics
        .flat_map(|metric| match metric.data() {
            AggregatedMetrics::U64(MetricData::Sum(sum)) => {
                sum.data_points().map(|point| point.value()).collect()
            }
            _ => Vec::new(),
        })
        .collect()
}

#[test]
fn a_view_that_drops_the_index_keeps_one_worker_and_the_detail_of_the_runtime_keeps_all() {
    let drops_the_index = |instrument: &Instrument| {
        let stream =
            Stream::builder().with_allowed_attribute_keys([opentelemetry::Key::from("worker_pool.name")]);
        (instrument.name() == POLLS).then(|| stream.build().expect("the stream is well-formed"))
    };
    for (detail, expected) in [(Detail::Worker, 1_000), (Detail::Runtime, 1_111)] {
        let exporter = InMemoryMetricExporter::default();
        let reader = PeriodicReader::builder(exporter.clone()).build();
        let provider = SdkMeterProvider::builder().with_reader(reader).with_view(drops_the_index).build();
        let workers = Instrumentation::new(Options::default().with_worker_detail(detail));
        workers.register(&provider);
        let (pool, mut batches) = pool("render", 4);
        let _attached = workers.attach(pool).unwrap();
        for (batch, times) in batches.iter_mut().zip([1, 10, 100, 1_000]) {
            poll(std::slice::from_mut(batch), times);
        }
        assert_eq!(values(&provider, &exporter, POLLS), [expected], "{detail:?}");
    }
}

#[test]
fn a_global_meter_that_was_taken_too_early_shows_in_the_status() {
    let workers = Instrumentation::default();
    // Nobody has set the global provider yet: its meters do nothing, then and later.
    workers.register(&*opentelemetry::global::meter_provider());
    let (pool, _batches) = pool("render", 1);
    let _attached = workers.attach(pool).unwrap();
    let status = workers.status();
    assert_eq!((status.meters[0].collections, status.meters[0].has_instruments), (0, true));
    assert!(status.to_string().contains("meter: 0 collections"), "{status}");
}

#[test]
fn last_values_are_exported_also_when_the_instrumentation_is_gone() {
    let receiver = receiver().start().unwrap();
    let exporter = InMemoryMetricExporter::default();
    let provider =
        SdkMeterProvider::builder().with_reader(PeriodicReader::builder(exporter.clone()).build()).build();
    let workers = Instrumentation::default();
    workers.register(&provider);
    let push = workers.otlp().with_endpoint(receiver.http_endpoint()).start().unwrap();
    let (pool, mut batches) = pool("render", 1);
    let attached = workers.attach(pool).unwrap();
    poll(&mut batches, 7);
    drop((attached, workers));
    assert_eq!(values(&provider, &exporter, POLLS), [7]);
    assert_eq!(values(&provider, &exporter, POLLS), [0; 0]);
    push.shutdown().unwrap();
    assert_eq!(counted(&receiver, DURATION), 7);
}

#[test]
fn a_push_that_is_made_again_repeats_nothing() {
    for temporality in [opentelemetry_sdk::metrics::Temporality::Delta, Default::default()] {
        let receiver = receiver().start().unwrap();
        let workers = Instrumentation::default();
        let start = || {
            let otlp = workers.otlp().with_endpoint(receiver.grpc_endpoint()).with_temporality(temporality);
            otlp.with_protocol(worker_metrics_otel::Protocol::Grpc).start().unwrap()
        };
        let (pool, mut batches) = pool("render", 2);
        let attached = workers.attach(pool).unwrap();
        for _ in 0..3 {
            let push = start();
            poll(&mut batches, 10);
            push.force_flush().unwrap();
            poll(&mut batches, 10);
            push.shutdown().unwrap();
            poll(&mut batches, 10);
        }
        drop(attached);
        start().shutdown().unwrap();
        for metric in [POLLS, DURATION] {
            assert_eq!(counted(&receiver, metric), 2 * 90, "{metric} {temporality:?}");
        }
        assert_eq!(receiver.violations(), [], "{temporality:?}");
    }
}

#[test]
fn a_meter_of_an_own_provider_is_beside_ours() {
    let exporter = InMemoryMetricExporter::default();
    let provider =
        SdkMeterProvider::builder().with_reader(PeriodicReader::builder(exporter.clone()).build()).build();
    provider.meter("own").u64_counter("requests").build().add(1, &[]);
    let workers = Instrumentation::default();
    workers.register(&provider);
    let (pool, _batches) = pool("render", 1);
    let _attached = workers.attach(pool).unwrap();
    assert_eq!(values(&provider, &exporter, "requests"), [1]);
    let exported = exporter.get_finished_metrics().unwrap();
    let scopes = exported.iter().flat_map(|resource| resource.scope_metrics());
    let mut names: Vec<_> = scopes.map(|scope| scope.scope().name().to_owned()).collect();
    names.sort();
    assert_eq!(names, ["own", "worker-metrics-otel"]);
}
