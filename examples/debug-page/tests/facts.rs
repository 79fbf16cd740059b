//! The example, as a user runs it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use serde_json::Value;
use worker_metrics_otel::worker_metrics_thread_dump::coverage;

/// The header and the body of the answer.
fn get(address: &str, path: &str, accept: &str) -> (String, String) {
    let mut connection = TcpStream::connect(address).unwrap();
    write!(
        connection,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let (header, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(header.starts_with("HTTP/1.1 200"), "{header}");
    (header.to_lowercase(), body.to_owned())
}

#[test]
fn the_page_answers_while_every_worker_is_blocked_and_ends_with_the_program() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_debug-page"))
        .arg("0")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = output.next().unwrap().unwrap();
    let (_, url) = line.split_once("http://").unwrap();
    let (address, path) = url.split_at(url.find('/').unwrap());

    // A worker may not have come to its task yet: then it is asked again.
    let is_seen = coverage().looks.is_ok();
    let page = loop {
        let (header, page) = get(address, path, "text/html");
        assert!(header.contains("content-type: text/plain"), "{header}");
        if !is_seen || page.matches("waiting for a lock").count() == 2 {
            break page;
        }
    };
    assert!(page.contains("\"main\" (tokio, id 1): 2 workers"), "{page}");
    assert!(page.contains("of the group \"render\""), "{page}");

    for (path, accept) in [(path, "application/json"), ("/debug/workers.json", "*/*")] {
        let (header, body) = get(address, path, accept);
        assert!(header.contains("content-type: application/json"), "{header}");
        let dump: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(dump["process_id"], child.id());
        let workers = dump["sources"][0]["workers"].as_array().unwrap();
        assert_eq!(workers.len(), 2);
        for worker in workers {
            assert_eq!(worker["task_group"], "render");
            assert!(!is_seen || worker["cause"] == "lock", "{worker}");
        }
    }
    drop(child.stdin.take());
    assert_eq!(output.next().unwrap().unwrap(), "ended");
    assert!(child.wait().unwrap().success());
}
