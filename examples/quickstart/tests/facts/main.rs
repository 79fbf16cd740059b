//! What the quickstart shows, as a user runs it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::collections::BTreeSet;
use std::process::{Command, Output};

use otlp_receiver::{Document, Metric, MetricType, Receiver, Temporality};
use worker_metrics::catalogue::{CATALOGUE, Instrument, Reading};
use worker_metrics::{Definition, Namespace};
use worker_metrics_tokio::Gate;

/// Runs it; the test fails with what it said when it fails.
fn succeeds(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let output = quickstart(arguments, environment);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    output
}

fn quickstart(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    command(arguments, environment).output().unwrap()
}

fn command(arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quickstart"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("OTEL_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).envs(environment.iter().copied());
    command
}

fn document(arguments: &[&str], environment: &[(&str, &str)]) -> Document {
    let output = succeeds(&[&["--json", "--duration", "2"], arguments].concat(), environment);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        errors.contains("every worker makes progress") || errors.contains("BLOCKED"),
        "the table is on standard error: {errors}"
    );
    serde_json::from_slice(&output.stdout).expect("standard output is the document and nothing else")
}

/// The rows that the quickstart must show in this configuration.
fn rows() -> impl Iterator<Item = &'static Definition> {
    CATALOGUE.iter().filter(|definition| {
        Gate::of(definition.metric)
            .is_some_and(|gate| cfg!(tokio_unstable) || !gate.tokio_unstable || gate.or.is_some())
    })
}

fn assert_row(metric: &Metric, definition: &Definition, counters: Temporality) {
    let name = &metric.name;
    assert_eq!(metric.unit, definition.unit, "{name}");
    assert!(metric.description.starts_with(definition.description), "{name}: {}", metric.description);
    let (kind, monotonic, temporality) = match definition.instrument {
        Instrument::Counter => (MetricType::Sum, Some(true), Some(counters)),
        Instrument::UpDownCounter => (MetricType::Sum, Some(false), Some(Temporality::Cumulative)),
        Instrument::Gauge => (MetricType::Gauge, None, None),
        Instrument::Histogram => (MetricType::Histogram, None, Some(counters)),
        other => panic!("how does {other:?} arrive?"),
    };
    assert_eq!((metric.kind, metric.monotonic, metric.temporality), (kind, monotonic, temporality), "{name}");
    let series = match definition.reading {
        Reading::Count(_) => 1,
        Reading::CountByState(_, counts) => counts.len(),
        // Of the workers' histograms the sum.
        Reading::WorkerHistogram(_) | Reading::Histogram(_) | Reading::WorkerHistogramByCause(_) => 1,
        Reading::TaskGroupHistogram(_) => 4,
        _ => 3,
    };
    assert_eq!(metric.points.len(), series, "{name}");
    assert!(metric.points.iter().all(|point| point.attributes["tokio.runtime.name"] == "main"), "{name}");
}

fn assert_all_rows(document: &Document, counters: Temporality) {
    let expected: BTreeSet<_> = rows().map(|definition| Namespace::TOKIO.metric(definition)).collect();
    let received: BTreeSet<_> = document.metrics.iter().map(|metric| metric.name.clone()).collect();
    // The workload's stall does not end in these 2 s, and a delta of nothing is not sent.
    let may_lack = (counters == Temporality::Delta).then(|| "tokio.worker.stall.duration".to_owned());
    let missing: Vec<_> =
        expected.difference(&received).filter(|name| Some(*name) != may_lack.as_ref()).collect();
    assert_eq!(missing, Vec::<&String>::new());
    assert!(received.is_subset(&expected), "{received:?}");
    for definition in rows() {
        let name = Namespace::TOKIO.metric(definition);
        if let Some(metric) = document.metric(&name) {
            assert_row(metric, definition, counters);
        }
    }
    assert!(document.exports >= 2, "{} exports", document.exports);
}

#[test]
fn the_document_holds_every_row_over_grpc() {
    let document = document(&["--workers", "3"], &[]);
    assert_all_rows(&document, Temporality::Cumulative);
    assert_eq!(document.resource["service.name"], "quickstart");
    assert!(document.resource.contains_key("service.instance.id"));
}

