//! Receivers that misbehave, as the sink of the histograms meets them: the result says what it was, in time, and nothing is lost.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::InMemoryMetricExporter;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use otlp_receiver::{Code, Fault, Receiver, lasting_port};
use tokio::runtime::Builder;
use worker_metrics::histogram::Scale;
use worker_metrics::{Batch, Pool, WorkerConfig};
use worker_metrics_otel::{Attachment, Exporter, Instrumentation, Protocol, Sink};

use crate::wire::PATIENCE;

const POLLS: &str = "worker_pool.task.poll.duration";
const TIMEOUT: Duration = Duration::from_secs(1);
const BOTH: [Protocol; 2] = [Protocol::Grpc, Protocol::HttpProtobuf];

/// A pool whose histograms alone are exported, by hand.
struct Histograms {
    exporter: Exporter<InMemoryMetricExporter>,
    batch: Batch,
    recorded: u64,
    _workers: Instrumentation,
    _attachment: Attachment,
}

impl Histograms {
    fn to(sink: Sink) -> Self {
        let workers = Instrumentation::default();
        let exporter = workers.exporter_with(InMemoryMetricExporter::default(), sink);
        let config = WorkerConfig::new().with_poll_time_histogram(Scale::preset());
        let (pool, mut batches) = Pool::builder("render").workers(1).config(config).build().unwrap();
        let attachment = workers.attach(pool).unwrap();
        Self { exporter, batch: batches.remove(0), recorded: 0, _workers: workers, _attachment: attachment }
    }

    fn poll(&mut self) {
        self.batch.start_poll();
        self.batch.end_poll();
        self.batch.submit();
        self.recorded += 1;
    }

    fn export(&self) -> OTelSdkResult {
        futures_executor::block_on(self.exporter.export(&ResourceMetrics::default()))
    }
}

fn sink(protocol: Protocol, receiver: &Receiver) -> Sink {
    let endpoint = match protocol {
        Protocol::Grpc => receiver.grpc_endpoint(),
        Protocol::HttpProtobuf => receiver.http_endpoint(),
    };
    Sink::from_env_to(protocol, &endpoint).unwrap().with_timeout(TIMEOUT)
}

fn count(receiver: &Receiver) -> Option<u64> {
    let document = receiver.snapshot();
    Some(document.metric(POLLS)?.points.first()?.histogram()?.count)
}

/// A status over gRPC and over HTTP.
fn status(grpc: Code, http: u16, retry_after: Option<Duration>) -> Fault {
    Fault::Status { grpc, http, retry_after }
}

#[test]
fn every_fault_is_told_as_what_it_is_in_time_and_the_next_export_carries_everything() {
    let hour = Some(Duration::from_secs(3_600));
    let cases = [
        (Fault::Hang, ["no answer within 1s", "no answer within 1s"]),
        (Fault::Reset, ["the connection broke before the answer", "the connection broke before the answer"]),
        (Fault::Garbage, ["the receiver refuses them with Internal", "the answer cannot be read"]),
        (
            status(Code::Unavailable, 503, None),
            ["cannot take them now, Unavailable", "cannot take them now, 503"],
        ),
        (
            status(Code::Unavailable, 503, hour),
            ["cannot take them now, Unavailable", "cannot take them now, 503"],
        ),
        (
            status(Code::ResourceExhausted, 429, hour),
            ["cannot take them now, ResourceExhausted", "cannot take them now, 429"],
        ),
        (
            status(Code::ResourceExhausted, 429, None),
            ["refuses them with ResourceExhausted", "cannot take them now, 429"],
        ),
        (
            status(Code::InvalidArgument, 400, None),
            ["refuses them with InvalidArgument", "refuses them with 400"],
        ),
    ];
    for protocol in BOTH {
        let receiver = Receiver::start().unwrap();
        let mut histograms = Histograms::to(sink(protocol, &receiver));
        for (fault, expected) in &cases {
            receiver.set_fault(fault.clone());
            histograms.poll();
            let start = Instant::now();
            let error = histograms.export().unwrap_err().to_string();
            assert!(start.elapsed() < TIMEOUT + Duration::from_secs(10), "{protocol:?} {fault:?}");
            let expected = expected[usize::from(protocol == Protocol::HttpProtobuf)];
            assert!(error.contains(expected), "{protocol:?} {fault:?}: {error}");

            receiver.set_fault(Fault::None);
            histograms.export().unwrap();
            assert_eq!(count(&receiver), Some(histograms.recorded), "{protocol:?} {fault:?}");
        }
    }
}

