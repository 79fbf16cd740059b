//! Environments of every kind: ours starts where opentelemetry-otlp 0.33 starts, and reads the
//! same.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::sync::atomic::Ordering::Relaxed;

use otlp_receiver::{Receiver, Transport};
use scenarios::receiver;

use crate::service::run_with;

/// One environment: `{grpc}` and `{http}` stand for the addresses of the receiver.
struct Environment {
    variables: Vec<(&'static str, OsString)>,
}

/// The variables of an environment, without their common beginning.
fn of(variables: &[(&'static str, &str)]) -> Environment {
    Environment { variables: variables.iter().map(|(name, value)| (*name, value.into())).collect() }
}

/// An endpoint over HTTP that works, and these variables.
fn http(variables: &[(&'static str, &str)]) -> Environment {
    let mut all = vec![("ENDPOINT", "{http}"), ("PROTOCOL", "http/protobuf")];
    all.extend_from_slice(variables);
    of(&all)
}

/// An endpoint over gRPC that works, and these variables.
fn grpc(variables: &[(&'static str, &str)]) -> Environment {
    let mut all = vec![("ENDPOINT", "{grpc}"), ("PROTOCOL", "grpc")];
    all.extend_from_slice(variables);
    of(&all)
}

fn environments() -> Vec<Environment> {
    let mut environments = vec![
        // Endpoints.
        http(&[]),
        grpc(&[]),
        of(&[("METRICS_ENDPOINT", "{http}/v1/metrics"), ("METRICS_PROTOCOL", "http/protobuf")]),
        of(&[("METRICS_ENDPOINT", "{grpc}"), ("METRICS_PROTOCOL", "grpc")]),
        of(&[("ENDPOINT", "{http}/")]),
        of(&[("ENDPOINT", "http://127.0.0.1:1"), ("METRICS_ENDPOINT", "{http}/v1/metrics")]),
        of(&[("ENDPOINT", ""), ("METRICS_ENDPOINT", "{http}/v1/metrics")]),
        of(&[("ENDPOINT", "http://")]),
        of(&[("ENDPOINT", "http://a b")]),
        of(&[("METRICS_ENDPOINT", "http://[")]),
        of(&[("ENDPOINT", "https://127.0.0.1:1"), ("PROTOCOL", "http/protobuf")]),
        of(&[("ENDPOINT", "https://127.0.0.1:1"), ("PROTOCOL", "grpc")]),
        of(&[("ENDPOINT", "127.0.0.1:1"), ("PROTOCOL", "grpc"), ("INSECURE", "true")]),
        of(&[("ENDPOINT", "127.0.0.1:1"), ("PROTOCOL", "grpc"), ("INSECURE", "maybe")]),
    ];
    // Addresses that nothing can be sent to, or nobody means.
    for address in [
        "localhost:1",
        "localhost",
        "127.0.0.1:1",
        "ftp://127.0.0.1:1",
        "http://127.0.0.1:99999999",
        "http://user:secret@127.0.0.1:1",
        "http://127.0.0.1:1?x=1",
        "http://127.0.0.1:1#x",
        " http://127.0.0.1:1",
        "/relative",
        "unix:///nowhere",
        "collector.test.invalid/path",
        "%",
    ] {
        for protocol in ["grpc", "http/protobuf"] {
            for name in ["ENDPOINT", "METRICS_ENDPOINT"] {
                environments.push(of(&[(name, address), ("PROTOCOL", protocol), ("INSECURE", "true")]));
            }
        }
    }
    environments.extend([
        // Protocols.
        of(&[("ENDPOINT", "{http}"), ("PROTOCOL", "HTTP/PROTOBUF")]),
        of(&[("ENDPOINT", "{http}"), ("PROTOCOL", "Http/Protobuf")]),
        of(&[("ENDPOINT", "{grpc}"), ("PROTOCOL", "GRPC")]),
        of(&[("ENDPOINT", "{http}"), ("PROTOCOL", "http/json")]),
        of(&[("ENDPOINT", "{http}"), ("PROTOCOL", "carrier-pigeon")]),
        of(&[("ENDPOINT", "{http}"), ("PROTOCOL", "")]),
        of(&[("ENDPOINT", "{grpc}"), ("PROTOCOL", "http/protobuf"), ("METRICS_PROTOCOL", "grpc")]),
        of(&[("ENDPOINT", "{grpc}"), ("PROTOCOL", "grpc"), ("METRICS_PROTOCOL", "nonsense")]),
        // Compression.
        http(&[("COMPRESSION", "gzip")]),
        http(&[("COMPRESSION", "GZIP")]),
        grpc(&[("COMPRESSION", "Gzip")]),
        http(&[("COMPRESSION", "none"), ("METRICS_COMPRESSION", "gzip")]),
        http(&[("COMPRESSION", "gzip"), ("METRICS_COMPRESSION", "none")]),
        http(&[("COMPRESSION", "gzip"), ("METRICS_COMPRESSION", "lz4")]),
        http(&[("COMPRESSION", "lz4")]),
        // Timeouts.
        http(&[("TIMEOUT", "5000")]),
        http(&[("TIMEOUT", "10s")]),
        http(&[("TIMEOUT", "-1")]),
        http(&[("TIMEOUT", "10s"), ("METRICS_TIMEOUT", "")]),
        // Headers.
        http(&[("HEADERS", "api-key=secret,x-tenant=a%20b")]),
        grpc(&[("HEADERS", "api-key=secret,x-tenant=a%20b")]),
        http(&[("HEADERS", "api-key=50%off")]),
        http(&[("HEADERS", "api-key=ab%cd")]),
        http(&[("HEADERS", "novalue")]),
        http(&[("HEADERS", "novalue, ,=x,api-key=1")]),
        http(&[("HEADERS", "api-key=general"), ("METRICS_HEADERS", "api-key=own")]),
        http(&[("HEADERS", "api-key=general"), ("METRICS_HEADERS", "")]),
        http(&[("HEADERS", "bad name=1,api-key=2")]),
        // Temporality.
        http(&[("METRICS_TEMPORALITY_PREFERENCE", "delta")]),
        http(&[("METRICS_TEMPORALITY_PREFERENCE", "DELTA")]),
        http(&[("METRICS_TEMPORALITY_PREFERENCE", "LowMemory")]),
        http(&[("METRICS_TEMPORALITY_PREFERENCE", "sometimes")]),
    ]);
    // What is no text.
    let no_text = || OsString::from_vec(vec![b'x', 0xff, b'y']);
    for name in ["PROTOCOL", "COMPRESSION", "HEADERS", "TIMEOUT", "METRICS_TEMPORALITY_PREFERENCE"] {
        let mut environment = of(&[("ENDPOINT", "{http}")]);
        environment.variables.push((name, no_text()));
        environments.push(environment);
    }
    environments.push(Environment { variables: vec![("ENDPOINT", no_text())] });
    environments
}

/// The headers that a user can set, and how a request travelled.
fn read(transport: &Transport) -> Vec<String> {
    let headers = ["api-key", "x-tenant"].map(|name| format!("{name}: {:?}", transport.header(name)));
    let mut read = headers.to_vec();
    read.push(format!("{:?} {} {:?}", transport.protocol, transport.path, transport.content_encoding));
    read
}

/// Runs the service in an environment: what was seen of theirs, and of ours.
fn compare(environment: &Environment) {
    let receiver: Receiver = receiver().start().unwrap();
    let fill = |value: &OsString| {
        value.to_str().map_or_else(
            || value.clone(),
            |value| {
                value
                    .replace("{http}", &receiver.http_base())
                    .replace("{grpc}", &receiver.grpc_endpoint())
                    .into()
            },
        )
    };
    let named: Vec<_> = environment
        .variables
        .iter()
        .map(|(name, value)| (format!("OTEL_EXPORTER_OTLP_{name}"), fill(value)))
        .collect();
    let variables: Vec<_> = named.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    let ended = run_with(&["environment"], &variables);
    assert!(ended.success, "{variables:?}: {ended:#?}");
    assert_eq!(ended.value("ours starts"), ended.value("theirs starts"), "{variables:?}: {ended:#?}");
    if ended.value("theirs starts") == "false" {
        return;
    }
    assert_eq!(ended.value("ours temporality"), ended.value("theirs temporality"), "{variables:?}");
    assert_eq!(ended.value("ours exports"), ended.value("theirs exports"), "{variables:?}: {ended:#?}");
    let transports = receiver.transports();
    if ended.value("theirs exports") == "true" {
        assert_eq!(transports.len(), 2, "{variables:?}: {transports:#?}");
        assert_eq!(read(&transports[0]), read(&transports[1]), "{variables:?}");
    }
}

#[test]
fn ours_starts_where_opentelemetry_otlp_starts_and_reads_the_same() {
    let environments = environments();
    assert!(environments.len() > 100, "{}", environments.len());
    // Most of the time goes by in pauses between two attempts.
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some(environment) = environments.get(next.fetch_add(1, Relaxed)) {
                    compare(environment);
                }
            });
        }
    });
}
