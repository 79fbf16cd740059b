//! What the variables of a process do to its exports. A variable is set for a process of its own:
//! there is no safe way to set one while threads run.

mod log;

use std::process::{Command, Output};

use otlp_receiver::{HttpProxy, Protocol, Receiver, Temporality, TestCa, Tls};
use worker_metrics::Pool;
use worker_metrics_otel::{Instrumentation, Options};

/// Runs [`exports_by_the_environment`] in a process with these variables.
fn run(variables: &[(&str, &str)]) -> Output {
    let tests = std::env::current_exe().expect("it runs");
    let mut command = Command::new(tests);
    command.args(["--exact", "exports_by_the_environment", "--ignored", "--nocapture"]);
    // What this process was given.
    for (name, _) in std::env::vars() {
        if name.starts_with("OTEL_") || name.to_ascii_lowercase().ends_with("_proxy") {
            command.env_remove(name);
        }
    }
    command.envs(variables.iter().copied()).output().expect("it runs again")
}

/// What the process said, if it has exported.
fn exported(variables: &[(&str, &str)]) -> String {
    let output = run(variables);
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{variables:?}: {said}");
    assert!(said.contains("1 passed"), "{said}");
    said.into_owned()
}

#[test]
#[ignore = "it is run by the others, in a process with variables"]
fn exports_by_the_environment() {
    tracing::subscriber::set_global_default(log::Printed).expect("the only one");
    let workers = Instrumentation::new(Options::default().without_watchdog());
    let (pool, mut batches) = Pool::builder("render").workers(1).build().expect("valid");
    let _attached = workers.attach(pool).expect("it is not attached");
    batches[0].start_poll();
    batches[0].end_poll();
    batches[0].submit();
    let push = workers.otlp().start().expect("the settings are good");
    let outcome = push.force_flush();
    assert!(outcome.is_ok(), "{outcome:?}");
}

fn receiver() -> Receiver {
    Receiver::builder().keep_requests(true).strict(true).start().expect("a receiver")
}

#[test]
fn everything_can_come_from_the_environment() {
    let receiver = receiver();
    for (protocol, endpoint) in [("grpc", receiver.grpc_endpoint()), ("HTTP/protobuf", receiver.http_base())]
    {
        exported(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta"),
            ("OTEL_SERVICE_NAME", "shop"),
            ("OTEL_RESOURCE_ATTRIBUTES", "team=a"),
        ]);
        let transport = receiver.last_transport().expect("a request");
        assert_eq!(transport.protocol == Protocol::Grpc, protocol == "grpc");
        assert_eq!(transport.header("api-key"), Some("a b"));
        assert_eq!(transport.content_encoding.as_deref(), Some("gzip"));
    }
    let resources = receiver.resources();
    assert_eq!(resources.len(), 1, "{resources:?}");
    let attribute = |name: &str| resources[0].get(name).and_then(|value| value.as_str());
    assert_eq!((attribute("service.name"), attribute("team")), (Some("shop"), Some("a")));
    let polls = receiver.series("worker_pool.worker.polls");
    assert!(!polls.is_empty());
    assert!(polls.iter().all(|series| series.temporality == Some(Temporality::Delta)), "{polls:?}");
}

#[test]
fn bad_values_are_reported_by_variable_and_ignored() {
    let receiver = receiver();
    let bad = [
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "carrier pigeon"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "brotli"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "sometimes"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "hunter2"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
    ];
    let endpoint = receiver.http_base();
    let mut variables = bad.to_vec();
    variables.push(("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint));
    let said = exported(&variables);
    for (name, _) in bad {
        assert!(said.contains(&format!("{name} is ignored")), "{name}: {said}");
    }
    assert!(!said.contains("hunter2"), "{said}");
    assert!(receiver.exports() > 0);
}

#[test]
fn files_of_tls_that_are_bad_are_reported_without_what_was_given_and_ignored() {
    let receiver = receiver();
    let ca = TestCa::new();
    let secured = Receiver::builder().tls(Tls::new(&ca.server(["localhost"]))).start().expect("a receiver");
    let endpoint = format!("https://localhost:{}", secured.http_port());
    let output = run(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "-----BEGIN hunter2"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "missing.pem"),
    ]);
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    for name in ["OTEL_EXPORTER_OTLP_CLIENT_KEY", "OTEL_EXPORTER_OTLP_CERTIFICATE"] {
        assert!(said.contains(&format!("{name} is ignored")), "{said}");
    }
    assert!(!said.contains("hunter2"), "{said}");
    assert!(said.contains("the certificate of the receiver is not accepted"), "{said}");
    assert_eq!((receiver.attempts(), secured.attempts()), (0, 0));
}

#[test]
fn a_request_over_http_goes_by_the_proxy_of_the_environment() {
    let receiver = receiver();
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        let proxy = HttpProxy::start(([127, 0, 0, 1], receiver.http_port())).expect("a proxy");
        let url = proxy.url().replace("//", "//user:hunter2@");
        let before = receiver.exports();
        let said = exported(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.test:4318"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            (name, &url),
        ]);
        assert!(!said.contains("hunter2"), "{said}");
        let requests = proxy.requests();
        let [request, ..] = &requests[..] else { panic!("{name}: nothing went by the proxy") };
        assert_eq!((&*request.method, &*request.host, request.port), ("POST", "collector.test", Some(4318)));
        // user:hunter2
        assert_eq!(request.authorization.as_deref(), Some("Basic dXNlcjpodW50ZXIy"), "{name}");
        assert!(receiver.exports() > before, "{name}");
    }
}

#[test]
fn a_host_that_is_to_be_reached_directly_is() {
    let receiver = receiver();
    let proxy = HttpProxy::start(([127, 0, 0, 1], receiver.http_port())).expect("a proxy");
    exported(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.http_base()),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("HTTP_PROXY", &proxy.url()),
        ("NO_PROXY", "127.0.0.1,localhost"),
    ]);
    assert!(receiver.exports() > 0 && proxy.requests().is_empty());
}

#[test]
fn a_secured_request_goes_through_a_tunnel() {
    let ca = TestCa::new();
    let directory = std::env::temp_dir().join(format!("worker-metrics-proxy-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let authority = ca.write(&directory).expect("a file");
    let tls = Tls::new(&ca.server(["collector.test"]));
    let receiver = Receiver::builder().keep_requests(true).tls(tls).start().expect("a receiver");
    let proxy = HttpProxy::start(([127, 0, 0, 1], receiver.http_port())).expect("a proxy");
    exported(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector.test:4318"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", authority.to_str().expect("UTF-8")),
        ("HTTPS_PROXY", &proxy.url()),
    ]);
    std::fs::remove_dir_all(&directory).expect("it is there");
    let requests = proxy.requests();
    let [request, ..] = &requests[..] else { panic!("nothing went by the proxy") };
    assert_eq!((&*request.method, &*request.host, request.port), ("CONNECT", "collector.test", Some(4318)));
    assert_eq!(request.authorization, None);
    let transport = receiver.last_transport().expect("a request");
    assert_eq!(
        transport.header("proxy-authorization"),
        None,
        "what is the proxy's does not reach the receiver"
    );
}

#[test]
fn a_proxy_that_refuses_is_an_error_and_no_way_around_it() {
    let receiver = receiver();
    let nobody = format!("http://127.0.0.1:{}", otlp_receiver::lasting_port());
    let output = run(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.http_base()),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("HTTP_PROXY", &nobody),
    ]);
    assert!(!output.status.success());
    assert_eq!(receiver.attempts(), 0);
}
