//! What was reported of a case, against what really happened.

use std::time::{Duration, Instant};

use worker_metrics::StallCause;
use worker_metrics_otel::{Proof, Stall};

use crate::animals::Blocks;
use crate::case::{Case, Instrumented, Place, Promise};
use crate::visit::{INTERVAL, Outcome, THRESHOLD};

/// What was reported of a case, against what really happened.
#[derive(Debug)]
pub struct Verdict {
    /// How many stalls were reported.
    pub stalls: usize,
    /// Whether it has the right cause.
    pub has_cause: bool,
    /// Whether its stack has the function and the line that block; `None` for a thread that was not
    /// blocked in one call, which has no stack.
    pub has_line: Option<bool>,
    /// Whether it says where the task was spawned; `None` where nothing tells that.
    pub has_spawn: Option<bool>,
    /// How much its duration differs from the truth.
    pub duration_error: Option<Duration>,
    /// How long after its beginning it was reported.
    pub reported_after: Option<Duration>,
    /// The longest time between two looks meanwhile.
    pub slowest_look: Duration,
    /// Whether the stall was over before the watchdog could prove it, as rarely as it looked.
    pub was_too_short: bool,
    /// What is not as it was promised.
    pub faults: Vec<String>,
    /// The report.
    pub text: String,
}

/// A look comes so much after the one that is taken down, where another source is looked at first.
const NEXT_TO: Duration = Duration::from_millis(20);

impl Verdict {
    pub(crate) fn of(case: &Case, outcome: &Outcome) -> Self {
        let Outcome { poll, above_spawn, looks, begun, ended } = outcome;
        let slowest_look = slowest(looks, poll.from, poll.to);
        let due = due_at(looks, case, outcome);
        let mut verdict = Self {
            stalls: begun.len(),
            has_cause: false,
            has_line: None,
            has_spawn: None,
            duration_error: None,
            reported_after: None,
            slowest_look,
            was_too_short: false,
            faults: Vec::new(),
            text: begun.iter().map(|(_, stall)| format!("{stall}\n")).collect(),
        };
        match (begun.len(), case.promise()) {
            (0, Promise::One) if due.is_none() => verdict.was_too_short = true,
            (1, Promise::One | Promise::AtMostOne) | (0, Promise::None | Promise::AtMostOne) => {}
            (stalls, promise) => verdict.fault(format!("{stalls} stalls, where {promise:?} is promised")),
        }
        let [(reported_at, stall)] = begun.as_slice() else { return verdict };
        verdict.reported_after = Some(reported_at.saturating_duration_since(began_at(stall, outcome)));
        // A report takes the time that the names of its functions take: the age is as of the proof.
        if let Some(due) = due {
            let since = match stall.proof {
                Proof::Poll => poll.from,
                _ => looks.iter().copied().find(|look| *look > poll.blocked.from).unwrap_or(due),
            };
            let bound = due.saturating_duration_since(since) + NEXT_TO;
            if stall.age > bound {
                verdict.fault(format!("proved after {:?}, which is more than {bound:?}", stall.age));
            }
        }
        verdict.check(case, outcome, stall, above_spawn.line() + 1);
        match ended.as_slice() {
            [ended] => verdict.check_duration(outcome, ended),
            ended => verdict.fault(format!("{} ends", ended.len())),
        }
        verdict
    }

    fn check(&mut self, case: &Case, outcome: &Outcome, stall: &Stall, spawn_line: u32) {
        let animal = case.animal;
        let causes = causes(case, outcome);
        self.has_cause = causes.contains(&stall.cause);
        if !self.has_cause {
            self.fault(format!("cause: {}, not one of {causes:?}", stall.cause.as_str()));
        }
        if animal.blocks_in_one_call() && cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
            let has_line = names_the_line(animal.name, outcome, stall);
            self.has_line = Some(has_line);
            if !has_line {
                self.fault(format!(
                    "the stack does not begin at line {}",
                    outcome.poll.blocked.above.line() + 1
                ));
            }
        }
        let has_spawn_location = case.instrumented != Instrumented::Plain && case.place != Place::Root;
        if has_spawn_location {
            let has_spawn = stall.spawn_location.is_some_and(|location| location.line() == spawn_line);
            self.has_spawn = Some(has_spawn);
            if !has_spawn {
                self.fault(format!("spawned at {:?}, not in line {spawn_line}", stall.spawn_location));
            }
        }
    }

    /// It begins at the first look into the stall, or exactly with the poll, and ends at the latest
    /// moment before the first look after it.
    fn check_duration(&mut self, outcome: &Outcome, ended: &Stall) {
        let truth = ended_at(ended, outcome).saturating_duration_since(began_at(ended, outcome));
        let Some(duration) = ended.duration else { return self.fault("the end has no duration".to_owned()) };
        let error = duration.abs_diff(truth);
        self.duration_error = Some(error);
        let looks = &outcome.looks;
        let at_begin = gap(looks, began_at(ended, outcome));
        let at_end = gap(looks, ended_at(ended, outcome));
        // A late look counts as one interval: what the watchdog has missed may be no part of it.
        let missed = missed(looks, began_at(ended, outcome), ended_at(ended, outcome));
        let bound = at_begin.max(at_end).max(INTERVAL) + missed + NEXT_TO;
        if error > bound {
            self.fault(format!("{duration:?} instead of {truth:?}, where looks were {bound:?} apart"));
        }
    }

    fn fault(&mut self, fault: String) {
        self.faults.push(fault);
    }
}

