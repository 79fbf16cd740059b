//! A stall is a log record as well: at the receiver of the metrics, or through the program's own
//! logger provider.

use std::collections::BTreeMap;
use std::time::Duration;

use opentelemetry::logs::AnyValue;
use opentelemetry_sdk::logs::{InMemoryLogExporter, SdkLoggerProvider};
use otlp_receiver::{Protocol as Spoken, Receiver};
use scenarios::receiver;
use worker_metrics::Pool;
use worker_metrics_otel::{Instrumentation, Options, Otlp, Protocol, Watchdog};

const THRESHOLD: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(20);

fn watchdog() -> Watchdog {
    Watchdog::every(Duration::from_millis(20)).unwrap()
}

fn instrumentation() -> Instrumentation {
    Instrumentation::new(Options::default().with_watchdog(watchdog()))
}

/// A worker that waits within a job until `is_seen`.
fn stall(workers: &Instrumentation, is_seen: impl FnOnce() -> bool) {
    let (end, ended) = std::sync::mpsc::channel::<()>();
    stall_in(
        workers,
        move || wait_for_the_database(&ended),
        || {
            let is_seen = is_seen();
            drop(end);
            is_seen
        },
    );
}

/// A worker that waits in `job`, which `is_seen` ends.
fn stall_in(workers: &Instrumentation, job: impl FnOnce() + Send + 'static, is_seen: impl FnOnce() -> bool) {
    let (pool, mut batches) = Pool::builder("render").workers(1).stall_threshold(THRESHOLD).build().unwrap();
    let _render = workers.attach(pool).unwrap();
    let mut batch = batches.remove(0);
    let worker = std::thread::Builder::new().name("render-0".to_owned()).spawn(move || {
        batch.metrics().set_thread(&std::thread::current());
        batch.start_poll();
        job();
        batch.end_poll();
        batch.about_to_park();
        batch.submit();
    });
    let worker = worker.unwrap();
    let is_seen = is_seen();
    worker.join().unwrap();
    assert!(is_seen, "no stall was reported in time");
    // Until the watchdog has seen the end.
    let started = std::time::Instant::now();
    while started.elapsed() < Duration::from_millis(200) {
        std::thread::yield_now();
    }
}

#[inline(never)]
fn wait_for_the_database(ended: &std::sync::mpsc::Receiver<()>) {
    // An error is the end.
    let _ = ended.recv();
}

fn text(value: Option<opentelemetry_proto::tonic::common::v1::AnyValue>) -> String {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

/// Name, body and attributes of each record.
fn records(receiver: &Receiver) -> Vec<(String, String, BTreeMap<String, String>)> {
    let logs = receiver.logs();
    let records = logs.into_iter().flat_map(|logs| logs.scope_logs).flat_map(|logs| logs.log_records);
    let record = records.map(|record| {
        let attributes = record.attributes.into_iter().map(|it| (it.key, text(it.value))).collect();
        (record.event_name, text(record.body), attributes)
    });
    record.collect()
}

fn push(workers: &Instrumentation, receiver: &Receiver, spoken: Spoken) -> Otlp {
    let (endpoint, protocol) = match spoken {
        Spoken::Grpc => (receiver.grpc_endpoint(), Protocol::Grpc),
        Spoken::Http => (receiver.http_endpoint(), Protocol::HttpProtobuf),
    };
    workers.otlp().with_endpoint(endpoint).with_protocol(protocol)
}

#[test]
fn a_stall_arrives_as_one_log_record_when_it_is_proved_and_one_when_it_ends() {
    for spoken in [Spoken::Grpc, Spoken::Http] {
        let receiver = receiver().start().unwrap();
        let workers = instrumentation();
        let push = push(&workers, &receiver, spoken).start().unwrap();
        stall(&workers, || receiver.wait_until(PATIENCE, |state| !state.logs().is_empty()));
        assert!(receiver.wait_until(PATIENCE, |state| state.logs().len() == 2), "{:#?}", receiver.logs());
        push.shutdown().unwrap();
        let records = records(&receiver);
        let [(name, body, begun), (end_name, _, ended)] = &records[..] else { panic!("{records:#?}") };
        assert_eq!(
            (&**name, &**end_name),
            ("worker_pool.worker.stall", "worker_pool.worker.stall.end"),
            "{spoken:?}"
        );
        assert!(body.starts_with("worker 0 of \"render\""), "{body}");
        assert_eq!((&*begun["worker_pool.name"], &*begun["worker_pool.worker.index"]), ("render", "0"));
        assert!(begun["worker_pool.stall.age"].parse::<f64>().unwrap() >= 0.2);
        assert!(!begun.contains_key("worker_pool.stall.duration"));
        assert!(ended["worker_pool.stall.duration"].parse::<f64>().unwrap() >= 0.2);
        if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            assert_eq!(begun["worker_pool.stall.cause"], "lock", "{begun:#?}");
            assert_eq!(begun["thread.name"], "render-0");
            let at = "wait_for_the_database";
            assert!(begun["code.stacktrace"].contains(at), "{begun:#?}");
            assert!(begun["code.function.name"].contains(at), "{begun:#?}");
            assert!(begun["code.file.path"].ends_with("events.rs"), "{begun:#?}");
        }
        assert_eq!(begun["worker_pool.stall.cause"], ended["worker_pool.stall.cause"]);
    }
}

