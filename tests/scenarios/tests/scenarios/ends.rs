//! Flush and shutdown where nobody takes anything.

use std::net::TcpListener;

use crate::service::{Ended, run};

/// Milliseconds by which a busy machine may differ.
const TOLERANCE: u64 = 200;

/// The shortest of a few runs: everything else is the machine's.
fn shortest(way: &str, what: &str, endpoint: &str) -> (u64, Ended) {
    let variables = [
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", endpoint),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "1000"),
    ];
    let runs = (0..3).map(|_| run(&["shutdown", way, what], &variables));
    let timed = runs.map(|ended| (ended.value("milliseconds").parse::<u64>().unwrap(), ended));
    timed.min_by_key(|(milliseconds, _)| *milliseconds).unwrap()
}

#[test]
fn an_exporter_takes_no_longer_than_that_of_opentelemetry_and_ends_with_the_same_code() {
    // Takes connections, and answers nothing.
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    let hangs = format!("http://{}/v1/metrics", hanging.local_addr().unwrap());
    for (endpoint, cause) in [
        ("http://127.0.0.1:9/v1/metrics", "connection refused"),
        (&*hangs, "no answer within"),
        ("http://collector.test.invalid:4318/v1/metrics", "does not resolve"),
    ] {
        for what in ["flush", "shutdown"] {
            let (theirs_ms, theirs) = shortest("theirs", what, endpoint);
            let (ours_ms, ours) = shortest("exporter", what, endpoint);
            assert!(
                ours_ms <= theirs_ms + TOLERANCE,
                "{what} {endpoint}: {ours_ms} ms, theirs {theirs_ms} ms"
            );
            assert_eq!(ours.success, theirs.success, "{what} {endpoint}");
            // The SDK returns the cause of a shutdown alone; that of a flush it logs.
            let told = format!("{}{}", ours.output, ours.log);
            assert!(told.contains(cause), "{what} {endpoint}: {told}");
            let (push_ms, push) = shortest("push", what, endpoint);
            assert!(push_ms <= 500 + TOLERANCE, "{what} {endpoint}: {push_ms} ms of 500");
            assert!(push.output.contains(cause), "{what} {endpoint}: {}", push.output);
        }
    }
}