/// The beginning of what was proved: the poll, or the call in which its thread has slept.
fn began_at(stall: &Stall, outcome: &Outcome) -> Instant {
    match stall.proof {
        Proof::Asleep => outcome.poll.blocked.from,
        _ => outcome.poll.from,
    }
}

fn ended_at(stall: &Stall, outcome: &Outcome) -> Instant {
    match stall.proof {
        Proof::Asleep => outcome.poll.blocked.to,
        _ => outcome.poll.to,
    }
}

/// The causes that are right. A thread that wants a CPU computes if it has one most of the time;
/// on a machine that others use as well it may have had none.
fn causes(case: &Case, outcome: &Outcome) -> Vec<StallCause> {
    let blocked = outcome.poll.blocked;
    let share = blocked.cpu.as_secs_f64() / (blocked.to - blocked.from).as_secs_f64();
    match case.animal.blocks {
        Blocks::InOneCall => vec![case.animal.cause],
        // What it does at the moment of the proof may be to start the next wait.
        Blocks::InPieces => vec![case.animal.cause, StallCause::Unknown],
        Blocks::ByComputing | Blocks::WithoutCpu if share > 0.8 => vec![StallCause::Computing],
        Blocks::ByComputing | Blocks::WithoutCpu if share < 0.2 => vec![StallCause::NoCpu],
        Blocks::ByComputing | Blocks::WithoutCpu => vec![StallCause::Computing, StallCause::NoCpu],
    }
}

/// Whether the first frame that is the program's own is the line that blocks.
fn names_the_line(function: &str, outcome: &Outcome, stall: &Stall) -> bool {
    let above = outcome.poll.blocked.above;
    let Some(stack) = &stall.stack else { return false };
    // A library that the program has called is not the standard one, and may stand above.
    let ours =
        stack.topmost().find(|frame| frame.file.as_deref().is_some_and(|file| file.ends_with(above.file())));
    ours.is_some_and(|frame| {
        let name = frame.function.as_deref().unwrap_or_default();
        let name = name.split(['{', '<']).next().unwrap_or_default().trim_end_matches("::");
        frame.line == Some(above.line() + 1) && name.rsplit("::").next() == Some(function)
    })
}

/// The look by which a stall that is in progress has to be reported. A worker whose thread has
/// slept, or whose poll has lasted, for the threshold from the first look into it on, without a
/// look that is late. `None` if there is no such look.
fn due_at(looks: &[Instant], case: &Case, outcome: &Outcome) -> Option<Instant> {
    let blocked = outcome.poll.blocked;
    if !case.animal.blocks_in_one_call() && !case.instrumented.has_tasks() {
        // By its own time, which is not measured here.
        return looks.last().copied();
    }
    let mut since: Option<Instant> = None;
    let mut before: Option<Instant> = None;
    for look in looks.iter().copied().filter(|look| (blocked.from..=blocked.to).contains(look)) {
        let is_late = before.is_some_and(|before| look - before > INTERVAL * 5 / 2);
        if is_late {
            since = None;
        }
        let since = *since.get_or_insert(look);
        // A tick of doubt: the look itself is a moment after the one that is taken down.
        if look - since >= THRESHOLD + NEXT_TO {
            return Some(look);
        }
        before = Some(look);
    }
    None
}

/// The time between the looks around this moment.
fn gap(looks: &[Instant], at: Instant) -> Duration {
    let after = looks.iter().find(|look| **look > at);
    let before = looks.iter().rev().find(|look| **look <= at);
    match (before, after) {
        (Some(before), Some(after)) => *after - *before,
        _ => Duration::ZERO,
    }
}

fn slowest(looks: &[Instant], from: Instant, to: Instant) -> Duration {
    let pairs = looks.windows(2).filter(|pair| pair[1] > from && pair[0] < to);
    pairs.map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
}

fn missed(looks: &[Instant], from: Instant, to: Instant) -> Duration {
    let pairs = looks.windows(2).filter(|pair| pair[1] > from && pair[0] < to);
    let late = pairs.map(|pair| pair[1] - pair[0]).filter(|gap| *gap > INTERVAL * 5 / 2);
    late.map(|gap| gap - INTERVAL).sum()
}
