//! Receivers that misbehave, as a push meets them: the result says what it was, in time, and
//! nothing is lost.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use otlp_receiver::{Code, Fault, Receiver, lasting_port};
use tokio::runtime::Builder;
use tonic::transport::Endpoint;
use worker_metrics::histogram::Scale;
use worker_metrics::{Batch, Pool, WorkerConfig};
use worker_metrics_otel::{Attachment, ExportError, Instrumentation, Otlp, Push};

use crate::wire::{PATIENCE, Protocol, TIMEOUT, otlp};

const POLLS: &str = "worker_pool.task.poll.duration";
const COUNTED: &str = "worker_pool.worker.polls";
const BOTH: [Protocol; 2] = [Protocol::Grpc, Protocol::Http];
/// So long may an export take on a busy machine beyond its timeout.
const GRACE: Duration = Duration::from_secs(10);

/// A pool that is pushed by hand.
struct Pushed {
    push: Push,
    batch: Batch,
    recorded: u64,
    _workers: Instrumentation,
    _attachment: Attachment,
}

impl Pushed {
    fn by(otlp: impl FnOnce(&Instrumentation) -> Otlp) -> Self {
        let workers = Instrumentation::default();
        let push = otlp(&workers).start().unwrap();
        let config = WorkerConfig::new().with_poll_time_histogram(Scale::preset());
        let (pool, mut batches) = Pool::builder("render").workers(1).config(config).build().unwrap();
        let attachment = workers.attach(pool).unwrap();
        Self { push, batch: batches.remove(0), recorded: 0, _workers: workers, _attachment: attachment }
    }

    fn to(protocol: Protocol, receiver: &Receiver) -> Self {
        Self::by(|workers| otlp(workers, protocol, receiver))
    }

    fn poll(&mut self) {
        self.batch.start_poll();
        self.batch.end_poll();
        self.batch.submit();
        self.recorded += 1;
    }

    fn export(&self) -> Result<(), ExportError> {
        self.push.force_flush()
    }
}

/// What has arrived, once counter and histogram agree on it.
fn count(receiver: &Receiver) -> Option<u64> {
    let document = receiver.snapshot();
    let counted = document.metric(COUNTED)?.points.first()?.value()?.as_i64()?;
    let timed = document.metric(POLLS)?.points.first()?.histogram()?.count;
    (u64::try_from(counted) == Ok(timed)).then_some(timed)
}

/// A status over gRPC and over HTTP.
fn status(grpc: Code, http: u16, retry_after: Option<Duration>) -> Fault {
    Fault::Status { grpc, http, retry_after }
}

#[test]
fn every_fault_is_reported_as_what_it_is_in_time_and_the_next_export_carries_everything() {
    let cases = [
        (Fault::Hang, ["no answer within ", "no answer within "]),
        (Fault::Reset, ["the connection broke before the answer", "the connection broke before the answer"]),
        (
            Fault::CloseBeforeReading,
            ["the connection broke before the answer", "the connection broke before the answer"],
        ),
        (
            status(Code::Unavailable, 503, None),
            ["cannot take it now, Unavailable", "cannot take it now, 503"],
        ),
        (
            status(Code::ResourceExhausted, 429, None),
            ["refuses it with ResourceExhausted", "cannot take it now, 429"],
        ),
        (
            status(Code::InvalidArgument, 400, None),
            ["refuses it with InvalidArgument", "refuses it with 400"],
        ),
    ];
    for protocol in BOTH {
        let receiver = Receiver::start().unwrap();
        let mut pushed = Pushed::to(protocol, &receiver);
        for (fault, expected) in &cases {
            receiver.set_fault(fault.clone());
            pushed.poll();
            let start = Instant::now();
            let error = pushed.export().unwrap_err().to_string();
            assert!(start.elapsed() < TIMEOUT + GRACE, "{protocol:?} {fault:?}");
            let expected = expected[usize::from(protocol == Protocol::Http)];
            assert!(error.contains(expected), "{protocol:?} {fault:?}: {error}");
            let port = match protocol {
                Protocol::Grpc => receiver.grpc_port(),
                Protocol::Http => receiver.http_port(),
            };
            assert!(error.contains(&format!("127.0.0.1:{port} (")), "{error}");

            receiver.set_fault(Fault::None);
            pushed.export().unwrap();
            assert_eq!(count(&receiver), Some(pushed.recorded), "{protocol:?} {fault:?}");
        }
    }
}