#[test]
fn the_document_holds_every_row_over_http_as_deltas() {
    let document =
        document(&["--workers", "3", "--protocol", "http/protobuf", "--temporality", "delta"], &[]);
    assert_all_rows(&document, Temporality::Delta);
}

#[test]
fn the_histograms_are_one_a_runtime_or_one_a_worker_or_off() {
    for (detail, series) in [("worker", Some(3)), ("runtime", Some(1)), ("off", None)] {
        let document = document(&["--workers", "3", "--histograms", detail], &[]);
        for name in ["tokio.task.poll.duration", "tokio.task.schedule.duration"] {
            assert_eq!(document.metric(name).map(|metric| metric.points.len()), series, "{detail}");
        }
        if let Some(metric) = document.metric("tokio.task.poll.duration") {
            let histogram = metric.points[0].histogram().unwrap();
            assert_eq!(histogram.bounds.len() + 1, histogram.bucket_counts.len());
            assert!(histogram.count > 0 && histogram.sum > Some(0.0));
        }
    }
}

#[test]
fn the_variables_of_the_specification_are_heard_by_both_exporters() {
    let receiver = Receiver::start().unwrap();
    let output = succeeds(
        &["--json", "--workers", "3", "--duration", "2"],
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.http_base()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "100"),
            ("OTEL_SERVICE_NAME", "checkout"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.instance.id=one,deployment.environment.name=test"),
        ],
    );
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["errors"], serde_json::json!({}));
    let document = receiver.snapshot();
    assert_all_rows(&document, Temporality::Delta);
    assert!(document.exports >= 20, "{} exports of both in 2 s", document.exports);
    assert_eq!(document.resource["service.name"], "checkout");
    assert_eq!(document.resource["service.instance.id"], "one");
    assert_eq!(document.resource["deployment.environment.name"], "test");
    assert_eq!(receiver.resources().len(), 1, "{:?}", receiver.resources());
    assert_eq!(receiver.last_transport().unwrap().header("content-encoding"), Some("gzip"));
}

#[test]
fn a_bad_variable_is_reported_and_ignored() {
    let variables = [
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "udp"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "rar"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "both"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
    ];
    let output = succeeds(&["--json", "--duration", "1", "--protocol", "grpc"], &variables);
    let document: Document = serde_json::from_slice(&output.stdout).unwrap();
    assert!(document.metric("tokio.task.poll.duration").is_some());
    assert!(document.metric("tokio.worker.time").is_some());
    let errors = String::from_utf8_lossy(&output.stderr);
    // The protocol is on the command line.
    for (name, value) in &variables[1..] {
        assert!(errors.lines().any(|line| line.contains(name) && line.contains(value)), "{name}: {errors}");
    }
}

#[test]
fn with_an_endpoint_it_pushes_there_and_says_what_became_of_it() {
    let receiver = Receiver::start().unwrap();
    let endpoint = receiver.grpc_endpoint();
    let output = succeeds(
        &["--json", "--duration", "2", "--endpoint", &endpoint],
        &[("OTEL_EXPORTER_OTLP_HEADERS", "api-key=secret%20key")],
    );
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(result["exports"].as_u64().unwrap() >= 2, "{result}");
    assert_eq!(result["errors"], serde_json::json!({}));
    assert!(receiver.snapshot().metric("tokio.worker.time").is_some());
    assert_eq!(receiver.last_transport().unwrap().header("api-key"), Some("secret key"));
    assert!(!String::from_utf8_lossy(&output.stderr).contains("secret"));
}

/// However late a machine with other work lets the stall come: it is waited for, and then ended as
/// a user does.
#[cfg(unix)]
#[test]
fn the_watchdog_names_the_worker_its_thread_and_what_it_polls_until_ctrl_c() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    let mut program = command(&["--duration", "120"], &[]).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(program.stdout.take().unwrap()).lines().map_while(Result::ok);
    let pid = Pid::from_raw(i32::try_from(program.id()).unwrap());
    let (mut report, mut is_the_mistake) = (Vec::new(), false);
    for line in lines {
        if is_the_mistake {
            continue;
        }
        if line.starts_with("the last stall: worker ") {
            report.clear();
        }
        // Computing that has to wait for a processor may be a stall as well.
        is_the_mistake = line.starts_with("  task: of the group \"reports\", spawned at ");
        report.push(line);
        if is_the_mistake {
            kill(pid, Signal::SIGINT).unwrap();
        }
    }
    let status = program.wait().unwrap();
    assert!(is_the_mistake, "it was told within two minutes");
    let [stall, thread, task] = &report[..] else { panic!("{report:#?}") };
    assert!(stall.contains("of \"main\""), "{stall}");
    assert!(thread.starts_with("  thread: \"main-worker\""), "{thread}");
    assert!(task.contains("src/workload/"), "{task}");
    assert!(status.success(), "{status}");
}

