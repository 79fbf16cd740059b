//! The ways out: A, a push of its own; B, an exporter for the program's provider; C, observable
//! instruments.

use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::metrics::{SdkMeterProvider, Temporality};
use otlp_receiver::Receiver;
use scenarios::{DURATION, POLLS, counted, poll, pool, receiver};
use worker_metrics_otel::{Instrumentation, Otlp, Protocol};

fn endpoint(receiver: &Receiver, protocol: Protocol) -> String {
    match protocol {
        Protocol::Grpc => receiver.grpc_endpoint(),
        _ => receiver.http_endpoint(),
    }
}

fn otlp(workers: &Instrumentation, receiver: &Receiver, protocol: Protocol) -> Otlp {
    workers.otlp().with_endpoint(endpoint(receiver, protocol)).with_protocol(protocol)
}

const PROTOCOLS: [Protocol; 2] = [Protocol::Grpc, Protocol::HttpProtobuf];
const TEMPORALITIES: [Temporality; 3] = [Temporality::Cumulative, Temporality::Delta, Temporality::LowMemory];

#[test]
fn a_push_alone_exports_everything() {
    for protocol in PROTOCOLS {
        for temporality in TEMPORALITIES {
            let receiver = receiver().start().unwrap();
            let workers = Instrumentation::default();
            let push = otlp(&workers, &receiver, protocol).with_temporality(temporality).start().unwrap();
            let (pool, mut batches) = pool("render", 2);
            poll(&mut batches, 50);
            let attached = workers.attach(pool).unwrap();
            for _ in 0..3 {
                poll(&mut batches, 100);
                push.force_flush().unwrap();
            }
            poll(&mut batches, 100);
            drop(attached);
            push.shutdown().unwrap();
            assert_eq!(counted(&receiver, DURATION), 800, "{protocol} {temporality:?}");
            assert_eq!(counted(&receiver, POLLS), 800, "{protocol} {temporality:?}");
            assert_eq!(receiver.violations(), [], "{protocol} {temporality:?}");
            assert!(receiver.series(POLLS).iter().all(|series| series.has_ended()));
            assert!(receiver.series(DURATION).iter().all(|series| series.has_ended()));
        }
    }
}

#[test]
fn an_exporter_exports_the_program_s_own_and_ours_in_one_request() {
    use opentelemetry::metrics::MeterProvider;
    for protocol in PROTOCOLS {
        for temporality in TEMPORALITIES {
            let receiver = receiver().start().unwrap();
            let workers = Instrumentation::default();
            let exporter =
                otlp(&workers, &receiver, protocol).with_temporality(temporality).exporter().unwrap();
            let provider = SdkMeterProvider::builder().with_periodic_exporter(exporter).build();
            workers.register(&provider);
            let own = provider.meter("own").u64_counter("requests").build();
            let (pool, mut batches) = pool("render", 2);
            poll(&mut batches, 50);
            let attached = workers.attach(pool).unwrap();
            for _ in 0..3 {
                own.add(1, &[]);
                poll(&mut batches, 100);
                provider.force_flush().unwrap();
            }
            assert_eq!(receiver.attempts(), 3);
            poll(&mut batches, 100);
            drop(attached);
            provider.shutdown().unwrap();
            assert_eq!(counted(&receiver, "requests"), 3);
            assert_eq!(counted(&receiver, DURATION), 800, "{protocol} {temporality:?}");
            assert_eq!(counted(&receiver, POLLS), 800, "{protocol} {temporality:?}");
        }
    }
}

#[test]
fn instruments_and_a_push_share_the_rows() {
    for protocol in PROTOCOLS {
        let receiver = receiver().start().unwrap();
        let exporter = opentelemetry_otlp::MetricExporter::builder()
            .with_http()
            .with_endpoint(receiver.http_endpoint())
            .build()
            .unwrap();
        let provider = SdkMeterProvider::builder().with_periodic_exporter(exporter).build();
        let workers = Instrumentation::default();
        workers.register(&provider);
        let push = otlp(&workers, &receiver, protocol).start().unwrap();
        let (pool, mut batches) = pool("render", 2);
        let attached = workers.attach(pool).unwrap();
        poll(&mut batches, 100);
        provider.force_flush().unwrap();
        push.force_flush().unwrap();
        assert_eq!(counted(&receiver, DURATION), 200);
        assert_eq!(receiver.series(POLLS).len(), 2, "each row is exported once");
        poll(&mut batches, 100);
        drop(attached);
        push.shutdown().unwrap();
        provider.shutdown().unwrap();
        assert_eq!(counted(&receiver, DURATION), 400);
        assert_eq!(counted(&receiver, POLLS), 400);
        assert_eq!(receiver.scopes().len(), 1, "{:?}", receiver.scopes());
        assert_eq!(receiver.resources().len(), 1, "{:?}", receiver.resources());
    }
}

#[test]
fn a_receiver_of_either_protocol_is_found_on_any_port() {
    for grpc in [true, false] {
        let receiver = if grpc { receiver().grpc_only() } else { receiver().http_only() };
        let receiver = receiver.start().unwrap();
        let base = if grpc { receiver.grpc_endpoint() } else { receiver.http_base() };
        let workers = Instrumentation::default();
        let push = workers.otlp().with_endpoint(base).start().unwrap();
        let (pool, mut batches) = pool("render", 2);
        let _attached = workers.attach(pool).unwrap();
        poll(&mut batches, 100);
        push.force_flush().unwrap();
        assert_eq!(counted(&receiver, DURATION), 200, "gRPC: {grpc}");
    }
}
