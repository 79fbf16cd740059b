//! What each event costs, in one process.
//!
//! ```text
//! report ─ one process for each Table ─ Passes ─ Subject ─ Estimate ─ Figure
//! check  ─ two processes for each Subject ─ Instructions
//! ```

mod batch;
mod counters;
mod duration;
mod estimate;
mod event;
mod figure;
mod folder;
mod future;
mod instructions;
mod labels;
mod passes;
mod poll;
mod sharing;
mod subject;
mod submit;
mod table;
mod threads;

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::report::{Bars, Chapter};
use crate::turns::least;
use figure::Figure;
use passes::Passes;
use table::Table;

/// Events of one round.
const EVENTS: u32 = 10_000;

/// One table, or one subject of it, in a process of its own.
#[derive(Args, Debug)]
pub(crate) struct Part {
    /// Measures this table, and nothing else
    #[arg(long, hide = true)]
    measure: Option<Table>,

    /// Records this subject of it, and measures nothing
    #[arg(long, hide = true, requires_all = ["measure", "events"])]
    subject: Option<usize>,

    /// So often
    #[arg(long, hide = true)]
    events: Option<u64>,
}

impl Part {
    /// Whether there was something to do.
    pub(crate) fn measure(&self, rounds: usize) -> bool {
        match (self.measure, self.subject, self.events) {
            (Some(table), Some(subject), Some(events)) => instructions::record(table, subject, events),
            (Some(table), ..) => passes::measure(table, rounds),
            _ => return false,
        }
        true
    }
}

/// Counts instructions, and holds them against their limits.
pub(crate) fn check() -> ExitCode {
    instructions::check()
}

pub(crate) fn report(rounds: usize) -> Chapter {
    let passes = Passes::of(rounds);
    let mut chapter = Chapter {
        text: format!(
            "Everything up to the instructions is measured by {} in {} passes of {:?} for each row, in turns. A time is that of the pass \
             in the middle: its median, in brackets the 95 % confidence interval of that. A ratio is the median of those of all passes, \
             each to the other row in the same pass, in brackets the least and the largest. With several threads the time is that of one \
             of them, while the others record, which a machine that is busy otherwise may keep them from; each has a series of its own, \
             that is a worker's, where nothing else is said. The times include a loop, as the first row says.\n",
            crate::report::version_of("criterion"),
            passes.count,
            passes.time,
        ),
        ..Chapter::default()
    };
    events(&mut chapter, rounds);
    durations(&mut chapter, rounds);
    polls(&mut chapter, rounds);
    submits(&mut chapter, rounds);
    neighbours(&mut chapter, rounds);
    counted(&mut chapter, rounds);
    batch_and_future(&mut chapter, rounds);
    chapter
}

/// What one thread alone takes, for a plot.
fn bars(table: Table, one_thread: &[Figure], from: usize) -> Vec<(String, f64)> {
    let figures = table.subjects().into_iter().zip(one_thread).skip(from);
    figures.map(|(subject, figure)| (subject.name.replace('`', ""), figure.median().ns)).collect()
}

fn events(chapter: &mut Chapter, rounds: usize) {
    let figures = passes::figures(Table::Event, rounds);
    let table = Table::Event.markdown(&figures, "an addition", |_| event::ADDITION);
    chapter.text += &format!("\n### One untimed event\n\nA number grows by one.\n\n{table}");
    chapter.targets.push(event::target(&figures[0]));
    let bars = bars(Table::Event, &figures[0], event::ADDITION);
    chapter
        .plots
        .push(Bars { file: "recording-event", title: "One untimed event", values: "ns", bars }.into());
}

fn durations(chapter: &mut Chapter, rounds: usize) {
    let figures = passes::figures(Table::Duration, rounds);
    let table = Table::Duration.markdown(&figures, "a bound histogram", |_| duration::BOUND);
    chapter.text += &format!(
        "\n### The duration of a poll\n\nThe time is already taken. Durations from 1 µs to 10 ms, as many in each doubling, in no order; \
         the same for all, as seconds for whoever wants those. The Prometheus recorder of `metrics` keeps every value until it is asked \
         to count them; that is done between two samples and not measured.\n\n{table}"
    );
    chapter.targets.push(duration::target(&figures[0]));
    let (title, bars) = ("The duration of a poll", bars(Table::Duration, &figures[0], duration::LOCAL));
    chapter.plots.push(Bars { file: "recording-duration", title, values: "ns", bars }.into());
}

fn polls(chapter: &mut Chapter, rounds: usize) {
    let figures = passes::figures(Table::Poll, rounds);
    let table = Table::Poll.markdown(&figures, "two readings of the clock", |_| poll::CLOCK);
    chapter.text += &format!("\n### A poll that is timed\n\nOf a future that does nothing.\n\n{table}");
}

fn submits(chapter: &mut Chapter, rounds: usize) {
    let figures = passes::figures(Table::Submit, rounds);
    let table = Table::Submit.markdown(&figures, "the stores", submit::baseline);
    chapter.text += &format!(
        "\n### A submit\n\nA batch with one poll since its last submit publishes all its totals; beside it nothing but the relaxed stores \
         of as many words from an array into another, in a loop of which the compiler knows the length, and what the poll itself \
         writes.\n\n{table}"
    );
    chapter.targets.extend(submit::targets(&figures[0]));
}

fn neighbours(chapter: &mut Chapter, rounds: usize) {
    let figures = passes::figures(Table::Sharing, rounds);
    let table = Table::Sharing.markdown(&figures, "128 bytes apart", sharing::baseline);
    chapter.text += &format!(
        "\n### Neighbours in one cache line\n\nEach thread writes words that no other one writes: side by side with those of the others, \
         or on lines of their own.\n\n{table}"
    );
}

fn counted(chapter: &mut Chapter, rounds: usize) {
    chapter.text += "\n### Instructions\n\nOf one event without the loop, or as a ratio, counted by callgrind. `-- --check` counts them \
                     alone, and fails where one is above its limit.\n\n";
    if rounds < crate::FEWEST_ROUNDS {
        chapter.text += "SKIPPED: it is one of few rounds.\n";
        return;
    }
    chapter.text += &match instructions::table() {
        Ok((table, _)) => table,
        Err(instructions::NotInstalled) => "SKIPPED: valgrind is not installed.\n".to_owned(),
    };
}

fn batch_and_future(chapter: &mut Chapter, rounds: usize) {
    let (batch, polls) = batch::table(rounds);
    chapter.text += &format!(
        "\n### What a worker's batch keeps\n\nHere and in the next table each figure is the least of {rounds} rounds of \
         {EVENTS} events, in turns.\n\n{batch}\n### A task's future and its waker\n\n{}",
        future::table(rounds)
    );
    let plot = Bars { file: "recording-batch", title: "A poll, time passed in", values: "ns", bars: polls };
    chapter.plots.push(plot.into());
}

/// One event, again and again.
type Event<'a> = Box<dyn FnMut() + 'a>;

/// `event`, as often as a round has it.
fn repeated<'a>(mut event: impl FnMut() + 'a) -> Event<'a> {
    Box::new(move || (0..EVENTS).for_each(|_| event()))
}

/// What one event takes of each.
fn each_ns(rounds: usize, runs: &mut [Event<'_>]) -> Vec<f64> {
    let of_one = |time: Duration| time.as_secs_f64() * 1e9 / f64::from(EVENTS);
    least(rounds, runs).into_iter().map(of_one).collect()
}
