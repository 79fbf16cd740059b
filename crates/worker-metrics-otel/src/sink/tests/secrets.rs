//! Nothing secret is told.

use std::fmt::Debug;

use otlp_receiver::{Code, Fault, Receiver, lasting_port};

use super::{SHORT, from, protocols, send, sink};

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
        let sink = from(protocol, &endpoint, &[("HEADERS", "api-key=hunter2-hunter2")]).unwrap();
        assert_silent(&sink, "-");
        let text = format!("{sink:?}");
        assert!(
            text.contains("endpoint: Some(http://localhost:4318)")
                || text.contains("endpoint: http://localhost:4318"),
            "{text}"
        );
        assert!(text.contains("{\"api-key\"}"), "{text}");
    }
}

#[test]
fn errors_of_a_send_are_silent_too() {
    for protocol in protocols() {
        let receiver = Receiver::start().unwrap();
        let headers = ("HEADERS", "api-key=hunter2-hunter2");
        let sink = sink(protocol, &receiver, &[headers, ("TIMEOUT", SHORT)]);
        for fault in [
            Fault::Hang,
            Fault::Reset,
            Fault::Garbage,
            Fault::Status { grpc: Code::Unauthenticated, http: 401, retry_after: None },
            Fault::Status { grpc: Code::Unavailable, http: 503, retry_after: None },
        ] {
            receiver.set_fault(fault);
            let error = send(&sink).unwrap_err();
            assert_silent(&error, &error.to_string());
        }
        for host in [format!("127.0.0.1:{}", lasting_port()), "nowhere.invalid:1".to_owned()] {
            let endpoint = format!("http://user:{SECRET}@{host}/{SECRET}?key={SECRET}");
            let sink = from(protocol, &endpoint, &[headers, ("TIMEOUT", SHORT)]).unwrap();
            let error = send(&sink).unwrap_err();
            assert_silent(&error, &error.to_string());
        }
    }
}

#[test]
fn user_and_password_of_the_endpoint_do_not_travel() {
    for protocol in protocols() {
        let receiver = Receiver::start().unwrap();
        let endpoint = super::endpoint(protocol, &receiver).replace("//", &format!("//user:{SECRET}@"));
        send(&from(protocol, &endpoint, &[]).unwrap()).unwrap();
        assert_silent(&receiver.last_transport().unwrap(), "-");
    }
}