#[test]
fn with_a_logger_provider_of_the_programs_the_record_goes_there_and_nowhere_else() {
    let receiver = receiver().start().unwrap();
    let exporter = InMemoryLogExporter::default();
    let provider = SdkLoggerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let workers = instrumentation();
    workers.register_logs(&provider);
    let push = push(&workers, &receiver, Spoken::Http).start().unwrap();
    let emitted = || exporter.get_emitted_logs().unwrap();
    stall(&workers, || {
        let started = std::time::Instant::now();
        while emitted().is_empty() && started.elapsed() < PATIENCE {
            std::thread::yield_now();
        }
        !emitted().is_empty()
    });
    push.shutdown().unwrap();
    let emitted = emitted();
    assert_eq!(emitted.len(), 2, "{emitted:#?}");
    assert_eq!(emitted[0].record.event_name(), Some("worker_pool.worker.stall"));
    assert_eq!(emitted[1].record.event_name(), Some("worker_pool.worker.stall.end"));
    assert_eq!(emitted[0].instrumentation.name(), "worker-metrics-otel");
    let has = |key: &str, wanted: &AnyValue| {
        emitted[0].record.attributes_iter().any(|(its, value)| its.as_str() == key && value == wanted)
    };
    assert!(has("worker_pool.name", &"render".into()));
    assert!(receiver.logs().is_empty());
}

#[test]
fn addresses_are_left_out_of_a_record_on_request() {
    for (watchdog, has_address) in [(watchdog(), true), (watchdog().without_addresses(), false)] {
        let receiver = receiver().start().unwrap();
        let workers = Instrumentation::new(Options::default().with_watchdog(watchdog));
        let push = push(&workers, &receiver, Spoken::Grpc).start().unwrap();
        let peer = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = peer.local_addr().unwrap();
        let mut connection = std::net::TcpStream::connect(address).unwrap();
        let (accepted, _) = peer.accept().unwrap();
        let job = move || drop(std::io::Read::read(&mut connection, &mut [0]));
        stall_in(&workers, job, || {
            let is_seen = receiver.wait_until(PATIENCE, |state| !state.logs().is_empty());
            drop(accepted);
            is_seen
        });
        push.shutdown().unwrap();
        let (_, body, attributes) = records(&receiver).swap_remove(0);
        if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            let waits_on = &attributes["worker_pool.stall.waits_on"];
            assert!(waits_on.starts_with("recvfrom on a TCP socket"), "{waits_on}");
            for text in [&body, waits_on] {
                assert_eq!(text.contains(&address.to_string()), has_address, "{text}");
            }
        }
    }
}

#[test]
fn without_log_records_a_stall_is_called_back_and_sent_nowhere() {
    let receiver = receiver().start().unwrap();
    let (begun, stalls) = std::sync::mpsc::channel();
    let watchdog = watchdog().without_log_records().on_stall(move |stall| begun.send(stall.cause).unwrap());
    let workers = Instrumentation::new(Options::default().with_watchdog(watchdog));
    let push = push(&workers, &receiver, Spoken::Http).start().unwrap();
    stall(&workers, || stalls.recv_timeout(PATIENCE).is_ok());
    push.shutdown().unwrap();
    assert!(receiver.logs().is_empty());
}
