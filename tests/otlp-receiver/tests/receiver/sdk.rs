//! What the SDK's own exporters send is what the receiver shows.

use opentelemetry::{KeyValue, metrics::MeterProvider};
use opentelemetry_otlp::Compression;
use opentelemetry_sdk::metrics::Temporality;
use otlp_receiver::{Document, MetricType, Number, Protocol, Receiver};

use crate::peer::{BOTH, Options, Pipeline};

/// Records one measurement on an instrument of each kind.
fn record(pipeline: &Pipeline, times: u64) {
    let meter = pipeline.provider.meter("test");
    let counter = meter.u64_counter("test.counter").with_unit("{poll}").with_description("Polls.").build();
    let up_down = meter.f64_up_down_counter("test.up_down").build();
    let gauge = meter.f64_gauge("test.gauge").build();
    let histogram = meter.f64_histogram("test.histogram").with_boundaries(vec![0.5, 1.0]).build();
    let exponential = meter.f64_histogram("test.exponential").build();
    for _ in 0..times {
        counter.add(2, &[KeyValue::new("worker", 1)]);
        up_down.add(-0.5, &[]);
        gauge.record(0.25, &[]);
        histogram.record(0.75, &[]);
        exponential.record(3.0, &[]);
    }
}

fn number(document: &Document, name: &str) -> Number {
    let metric = document.metric(name).unwrap();
    assert_eq!(metric.points.len(), 1, "{name} has one series");
    metric.points[0].value().unwrap()
}

/// Checks what is true after `record` was called for `times` measurements in all.
fn check(document: &Document, times: u64, temporality: otlp_receiver::Temporality) {
    assert_eq!(
        serde_json::to_value(&document.resource).unwrap(),
        serde_json::json!({"service.name": "peer"})
    );
    let names: Vec<_> = document.metrics.iter().map(|metric| metric.name.as_str()).collect();
    let all = ["test.counter", "test.exponential", "test.gauge", "test.histogram", "test.up_down"];
    assert_eq!(names, all);

    let counter = document.metric("test.counter").unwrap();
    assert_eq!((counter.unit.as_str(), counter.description.as_str()), ("{poll}", "Polls."));
    assert_eq!((counter.kind, counter.monotonic), (MetricType::Sum, Some(true)));
    assert_eq!(counter.temporality, Some(temporality));
    let total = i64::try_from(2 * times).unwrap();
    assert_eq!(counter.point(&[("worker", "1")]).unwrap().value(), Some(Number::Int(total)));

    let up_down = document.metric("test.up_down").unwrap();
    assert_eq!((up_down.kind, up_down.monotonic), (MetricType::Sum, Some(false)));
    // The SDK exports up-down counters cumulatively whatever is preferred, as the specification
    // wants.
    assert_eq!(up_down.temporality, Some(otlp_receiver::Temporality::Cumulative));
    assert!((number(document, "test.up_down").as_f64() + 0.5 * times as f64).abs() < 1e-9);

    let gauge = document.metric("test.gauge").unwrap();
    assert_eq!((gauge.kind, gauge.monotonic, gauge.temporality), (MetricType::Gauge, None, None));
    assert_eq!(number(document, "test.gauge"), Number::Double(0.25));

    let histogram = document.metric("test.histogram").unwrap();
    assert_eq!((histogram.kind, histogram.monotonic), (MetricType::Histogram, None));
    assert_eq!(histogram.temporality, Some(temporality));
    let counts = histogram.points[0].histogram().unwrap();
    assert_eq!((counts.count, &counts.bounds[..]), (times, &[0.5, 1.0][..]));
    assert_eq!(counts.bucket_counts, [0, times, 0]);
    assert!((counts.sum.unwrap() - 0.75 * times as f64).abs() < 1e-9);

    let exponential = document.metric("test.exponential").unwrap();
    assert_eq!(exponential.kind, MetricType::ExponentialHistogram);
    let counts = exponential.points[0].exponential_histogram().unwrap();
    assert_eq!((counts.count, counts.positive.bucket_counts.iter().sum()), (times, times));
    assert!((counts.sum.unwrap() - 3.0 * times as f64).abs() < 1e-9);
}

#[test]
fn a_cumulative_series_shows_its_last_point() {
    for protocol in BOTH {
        let receiver = Receiver::start().unwrap();
        let pipeline = Pipeline::new(&receiver, Options::new(protocol));
        record(&pipeline, 1);
        pipeline.export().unwrap();
        check(&receiver.snapshot(), 1, otlp_receiver::Temporality::Cumulative);
        record(&pipeline, 2);
        pipeline.export().unwrap();
        check(&receiver.snapshot(), 3, otlp_receiver::Temporality::Cumulative);
        assert_eq!((receiver.snapshot().exports, receiver.exports(), receiver.attempts()), (2, 2, 2));
    }
}

