//! What a thread that computes is doing. One test: there is one profiler in a process.
#![cfg(all(feature = "sampling", target_os = "linux"))]

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use worker_metrics_thread_dump::{NoSamples, SampledThread};

static STOP: AtomicBool = AtomicBool::new(false);

#[inline(never)]
fn matches_slowly(mut number: u64) -> u64 {
    while !STOP.load(Relaxed) {
        for _ in 0..1000 {
            number = black_box(number.wrapping_mul(31) ^ 7);
        }
    }
    number
}

#[inline(never)]
fn handles_a_request() -> u64 {
    matches_slowly(black_box(1)) + 1
}

#[test]
fn a_thread_that_computes_says_where() {
    let (says, said) = channel();
    let computes = thread::spawn(move || {
        says.send(SampledThread::current()).expect("it is received");
        handles_a_request()
    });
    let computing = said.recv().expect("it says so");
    let samples = computing.sample(Duration::from_millis(500)).expect("it computes");
    let most = &samples[0];
    println!(
        "{} of {}:\n{}",
        most.count,
        samples.iter().map(|sample| sample.count).sum::<usize>(),
        most.stack
    );
    let own: Vec<_> = most.stack.topmost().map(|frame| frame.label().to_string()).collect();
    let position = |name: &str| own.iter().position(|label| label.contains(name));
    assert!(position("matches_slowly").is_some(), "{own:?}");
    assert!(position("matches_slowly") < position("handles_a_request"), "{own:?}");
    assert!(!most.stack.complete);

    STOP.store(true, Relaxed);
    computes.join().expect("it ends");
    let idle = SampledThread::current().sample(Duration::from_millis(50));
    assert_eq!(idle, Err(NoSamples::Idle));
}