#[test]
fn a_wait_that_the_receiver_asks_for_is_kept_and_the_export_after_it_carries_everything() {
    let wait = Duration::from_secs(2);
    for protocol in BOTH {
        for (code, http, said) in
            [(Code::Unavailable, 503, "Unavailable"), (Code::ResourceExhausted, 429, "ResourceExhausted")]
        {
            let receiver = Receiver::start().unwrap();
            let mut pushed = Pushed::to(protocol, &receiver);
            receiver.set_fault(status(code, http, Some(wait)));
            pushed.poll();
            let start = Instant::now();
            let error = pushed.export().unwrap_err().to_string();
            let said = if protocol == Protocol::Grpc { said.to_owned() } else { http.to_string() };
            assert!(error.contains(&format!("cannot take it now, {said}")), "{protocol:?}: {error}");
            receiver.set_fault(Fault::None);
            pushed.poll();
            // On a machine that is too slow the wait is over.
            if let Err(error) = pushed.export() {
                assert!(error.to_string().contains("has asked for a wait"), "{protocol:?}: {error}");
                assert_eq!(receiver.attempts(), 1);
            }
            while pushed.export().is_err() {
                std::thread::yield_now();
            }
            assert!(start.elapsed() >= wait, "{protocol:?} {:?}", start.elapsed());
            assert_eq!(count(&receiver), Some(pushed.recorded), "{protocol:?}");
        }
    }
}

/// The status says that the request was taken; what an answer says beyond that is no reason to
/// count twice.
#[test]
fn an_answer_of_success_that_cannot_be_read_is_a_success() {
    for protocol in BOTH {
        let receiver = Receiver::start().unwrap();
        let mut pushed = Pushed::to(protocol, &receiver);
        receiver.set_fault(Fault::Garbage);
        pushed.poll();
        pushed.export().unwrap();
        assert_eq!(receiver.attempts(), 1, "{protocol:?}: it is not sent again");
        receiver.set_fault(Fault::None);
        pushed.export().unwrap();
        // What is cumulative is whole again.
        assert_eq!(count(&receiver), Some(1), "{protocol:?}");
    }
}

#[test]
fn a_receiver_that_asks_for_a_moment_is_asked_again_within_the_time() {
    for protocol in BOTH {
        let receiver = Receiver::start().unwrap();
        let mut pushed = Pushed::by(|workers| otlp(workers, protocol, &receiver).with_timeout(PATIENCE));
        pushed.poll();
        let unavailable = || status(Code::Unavailable, 503, None);
        receiver.set_faults([unavailable(), unavailable(), Fault::None]);
        pushed.export().unwrap();
        assert_eq!((receiver.attempts(), count(&receiver)), (3, Some(1)), "{protocol:?}");
    }
}

#[test]
fn a_partial_success_is_not_sent_again() {
    for protocol in BOTH {
        let receiver = Receiver::start().unwrap();
        let mut pushed = Pushed::to(protocol, &receiver);
        receiver.set_fault(Fault::PartialSuccess { rejected: 0, message: "a word of warning".to_owned() });
        pushed.poll();
        pushed.export().unwrap();
        assert_eq!((receiver.attempts(), count(&receiver)), (1, Some(1)), "{protocol:?}");
    }
}

#[test]
fn nobody_listening_is_reported_in_time() {
    for protocol in BOTH {
        let endpoint = format!("http://127.0.0.1:{}", lasting_port());
        let receiver = Receiver::start().unwrap();
        let pushed = Pushed::by(|workers| otlp(workers, protocol, &receiver).with_endpoint(&endpoint));
        let start = Instant::now();
        let error = pushed.export().unwrap_err().to_string();
        assert!(start.elapsed() < TIMEOUT + GRACE, "{protocol:?}");
        assert!(error.contains("the receiver cannot be reached"), "{protocol:?}: {error}");
        assert!(error.to_lowercase().contains("connection refused"), "{protocol:?}: {error}");
        assert!(error.starts_with(&endpoint), "{error}");
    }
}

