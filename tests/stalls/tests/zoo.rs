//! Every way to block a worker, on each kind of runtime: what the watchdog reports of it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::sync::Mutex;
use std::thread;

use stalls::{ANIMALS, Animal, Case, Instrumented, Place, judged};

/// So many stalls at once: their threads sleep, and only their reports take time.
const AT_ONCE: usize = 12;

/// Fails with every fault of every case, after all of them have run.
fn hold(cases: Vec<Case>, at_once: usize) {
    let count = cases.len();
    assert!(count > 0);
    let (cases, faults) = (Mutex::new(cases), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                // The lock is not held during the run.
                while let Some(case) = { cases.lock().unwrap().pop() } {
                    let verdict = judged(&case);
                    let more =
                        verdict.faults.iter().map(|fault| format!("{case}: {fault}\n{}", verdict.text));
                    faults.lock().unwrap().extend(more);
                }
            });
        }
    });
    let faults = faults.into_inner().unwrap();
    assert!(faults.is_empty(), "{} faults in {count} cases:\n{}", faults.len(), faults.join("\n"));
}

fn named(name: &str) -> Animal {
    *ANIMALS.iter().find(|animal| animal.name == name).unwrap()
}

#[test]
fn a_worker_that_blocks_in_one_call_is_reported_once_with_its_cause_its_line_and_its_duration() {
    let animals: Vec<_> = ANIMALS.into_iter().filter(Animal::blocks_in_one_call).collect();
    hold(Case::all(&animals), AT_ONCE);
}

#[test]
fn many_short_waits_in_one_poll_are_one_stall_or_none() {
    hold(Case::all(&[named("short_sleeps")]), AT_ONCE);
}

#[test]
fn a_worker_that_computes_is_reported_where_that_can_be_proved() {
    use {Instrumented as By, Place as On};
    let case = |name, place, instrumented| Case { animal: named(name), place, instrumented };
    let cases = vec![
        case("computation", On::MultiThread, By::Plain),
        case("computation", On::CurrentThread, By::Plain),
        case("computation", On::MultiThread, By::Tasks),
        case("computation", On::MultiThread, By::Hooked),
        case("computation", On::CurrentThread, By::Tasks),
        case("computation", On::LocalSet, By::Tasks),
        case("computation", On::Root, By::Hooked),
        case("page_faults", On::MultiThread, By::Plain),
        case("page_faults", On::MultiThread, By::Tasks),
        case("page_faults", On::CurrentThread, By::Hooked),
    ];
    hold(cases, 2);
    // They take the CPUs from others.
    hold(vec![case("no_cpu", On::CurrentThread, By::Tasks), case("no_cpu", On::MultiThread, By::Hooked)], 1);
}
