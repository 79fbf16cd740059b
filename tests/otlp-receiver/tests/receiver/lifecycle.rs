//! Starting, waiting, stopping.

use std::{
    error::Error,
    net::TcpStream,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use opentelemetry::metrics::MeterProvider;
use otlp_receiver::{Fault, Protocol, Receiver, ReceiverError, lasting_port};

use crate::{
    message::{gauge, metric, number, of},
    peer::{BOTH, LONG, Options, Pipeline, send},
};

fn on_lasting_ports() -> Receiver {
    Receiver::builder().grpc_port(lasting_port()).http_port(lasting_port()).start().unwrap()
}

#[test]
fn endpoints_name_the_two_ports() {
    let receiver = Receiver::start().unwrap();
    let (grpc, http) = (receiver.grpc_port(), receiver.http_port());
    assert!(grpc != 0 && http != 0 && grpc != http);
    assert_eq!(receiver.grpc_endpoint(), format!("http://127.0.0.1:{grpc}"));
    assert_eq!(receiver.http_base(), format!("http://127.0.0.1:{http}"));
    assert_eq!(receiver.http_endpoint(), format!("http://127.0.0.1:{http}/v1/metrics"));
}

#[test]
fn an_exporter_survives_a_receiver_that_is_down_and_then_back() {
    for protocol in BOTH {
        let receiver = on_lasting_ports();
        let (grpc, http) = (receiver.grpc_port(), receiver.http_port());
        let pipeline = Pipeline::new(&receiver, Options::new(protocol));
        let counter = pipeline.provider.meter("test").u64_counter("test.counter").build();
        counter.add(1, &[]);
        pipeline.export().unwrap();
        assert_eq!(receiver.exports(), 1);

        drop(receiver);
        pipeline.export().unwrap_err();

        let receiver = Receiver::builder().grpc_port(grpc).http_port(http).start().unwrap();
        assert_eq!((receiver.grpc_port(), receiver.http_port()), (grpc, http));
        assert_eq!(receiver.snapshot().metrics, []);
        counter.add(1, &[]);
        pipeline.export().unwrap();
        let document = receiver.snapshot();
        assert_eq!(document.exports, 1);
        assert_eq!(document.metric("test.counter").unwrap().points[0].value().unwrap().as_i64(), Some(2));
    }
}

#[test]
fn dropping_the_receiver_frees_its_ports() {
    let receiver = on_lasting_ports();
    let ports = [receiver.grpc_port(), receiver.http_port()];
    let held = ports.map(|port| TcpStream::connect(("127.0.0.1", port)).unwrap());
    drop(receiver);
    for port in ports {
        TcpStream::connect(("127.0.0.1", port)).unwrap_err();
    }
    drop(held);
}

#[test]
fn a_receiver_serves_while_the_runtime_it_was_started_on_is_blocked() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let receiver = Receiver::start().unwrap();
        // Blocks this runtime's only thread until the answer is there.
        thread::scope(|scope| {
            let request = of(vec![metric("test.gauge", gauge(vec![number(vec![], 1, 1)]))]);
            scope.spawn(|| send(&receiver, request)).join().unwrap();
        });
        assert_eq!(receiver.exports(), 1);
        // Neither does dropping it need the runtime.
        drop(receiver);
    });
}

#[test]
fn a_port_that_is_taken_is_named_in_the_error() {
    let first = Receiver::start().unwrap();
    let error = Receiver::builder().grpc_port(first.grpc_port()).start().unwrap_err();
    assert!(
        matches!(&error, ReceiverError::Bind { protocol: Protocol::Grpc, port, .. } if *port == first.grpc_port())
    );
    let message = error.to_string();
    assert!(message.contains(&first.grpc_port().to_string()) && message.contains("gRPC"), "{message}");
    assert!(error.source().is_some());

    let error = Receiver::builder().http_port(first.http_port()).start().unwrap_err();
    assert!(matches!(error, ReceiverError::Bind { protocol: Protocol::Http, .. }));
}

#[test]
fn waiting_ends_with_the_condition_or_with_the_time() {
    let receiver = Receiver::start().unwrap();
    assert!(!receiver.wait_for_exports(1, Duration::from_millis(20)));
    assert!(receiver.wait_for_exports(0, Duration::ZERO), "what holds already is not waited for");
    // Keeps the request's arrival and its acceptance apart, so that the one cannot wake the waiter
    // in place of the other.
    receiver.set_fault(Fault::Delay(Duration::from_millis(50)));
    let begun = Instant::now();
    let (looked, has_looked) = mpsc::channel();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            let looked = looked;
            receiver.wait_until(LONG, |state| {
                looked.send((state.attempts(), state.exports())).unwrap();
                state.exports() == 1
                    && state.live_series() == 1
                    && state.document().metric("test.gauge").is_some()
            })
        });
        assert_eq!(has_looked.recv(), Ok((0, 0)));
        send(&receiver, of(vec![metric("test.gauge", gauge(vec![number(vec![], 1, 1)]))]));
        assert!(waiter.join().unwrap());
    });
    assert!(begun.elapsed() < LONG, "the waiter was woken");
    assert!(receiver.wait_for_exports(1, Duration::MAX));
}

#[test]
fn a_condition_that_panics_does_not_break_the_receiver() {
    let receiver = Receiver::start().unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| receiver.wait_until(LONG, |_| panic!("on purpose"))));
    assert!(panicked.is_err());
    send(&receiver, of(vec![metric("test.gauge", gauge(vec![number(vec![], 1, 1)]))]));
    assert_eq!(receiver.exports(), 1);
}

#[test]
fn requests_are_kept_only_if_asked_for() {
    let request = of(vec![metric("test.gauge", gauge(vec![number(vec![], 1, 1)]))]);
    let keeps = Receiver::builder().keep_requests(true).start().unwrap();
    send(&keeps, request.clone());
    assert_eq!(keeps.requests(), std::slice::from_ref(&request));

    let forgets = Receiver::start().unwrap();
    send(&forgets, request);
    assert_eq!(forgets.exports(), 1);
    assert_eq!(forgets.requests(), []);
}