#[test]
fn deltas_add_up_to_everything_that_was_received() {
    for protocol in BOTH {
        let receiver = Receiver::builder().keep_requests(true).start().unwrap();
        let delta = Options { temporality: Temporality::Delta, ..Options::new(protocol) };
        let pipeline = Pipeline::new(&receiver, delta);
        record(&pipeline, 1);
        pipeline.export().unwrap();
        let first = receiver.snapshot();
        check(&first, 1, otlp_receiver::Temporality::Delta);
        record(&pipeline, 2);
        pipeline.export().unwrap();
        let second = receiver.snapshot();
        check(&second, 3, otlp_receiver::Temporality::Delta);

        let times = |document: &Document| {
            let point = document.metric("test.counter").unwrap().points[0].clone();
            (point.start_time_unix_nano, point.time_unix_nano)
        };
        assert_eq!(times(&first).0, times(&second).0, "the total starts with the first delta");
        assert!(times(&first).1 < times(&second).1, "the total ends with the last delta");
        assert_eq!(receiver.requests().len(), 2);
    }
}

#[test]
fn every_compression_is_accepted_and_noted() {
    for protocol in BOTH {
        let sent = |compression| {
            let receiver = Receiver::start().unwrap();
            let pipeline = Pipeline::new(&receiver, Options { compression, ..Options::new(protocol) });
            let meter = pipeline.provider.meter("test");
            let counter = meter.u64_counter("test.counter").build();
            for worker in 0..50 {
                counter.add(1, &[KeyValue::new("worker", worker)]);
            }
            pipeline.export().unwrap();
            assert_eq!(receiver.snapshot().metric("test.counter").unwrap().points.len(), 50);
            let transport = receiver.last_transport().unwrap();
            assert_eq!(transport.protocol, protocol);
            (transport.content_encoding, transport.body_size)
        };
        let (plain, plain_size) = sent(None);
        let (gzip, gzip_size) = sent(Some(Compression::Gzip));
        let (zstd, zstd_size) = sent(Some(Compression::Zstd));
        assert_eq!(plain, None);
        assert_eq!((gzip.as_deref(), zstd.as_deref()), (Some("gzip"), Some("zstd")));
        assert!(gzip_size < plain_size / 2, "{gzip_size} of {plain_size}");
        assert!(zstd_size < plain_size / 2, "{zstd_size} of {plain_size}");
    }
}

#[test]
fn headers_are_noted_with_names_in_lower_case() {
    use opentelemetry_otlp::{MetricExporter, WithExportConfig, WithHttpConfig, WithTonicConfig};
    use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};

    let receiver = Receiver::start().unwrap();
    let runtime = crate::peer::runtime();
    let entered = runtime.enter();
    let mut metadata = tonic::metadata::MetadataMap::new();
    metadata.insert("authorization", "Bearer grpc".parse().unwrap());
    let grpc = MetricExporter::builder()
        .with_tonic()
        .with_endpoint(receiver.grpc_endpoint())
        .with_metadata(metadata)
        .build()
        .unwrap();
    drop(entered);
    let http = MetricExporter::builder()
        .with_http()
        .with_endpoint(receiver.http_endpoint())
        .with_http_client(crate::peer::http_client(crate::peer::LONG))
        .with_headers([("Authorization".to_owned(), "Bearer http".to_owned())].into())
        .build()
        .unwrap();
    let paths = ["/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", "/v1/metrics"];
    for ((exporter, protocol), path) in [grpc, http].into_iter().zip(BOTH).zip(paths) {
        let provider =
            SdkMeterProvider::builder().with_reader(PeriodicReader::builder(exporter).build()).build();
        provider.meter("test").u64_counter("test.counter").build().add(1, &[]);
        provider.force_flush().unwrap();
        let transport = receiver.last_transport().unwrap();
        let expected = match protocol {
            Protocol::Grpc => "Bearer grpc",
            Protocol::Http => "Bearer http",
        };
        assert_eq!((transport.protocol, transport.path.as_str()), (protocol, path));
        assert!(transport.headers.contains(&("authorization".to_owned(), expected.to_owned())));
        assert_eq!(transport.header("Authorization"), Some(expected));
        assert!(
            transport.header("user-agent").is_some_and(|agent| agent.starts_with("OTel-OTLP-Exporter-Rust"))
        );
    }
}
