//! Why an export fails: each cause with its address, its protocol and its remedy.

use std::net::TcpListener;
use std::time::Duration;

use otlp_receiver::{Code, Fault, Receiver, TestCa, Tls as ServerTls};
use scenarios::{poll, pool, receiver};
use worker_metrics_otel::{Cause, ExportError, Instrumentation, Otlp, Protocol, RetryPolicy, Tls};

const BOTH: [Protocol; 2] = [Protocol::Grpc, Protocol::HttpProtobuf];

/// Exports to an address, which has to fail.
#[track_caller]
fn failure(address: &str, protocol: Protocol, settings: impl FnOnce(Otlp) -> Otlp) -> ExportError {
    let workers = Instrumentation::default();
    let (pool, mut batches) = pool("render", 1);
    let _attached = workers.attach(pool).unwrap();
    poll(&mut batches, 1);
    let otlp = workers.otlp().with_endpoint(address).with_protocol(protocol);
    let otlp = otlp.with_timeout(Duration::from_secs(10)).with_retry_policy(RetryPolicy::disabled());
    let push = settings(otlp).with_shutdown_timeout(Duration::ZERO).start().unwrap();
    push.force_flush().unwrap_err()
}

/// Checks an error for what every one of them names.
#[track_caller]
fn assert_names(error: &ExportError, address: &str, protocol: Protocol, remedy: &str) {
    let said = error.to_string();
    assert!(said.starts_with(&format!("{address} ({protocol}): ")), "{said}");
    assert!(said.contains(remedy), "{said}");
}

/// Scheme, host and port of the server of a protocol.
fn base(receiver: &Receiver, protocol: Protocol) -> String {
    match protocol {
        Protocol::Grpc => receiver.grpc_endpoint(),
        _ => receiver.http_base(),
    }
}

fn other(protocol: Protocol) -> Protocol {
    match protocol {
        Protocol::Grpc => Protocol::HttpProtobuf,
        _ => Protocol::Grpc,
    }
}

#[test]
fn the_wrong_protocol_for_the_port() {
    let receiver = receiver().start().unwrap();
    for protocol in BOTH {
        let address = base(&receiver, other(protocol));
        let error = failure(&address, protocol, |otlp| otlp);
        assert_eq!(error.cause, Cause::WrongProtocol, "{error}");
        assert_names(&error, &address, protocol, "OTEL_EXPORTER_OTLP_PROTOCOL");
    }
}

#[test]
fn plain_against_tls() {
    let ca = TestCa::new();
    let receiver = receiver().tls(ServerTls::new(&ca.server(["127.0.0.1"]))).start().unwrap();
    for protocol in BOTH {
        let address = base(&receiver, protocol).replace("https", "http");
        let error = failure(&address, protocol, |otlp| otlp);
        assert_eq!(error.cause, Cause::TlsWanted, "{error}");
        assert_names(&error, &address, protocol, "https");
    }
}

#[test]
fn tls_against_plain() {
    let receiver = receiver().start().unwrap();
    for protocol in BOTH {
        let address = base(&receiver, protocol).replace("http", "https");
        let error = failure(&address, protocol, |otlp| otlp);
        assert_eq!(error.cause, Cause::NoTls, "{error}");
        assert_names(&error, &address, protocol, "use an http address");
    }
}

#[test]
fn a_certificate_that_does_not_fit() {
    let ca = TestCa::new();
    let stranger = TestCa::new();
    let trusts = |ca: &TestCa| Tls::new().with_ca_certificate(ca.pem());
    for (identity, trusted) in [
        (ca.server(["127.0.0.1"]), &stranger),
        (ca.server(["elsewhere.test"]), &ca),
        (ca.expired_server(["127.0.0.1"]), &ca),
    ] {
        let receiver = receiver().tls(ServerTls::new(&identity)).start().unwrap();
        for protocol in BOTH {
            let address = base(&receiver, protocol);
            let error = failure(&address, protocol, |otlp| otlp.with_tls(trusts(trusted)));
            assert!(matches!(error.cause, Cause::Certificate(_)), "{error:?}");
            assert_names(&error, &address, protocol, "OTEL_EXPORTER_OTLP_CERTIFICATE");
        }
    }
}

#[test]
fn a_client_certificate_that_is_missing_or_of_somebody_else() {
    let (ca, stranger) = (TestCa::new(), TestCa::new());
    let tls = ServerTls::new(&ca.server(["127.0.0.1"])).demand_client_of(&ca);
    let receiver = receiver().tls(tls).start().unwrap();
    let trusts = || Tls::new().with_ca_certificate(ca.pem());
    let strange = stranger.client("stranger");
    for protocol in BOTH {
        let address = base(&receiver, protocol);
        for tls in [trusts(), trusts().with_client_certificate(strange.certificate(), strange.key())] {
            let error = failure(&address, protocol, |otlp| otlp.with_tls(tls));
            assert!(matches!(error.cause, Cause::ClientCertificate(_)), "{error:?}");
            assert_names(&error, &address, protocol, "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE");
        }
    }
}

#[test]
fn a_client_certificate_that_fits_is_taken() {
    let ca = TestCa::new();
    let tls = ServerTls::new(&ca.server(["127.0.0.1"])).demand_client_of(&ca);
    let receiver = receiver().tls(tls).start().unwrap();
    let client = ca.client("service");
    for protocol in BOTH {
        let workers = Instrumentation::default();
        let (pool, mut batches) = pool("render", 1);
        let _attached = workers.attach(pool).unwrap();
        poll(&mut batches, 1);
        let tls = Tls::new()
            .with_ca_certificate(ca.pem())
            .with_client_certificate(client.certificate(), client.key());
        let otlp = workers.otlp().with_endpoint(base(&receiver, protocol)).with_protocol(protocol);
        otlp.with_tls(tls).start().unwrap().force_flush().unwrap();
    }
}

#[test]
fn a_name_that_does_not_resolve() {
    for protocol in BOTH {
        let address = "http://collector.test.invalid:4318";
        let error = failure(address, protocol, |otlp| otlp);
        assert!(matches!(error.cause, Cause::UnknownHost(_)), "{error:?}");
        assert_names(&error, address, protocol, "OTEL_EXPORTER_OTLP_ENDPOINT");
    }
}

#[test]
fn nobody_listening() {
    for protocol in BOTH {
        let address = "http://127.0.0.1:9";
        let error = failure(address, protocol, |otlp| otlp);
        assert!(matches!(error.cause, Cause::Unreachable(_)), "{error:?}");
        assert_names(&error, address, protocol, "does it run, and listen on that port?");
    }
}

#[test]
fn a_receiver_that_never_answers() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    for protocol in BOTH {
        let error = failure(&address, protocol, |otlp| otlp.with_timeout(Duration::from_millis(200)));
        assert!(matches!(error.cause, Cause::Timeout(_)), "{error:?}");
        assert_names(&error, &address, protocol, "no answer within");
    }
}

#[test]
fn a_refusal_with_a_status() {
    let receiver = receiver().start().unwrap();
    receiver.set_fault(Fault::Status { grpc: Code::Unauthenticated, http: 401, retry_after: None });
    for protocol in BOTH {
        let address = base(&receiver, protocol);
        let error = failure(&address, protocol, |otlp| otlp.with_header("api-key", "very-secret"));
        assert!(matches!(error.cause, Cause::Refused { .. }), "{error:?}");
        assert_names(&error, &address, protocol, "OTEL_EXPORTER_OTLP_HEADERS");
        assert!(!format!("{error:?}{error}").contains("very-secret"));
    }
}