/// As a container is stopped.
#[cfg(unix)]
#[test]
fn sigterm_ends_it_with_a_last_export() {
    use std::io::{BufRead, BufReader, Read};
    use std::process::Stdio;

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    let receiver = Receiver::start().unwrap();
    let endpoint = receiver.grpc_endpoint();
    let mut program = command(
        &["--json", "--duration", "0", "--endpoint", &endpoint],
        &[("OTEL_METRIC_EXPORT_INTERVAL", "3600000")],
    )
    .stdout(Stdio::piped())
    .stderr(Stdio::piped())
    .spawn()
    .unwrap();
    let mut errors = BufReader::new(program.stderr.take().unwrap());
    let mut told = String::new();
    errors.read_line(&mut told).unwrap();
    assert!(told.starts_with("A Tokio runtime"), "{told}");
    kill(Pid::from_raw(i32::try_from(program.id()).unwrap()), Signal::SIGTERM).unwrap();
    errors.read_to_string(&mut told).unwrap();
    let output = program.wait_with_output().unwrap();
    assert!(output.status.success(), "{}: {told}", output.status);
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["exports"], 2, "one of the meter provider, and one of the push: {result}");
    assert!(receiver.snapshot().metric("tokio.worker.time").is_some());
    assert!(receiver.snapshot().metric("tokio.task.poll.duration").is_some() || !cfg!(tokio_unstable));
}

#[test]
fn a_failure_says_where_and_why() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let nobody = format!("http://127.0.0.1:{port}");
    let receiver = Receiver::start().unwrap();
    let cases: [(&str, &str, &str); 3] = [
        ("grpc", &nobody, "the receiver cannot be reached"),
        ("grpc", &receiver.http_base(), "check the path and the port of the endpoint"),
        ("grpc", "http://no-such-host.invalid:4317", "the name of the host does not resolve"),
    ];
    for (protocol, endpoint, why) in cases {
        let output = quickstart(
            &["--json", "--duration", "2", "--endpoint", endpoint, "--protocol", protocol],
            &[("OTEL_EXPORTER_OTLP_TIMEOUT", "1000")],
        );
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{errors}");
        let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(result["exports"], 0, "{result}");
        let told = result["errors"].as_object().unwrap();
        assert!(told.keys().any(|error| error.contains(endpoint) && error.contains(why)), "{result}");
        let last = errors.lines().last().unwrap();
        assert!(last.starts_with("quickstart: the last export: "), "{errors}");
        assert!(last.contains(endpoint) && last.contains(why), "{errors}");
    }
}

#[test]
fn bad_input_is_one_line_and_status_2() {
    /// Arguments, and what the line must hold.
    type Case = (&'static [&'static str], &'static [&'static str]);
    let cases: [Case; 7] = [
        (&["--duration", "soon"], &["'soon' for '--duration <SECONDS>'", "use a number of seconds"]),
        (&["--workers", "0"], &["use a number from 1 to 1024"]),
        (&["--protocol", "http/json"], &["'http/json' for '--protocol", "grpc, http/protobuf"]),
        (&["--temporality", "both"], &["'both' for '--temporality", "cumulative, delta"]),
        (&["--histograms", "each"], &["'each' for '--histograms", "runtime, worker, off"]),
        (&["--endpoint", "localhost:4317"], &["'localhost:4317' for '--endpoint", "use a URL such as"]),
        (&["--colour"], &["'--colour'"]),
    ];
    for (arguments, expected) in cases {
        let output = quickstart(arguments, &[]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert_eq!(errors.lines().count(), 1, "{arguments:?}: {errors}");
        for expected in expected {
            assert!(errors.contains(expected), "{arguments:?}: {errors}");
        }
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn help_is_on_standard_output() {
    let output = quickstart(&["--help"], &[]);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("OTEL_METRIC_EXPORT_INTERVAL"));
}