#[test]
fn a_receiver_that_asks_for_a_moment_is_asked_again_within_the_time() {
    for protocol in BOTH {
        let receiver = Receiver::start().unwrap();
        let histograms = Histograms::to(sink(protocol, &receiver).with_timeout(PATIENCE));
        receiver.set_fault(status(Code::Unavailable, 503, None));
        std::thread::scope(|scope| {
            let export = scope.spawn(|| histograms.export());
            assert!(receiver.wait_until(PATIENCE, |state| state.attempts() >= 2), "{protocol:?}");
            receiver.set_fault(Fault::None);
            export.join().unwrap().unwrap();
        });
        assert_eq!(count(&receiver), Some(0));
    }
}

#[test]
fn a_partial_success_is_not_sent_again() {
    for protocol in BOTH {
        let receiver = Receiver::start().unwrap();
        let mut histograms = Histograms::to(sink(protocol, &receiver));
        receiver.set_fault(Fault::PartialSuccess { rejected: 0, message: "a word of warning".to_owned() });
        histograms.poll();
        histograms.export().unwrap();
        assert_eq!((receiver.attempts(), count(&receiver)), (1, Some(1)), "{protocol:?}");
    }
}

#[test]
fn nobody_listening_is_told_in_time() {
    for protocol in BOTH {
        let endpoint = format!("http://127.0.0.1:{}", lasting_port());
        let histograms =
            Histograms::to(Sink::from_env_to(protocol, &endpoint).unwrap().with_timeout(TIMEOUT));
        let error = histograms.export().unwrap_err().to_string();
        assert!(error.contains("the receiver cannot be reached"), "{protocol:?}: {error}");
        assert!(error.to_lowercase().contains("connection refused"), "{protocol:?}: {error}");
    }
}

#[test]
fn a_sink_that_was_made_on_a_runtime_sends_while_all_its_workers_are_blocked() {
    for protocol in BOTH {
        let receiver = Receiver::start().unwrap();
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let sink = runtime.block_on(async { sink(protocol, &receiver) });
        let (begun, begins) = channel();
        let (release, released) = channel::<()>();
        runtime.spawn(async move {
            begun.send(()).unwrap();
            // An error is the end of a failed test.
            let _ = released.recv();
        });
        begins.recv().unwrap();
        let mut histograms = Histograms::to(sink.with_timeout(PATIENCE));
        histograms.poll();
        histograms.export().unwrap();
        assert_eq!(count(&receiver), Some(1), "{protocol:?}");
        release.send(()).unwrap();
    }
}

#[test]
fn a_sink_may_be_dropped_on_a_runtime() {
    let receiver = Receiver::start().unwrap();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    for protocol in BOTH {
        runtime.block_on(async { drop(sink(protocol, &receiver)) });
    }
}

#[test]
fn headers_arrive_and_are_shown_nowhere() {
    for protocol in BOTH {
        let receiver = Receiver::start().unwrap();
        let sink = sink(protocol, &receiver).with_header("api-key", "hunter2").unwrap();
        assert!(!format!("{sink:?}").contains("hunter2"));
        let histograms = Histograms::to(sink);
        histograms.export().unwrap();
        let transport = receiver.last_transport().unwrap();
        assert_eq!(transport.header("api-key"), Some("hunter2"));
        assert!(transport.header("user-agent").unwrap().starts_with("worker-metrics-otel/"));
    }
}

#[test]
fn bad_input_is_refused_with_the_remedy() {
    let error = Sink::from_env_to(Protocol::Grpc, "localhost:4317").unwrap_err().to_string();
    assert_eq!(error, "the endpoint is not usable: use a URL such as http://localhost:4317");
    let receiver = Receiver::start().unwrap();
    let error = sink(Protocol::Grpc, &receiver).with_header("api key", "hunter2").unwrap_err().to_string();
    assert_eq!(
        error,
        "the header is not usable: its name is no name of a header: use letters, digits and \"-\""
    );
}
