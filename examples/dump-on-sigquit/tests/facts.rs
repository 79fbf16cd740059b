//! The example, as a user runs it.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use worker_metrics_otel::worker_metrics_thread_dump::coverage;

fn send(signal: Signal, child: &Child) {
    kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
}

#[test]
fn a_process_whose_workers_are_all_blocked_says_where_and_ends_when_it_is_told_to() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_dump-on-sigquit"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(output.next().unwrap().unwrap().starts_with("all workers block"));

    // A worker may not have come to its task yet: then it is asked again.
    let is_seen = coverage().looks.is_ok() && coverage().descriptors.is_ok();
    loop {
        send(Signal::SIGQUIT, &child);
        // What it is, an empty line, the runtime, an empty line.
        let mut paragraph =
            || errors.by_ref().map(Result::unwrap).take_while(|line| !line.is_empty()).collect::<Vec<_>>();
        assert!(paragraph()[0].starts_with("workers of process"));
        let page = paragraph().join("\n");
        assert!(page.contains("\"main\" (tokio, id 1): 2 workers"), "{page}");
        let causes = ["blocking I/O", "waiting for a lock"];
        if !is_seen || causes.iter().all(|cause| page.contains(cause)) {
            assert!(page.contains("of the group \"checkout\""), "{page}");
            break;
        }
    }
    send(Signal::SIGTERM, &child);
    assert_eq!(output.next().unwrap().unwrap(), "ended");
    assert!(child.wait().unwrap().success());
}
