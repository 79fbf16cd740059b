//! All workers of the observed runtime are blocked, and the pipeline was built inside
//! `#[tokio::main]`.

use scenarios::receiver;

use crate::service::run;

#[test]
fn exports_go_on_and_nothing_panics_at_the_end() {
    for way in ["push", "exporter", "current-thread", "task"] {
        for grpc in [true, false] {
            let receiver = receiver().start().unwrap();
            let base = if grpc { receiver.grpc_endpoint() } else { receiver.http_base() };
            let protocol = if grpc { "grpc" } else { "http/protobuf" };
            let variables =
                [("OTEL_EXPORTER_OTLP_ENDPOINT", &*base), ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)];
            let ended = run(&["blocked", way], &variables);
            assert!(ended.success, "{way} {protocol}: {ended:#?}");
            assert!(!ended.log.contains("panicked"), "{way} {protocol}: {}", ended.log);
            // 20 intervals; on a busy machine some come late.
            assert!(receiver.exports() >= 10, "{way} {protocol}: {} exports", receiver.exports());
        }
    }
}
