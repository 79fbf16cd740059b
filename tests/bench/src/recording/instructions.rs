//! Instructions of one event, counted by callgrind: the same on every machine that runs what this
//! compiler made.
//!
//! `bench --check` fails where one takes more than it may; CI runs it.

use std::io::ErrorKind;
use std::process::{Command, ExitCode};

use super::subject::Run;
use super::table::Table;
use super::{duration, event, submit};
use crate::report::{Limit, Target, targets};

/// Events of the shorter of two runs; the other has twice as many, so that what comes before and
/// after cancels.
///
/// As often as all durations come.
const EVENTS: u64 = 8 * duration::COUNT as u64;

/// valgrind is not installed.
#[derive(Debug)]
pub(super) struct NotInstalled;

/// A table of everything that is counted, and whether it is within its limits.
pub(super) fn table() -> Result<(String, bool), NotInstalled> {
    let counted = all()?;
    let kept = counted.iter().all(Target::is_kept);
    Ok((targets(&counted.iter().collect::<Vec<_>>()), kept))
}

/// Prints the table. It ends with 1 where a limit is exceeded, and with 3 where valgrind is not
/// installed.
pub(super) fn check() -> ExitCode {
    match table() {
        Ok((table, kept)) => {
            print!("{table}");
            if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(NotInstalled) => {
            println!("SKIPPED: valgrind is not installed");
            ExitCode::from(3)
        }
    }
}

fn all() -> Result<Vec<Target>, NotInstalled> {
    let target = |measure, most, measured| Target { measure, limit: Limit::AtMost(most), measured, note: "" };
    let of_event = |subject| instructions(Table::Event, subject);
    let nothing = of_event(event::NOTHING)?;
    let addition = of_event(event::ADDITION)? - nothing;
    let mut targets = vec![target(
        "`Batch::scheduled_locally`, against an addition".to_owned(),
        1.2,
        (of_event(event::BATCH)? - nothing) / addition,
    )];

    let nothing = instructions(Table::Duration, duration::NOTHING)?;
    for (scale, subject, most) in duration::LOCALS {
        let of_one = instructions(Table::Duration, subject)? - nothing;
        targets.push(target(format!("`LocalHistogram::measure`, {scale}"), most, of_one));
    }

    for (configuration, (name, most)) in submit::CONFIGURATIONS.into_iter().enumerate() {
        let of = |which| instructions(Table::Submit, submit::subject(configuration, which));
        let measured = of(submit::SUBMIT_AT)? / of(submit::STORES)?;
        targets.push(target(format!("`submit_at`, {name}, against as many relaxed stores"), most, measured));
    }
    Ok(targets)
}

/// Records a subject so often: the process of which the instructions are counted.
pub(super) fn record(table: Table, subject: usize, events: u64) {
    counted_here(table.subjects()[subject].run(0), events);
}

/// What callgrind counts, with everything that it calls.
#[inline(never)]
fn counted_here(mut run: Run, events: u64) {
    run(events);
}

const COUNTED_HERE: &str = "--toggle-collect=*instructions::counted_here*";

/// Those of one event.
fn instructions(table: Table, subject: usize) -> Result<f64, NotInstalled> {
    let (once, twice) = (total(table, subject, EVENTS)?, total(table, subject, 2 * EVENTS)?);
    Ok((twice - once) / EVENTS as f64)
}

/// Those of a process that does so many events.
fn total(table: Table, subject: usize, events: u64) -> Result<f64, NotInstalled> {
    let program = std::env::current_exe().expect("this program has a file");
    let mut callgrind = Command::new("valgrind");
    callgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", COUNTED_HERE]).arg(program);
    callgrind.args(["--measure", &table.to_string()]);
    callgrind.args(["--subject", &subject.to_string(), "--events", &events.to_string()]);
    let output = match callgrind.output() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(NotInstalled),
        output => output.expect("valgrind can be run"),
    };
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    Ok(collected(&told).unwrap_or_else(|| panic!("callgrind tells no count: {told}")))
}

/// The number of `==1== Collected : 123`.
fn collected(told: &str) -> Option<f64> {
    let (_, count) = told.lines().find_map(|line| line.split_once("Collected : "))?;
    count.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_read_from_what_callgrind_tells() {
        let told =
            "==1== Events    : Ir\n==1== Collected : 1234567\n==1== \n==1== I   refs:      1,234,567\n";
        assert_eq!(collected(told), Some(1_234_567.0));
        assert_eq!(collected("==1== Events    : Ir\n"), None);
    }
}
