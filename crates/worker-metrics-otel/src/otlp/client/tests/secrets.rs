//! Nothing secret is told.

use std::fmt::Debug;
use std::process::Command;

use otlp_receiver::{Answer, Code, Fault, lasting_port};

use super::{Program, SHORT, protocols, receiver};

const SECRET: &str = "hunter2-hunter2";

fn assert_silent(told: &dyn Debug, display: &str) {
    for text in [format!("{told:?}"), format!("{told:#?}"), display.to_owned()] {
        assert!(!text.is_empty());
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn debug_shows_the_host_and_the_names_of_headers_and_no_more() {
    for protocol in protocols() {
        let endpoint = format!("http://user:{SECRET}@localhost:4318/{SECRET}?key={SECRET}");
        let program = Program::new();
        let otlp = program.otlp(protocol, &endpoint).with_header("api-key", SECRET);
        assert_silent(&otlp, "-");
        let exporter = program.workers.otlp().with_protocol(protocol).with_endpoint(&endpoint);
        assert_silent(&exporter.with_header("api-key", SECRET).exporter().unwrap(), "-");
        let push = otlp.start().unwrap();
        assert_silent(&push, &program.workers.status().to_string());
        let text = format!("{push:?}");
        assert!(text.contains("http://localhost:4318") && text.contains("{\"api-key\"}"), "{text}");
    }
}

#[test]
fn errors_of_an_export_are_silent_too() {
    for protocol in protocols() {
        let receiver = receiver();
        let program = Program::new();
        let otlp = program.otlp(protocol, &super::endpoint(protocol, &receiver));
        let push = otlp.with_header("api-key", SECRET).start().unwrap();
        let quote = |status| Answer::new(status).header("content-type", "text/plain").body(SECRET);
        for fault in [
            Fault::Hang,
            Fault::Reset,
            Fault::Status { grpc: Code::Unauthenticated, http: 401, retry_after: None },
            Fault::Status { grpc: Code::Unavailable, http: 503, retry_after: None },
            Fault::Answer(quote(401)),
            Fault::Answer(quote(503)),
            Fault::Answer(Answer::trailers_only(Code::Unauthenticated, SECRET)),
            Fault::Answer(Answer::trailers_only(Code::Unavailable, SECRET)),
        ] {
            receiver.set_fault(fault);
            let error = push.force_flush_with_timeout(SHORT).unwrap_err();
            assert_silent(&error, &error.to_string());
            assert_silent(&program.workers.status(), &program.workers.status().to_string());
        }
        receiver.set_fault(Fault::PartialSuccess { rejected: 1, message: format!("not with {SECRET}") });
        push.force_flush().unwrap();
        for host in [format!("127.0.0.1:{}", lasting_port()), "nowhere.invalid:1".to_owned()] {
            let endpoint = format!("http://user:{SECRET}@{host}/{SECRET}?key={SECRET}");
            let otlp = program.otlp(protocol, &endpoint).with_header("api-key", SECRET);
            let error = otlp.start().unwrap().force_flush_with_timeout(SHORT).unwrap_err();
            assert_silent(&error, &error.to_string());
        }
    }
}

#[test]
fn bad_settings_are_refused_without_their_values() {
    let program = Program::new();
    for protocol in protocols() {
        for (name, value) in
            [("api key", SECRET), ("api-key", "hunter2\n"), ("content-type", SECRET), ("", SECRET)]
        {
            let otlp = program.otlp(protocol, "http://localhost:1").with_header(name, value);
            let error = otlp.start().unwrap_err();
            assert_silent(&error, &error.to_string());
        }
        for endpoint in
            ["http://hunter2 hunter2", "hunter2://", "http://user:hunter2@", "http://hunter2:99999"]
        {
            let error = program.otlp(protocol, endpoint).start().unwrap_err();
            assert_silent(&error, &error.to_string());
        }
    }
}

#[test]
fn nothing_secret_is_logged() {
    // The log of these tests goes to standard output, which only another process can read.
    let tests = std::env::current_exe().unwrap();
    let test = "otlp::client::tests::secrets::errors_of_an_export_are_silent_too";
    let output = Command::new(tests).args(["--exact", test, "--nocapture"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    for event in ["WorkerMetrics.PushStarted", "WorkerMetrics.ExportFailed", "WorkerMetrics.PartialSuccess"] {
        assert!(text.contains(event), "{event}: {text}");
    }
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn user_and_password_of_the_endpoint_do_not_travel() {
    for protocol in protocols() {
        let receiver = receiver();
        let endpoint = super::endpoint(protocol, &receiver).replace("//", &format!("//user:{SECRET}@"));
        Program::new().otlp(protocol, &endpoint).start().unwrap().force_flush().unwrap();
        assert_silent(&receiver.last_transport().unwrap(), "-");
    }
}