#[test]
fn a_push_that_was_started_on_a_runtime_exports_while_all_its_workers_are_blocked() {
    for protocol in BOTH {
        let receiver = Receiver::start().unwrap();
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let mut pushed = runtime.block_on(async {
            Pushed::by(|workers| otlp(workers, protocol, &receiver).with_timeout(PATIENCE))
        });
        let (begun, begins) = channel();
        let (release, released) = channel::<()>();
        runtime.spawn(async move {
            begun.send(()).unwrap();
            // An error is the end of a failed test.
            let _ = released.recv();
        });
        begins.recv().unwrap();
        pushed.poll();
        pushed.export().unwrap();
        assert_eq!(count(&receiver), Some(1), "{protocol:?}");
        release.send(()).unwrap();
    }
}

#[test]
fn a_push_and_an_exporter_may_be_used_and_dropped_on_a_runtime() {
    let receiver = Receiver::start().unwrap();
    let runtimes = [
        Builder::new_current_thread().enable_all().build().unwrap(),
        Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap(),
    ];
    for runtime in runtimes {
        for protocol in BOTH {
            runtime.block_on(async {
                let mut pushed = Pushed::to(protocol, &receiver);
                pushed.poll();
                pushed.export().unwrap();
                drop(pushed);
                drop(otlp(&Instrumentation::default(), protocol, &receiver).exporter().unwrap());
            });
        }
    }
}

/// The client or channel of the program carries everything.
#[test]
fn a_client_or_a_channel_of_the_program_is_used() {
    let transport = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    for protocol in BOTH {
        let receiver = Receiver::start().unwrap();
        let mut pushed = Pushed::by(|workers| {
            let _entered = transport.enter();
            match protocol {
                Protocol::Grpc => {
                    let channel = Endpoint::from_shared(receiver.grpc_endpoint()).unwrap().connect_lazy();
                    workers.otlp().with_channel(channel)
                }
                Protocol::Http => {
                    let client = std::thread::spawn(reqwest::blocking::Client::new).join().unwrap();
                    workers.otlp().with_endpoint(receiver.http_endpoint()).with_http_client(client)
                }
            }
            .with_timeout(TIMEOUT)
        });
        for fault in [Fault::None, Fault::Reset, Fault::Hang, Fault::None] {
            let fails = fault != Fault::None;
            receiver.set_fault(fault);
            pushed.poll();
            assert_eq!(pushed.export().is_err(), fails, "{protocol:?}");
        }
        assert_eq!(count(&receiver), Some(4), "{protocol:?}");
    }
}

#[test]
fn headers_arrive_and_are_shown_nowhere() {
    for protocol in BOTH {
        let receiver = Receiver::start().unwrap();
        let workers = Instrumentation::default();
        let otlp = otlp(&workers, protocol, &receiver).with_header("api-key", "hunter2");
        assert!(!format!("{otlp:?}").contains("hunter2"));
        let push = otlp.start().unwrap();
        let (pool, _batches) = Pool::builder("render").workers(1).build().unwrap();
        let _attachment = workers.attach(pool).unwrap();
        push.force_flush().unwrap();
        for shown in [format!("{push:?}"), format!("{:?}", workers.status()), workers.status().to_string()] {
            assert!(!shown.contains("hunter2"), "{shown}");
        }
        let transport = receiver.last_transport().unwrap();
        assert_eq!(transport.header("api-key"), Some("hunter2"));
        let user_agent = transport.header("user-agent").unwrap();
        assert!(user_agent.contains("worker-metrics-otel/"), "{user_agent}");
    }
}

#[test]
fn bad_input_is_refused_with_the_remedy() {
    let workers = Instrumentation::default();
    let receiver = Receiver::start().unwrap();
    let bad = |otlp: Otlp| otlp.start().unwrap_err().to_string();
    let otlp = || otlp(&workers, Protocol::Grpc, &receiver);
    for endpoint in ["http://", "http://localhost:port", "http://local host:4317"] {
        assert_eq!(
            bad(otlp().with_endpoint(endpoint)),
            "Otlp::with_endpoint is not usable: use a URL such as http://localhost:4317"
        );
    }
    let error = bad(otlp().with_header("api key", "hunter2"));
    assert_eq!(
        error,
        "a header is not usable: its name is no name of a header: use letters, digits and \"-\""
    );
    for error in [bad(otlp().with_timeout(Duration::ZERO)), bad(otlp().with_interval(Duration::ZERO))] {
        assert!(error.ends_with("is \"0\": set some time above 0"), "{error}");
    }
    assert!(workers.status().exports.is_empty(), "nothing was started");
}
