//! Workers that are not stuck, however it looks: nothing is reported of them.
//!
//! `STALLS_SECONDS` sets for how many seconds each run goes on.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use stalls::{Healthy, Instrumented, SCENARIOS};

/// A run that takes the CPUs has them for itself.
static CPUS: Mutex<()> = Mutex::new(());

/// Twice the time that healthy polls of 20 ms can keep a worker silent is more than the rule needs.
fn length() -> Duration {
    let seconds = std::env::var("STALLS_SECONDS").ok();
    Duration::from_secs_f64(
        seconds.map_or(6.0, |seconds| seconds.parse().expect("STALLS_SECONDS is a number")),
    )
}

fn faults(scenario: &Healthy, instrumented: Instrumented, length: Duration) -> Option<String> {
    let reported = scenario.run(instrumented, length);
    assert!(reported.looks > 3, "{}: nobody looked", scenario.name);
    let stalls: String = reported.stalls.iter().map(|stall| format!("\n{stall}")).collect();
    (reported.stalls.len() != scenario.stalls)
        .then(|| format!("{}, {instrumented:?}: {} stalls{stalls}", scenario.name, reported.stalls.len()))
}

fn hold(faults: Vec<String>) {
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

fn one_after_another(instrumented: Instrumented, which: impl Fn(&Healthy) -> bool) {
    let _cpus = CPUS.lock().unwrap_or_else(PoisonError::into_inner);
    let busy: Vec<_> = SCENARIOS.iter().filter(|scenario| !scenario.is_quiet && which(scenario)).collect();
    assert!(!busy.is_empty());
    hold(busy.into_iter().filter_map(|scenario| faults(scenario, instrumented, length())).collect());
}

#[test]
fn a_saturated_runtime_has_no_stall() {
    one_after_another(Instrumented::Plain, |_| true);
}

#[test]
fn a_saturated_runtime_with_measured_tasks_has_no_stall() {
    one_after_another(Instrumented::Tasks, |scenario| scenario.name.contains("8 busy"));
}

#[test]
fn a_saturated_runtime_with_hooks_has_no_stall() {
    one_after_another(Instrumented::Hooked, |scenario| scenario.name.contains("polls of 20 ms"));
}

#[test]
fn a_runtime_at_rest_has_no_stall_and_one_that_cannot_shut_down_has_one() {
    let quiet = SCENARIOS.iter().filter(|scenario| scenario.is_quiet);
    let runs: Vec<_> = quiet.flat_map(|scenario| Instrumented::ALL.map(|it| (scenario, it))).collect();
    let faults = thread::scope(|scope| {
        let runs = runs.into_iter().map(|(scenario, instrumented)| {
            // Polled by CPU time, or not at all: those beside do not matter.
            scope.spawn(move || faults(scenario, instrumented, length()))
        });
        let runs: Vec<_> = runs.collect();
        runs.into_iter().filter_map(|run| run.join().unwrap()).collect()
    });
    hold(faults);
}

/// A process that runs a scenario, ended with the test.
struct Suspended(Child);

impl Suspended {
    fn start(name: &str, instrumented: Instrumented, length: Duration) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_zoo"))
            .args(["healthy", name, "--instrumented", &format!("{instrumented:?}")])
            .args(["--seconds", &length.as_secs_f64().to_string()])
            .stdout(Stdio::piped())
            .spawn();
        Self(child.unwrap())
    }

    fn signal(&self, signal: Signal) {
        let process = Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap();
        kill_process(process, signal).unwrap();
    }
}

impl Drop for Suspended {
    fn drop(&mut self) {
        // It has ended, or is of a test that has failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_process_that_was_suspended_has_no_stall() {
    let _cpus = CPUS.lock().unwrap_or_else(PoisonError::into_inner);
    let names = [
        "idle, 8 workers",
        "half loaded, 2 workers",
        "LIFO slot, 8 workers, polls of 2 ms",
        "yields, 1 worker, polls of 20 ms",
    ];
    let runs = names.into_iter().flat_map(|name| {
        [Instrumented::Plain, Instrumented::Hooked].map(|it| (name, Suspended::start(name, it, length() * 2)))
    });
    let runs: Vec<_> = runs.collect();
    let suspended = Duration::from_secs(2);
    for _ in 0..3 {
        thread::sleep(length() / 4);
        runs.iter().for_each(|(_, run)| run.signal(Signal::STOP));
        thread::sleep(suspended);
        runs.iter().for_each(|(_, run)| run.signal(Signal::CONT));
    }
    for (name, mut run) in runs {
        let lines = BufReader::new(run.0.stdout.take().unwrap()).lines();
        let output: Vec<_> = lines.map(|line| line.unwrap()).collect();
        let first = output.first().expect("it says what was reported");
        assert!(first.contains(name) && first.ends_with(": 0 of 0"), "{}", output.join("\n"));
        assert!(run.0.wait().unwrap().success());
    }
}
