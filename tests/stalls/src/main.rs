//! Runs the animals again and again, and prints how often each was reported, and how well.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use clap::{Parser, Subcommand};
use comfy_table::Table;
use stalls::{ANIMALS, Case, Instrumented, SCENARIOS, Verdict, judged};

/// Runs animals, and prints how often each was reported, and how well.
#[derive(Parser)]
struct Arguments {
    /// How often each case runs.
    #[arg(long, default_value_t = 1)]
    runs: usize,
    /// Only the animals whose name has this in it.
    #[arg(long, default_value = "")]
    only: String,
    /// How many of those that do not compute run at once.
    #[arg(long, default_value_t = 8)]
    at_once: usize,
    /// Prints each report as well.
    #[arg(long)]
    verbose: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Runs a healthy scenario, and prints what is reported of it.
    Healthy {
        /// Its name, or a part of it.
        name: String,
        /// For how many seconds it runs.
        #[arg(long, default_value_t = 10.0)]
        seconds: f64,
        /// How much is known: plain, tasks or hooked.
        #[arg(long, default_value = "plain")]
        instrumented: String,
    },
}

fn main() {
    let arguments = Arguments::parse();
    match &arguments.command {
        None => zoo(&arguments),
        Some(Command::Healthy { name, seconds, instrumented }) => {
            let instrumented = Instrumented::ALL
                .into_iter()
                .find(|it| format!("{it:?}").eq_ignore_ascii_case(instrumented))
                .expect("plain, tasks or hooked");
            for scenario in SCENARIOS.iter().filter(|scenario| scenario.name.contains(name.as_str())) {
                let reported = scenario.run(instrumented, Duration::from_secs_f64(*seconds));
                println!("{}: {} of {}", scenario.name, reported.stalls.len(), scenario.stalls);
                reported.stalls.iter().for_each(|stall| println!("{stall}"));
            }
        }
    }
}

fn zoo(arguments: &Arguments) {
    let animals: Vec<_> =
        ANIMALS.into_iter().filter(|animal| animal.name.contains(&arguments.only)).collect();
    let (sleeping, computing): (Vec<_>, Vec<_>) =
        Case::all(&animals).into_iter().partition(|case| case.animal.blocks_in_one_call());
    let mut table = Table::new();
    table.set_header([
        "case",
        "runs",
        "reported",
        "cause",
        "line",
        "spawn",
        "error, max",
        "reported after, max",
        "look, max",
        "faults",
    ]);
    for (cases, at_once) in [(sleeping, arguments.at_once), (computing, 1)] {
        let verdicts = run(&cases, arguments, at_once);
        for (case, verdicts) in cases.iter().zip(verdicts) {
            table.add_row(row(case, &verdicts));
        }
    }
    println!("{table}");
}

/// The verdicts of each case.
fn run(cases: &[Case], arguments: &Arguments, at_once: usize) -> Vec<Vec<Verdict>> {
    let verdicts: Vec<_> = cases.iter().map(|_| Mutex::new(Vec::new())).collect();
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..at_once.max(1) {
            scope.spawn(|| {
                loop {
                    let turn = next.fetch_add(1, Relaxed);
                    if turn >= cases.len() * arguments.runs {
                        return;
                    }
                    let index = turn % cases.len();
                    let verdict = judged(&cases[index]);
                    if arguments.verbose || !verdict.faults.is_empty() {
                        println!("{}: {:?}\n{}", cases[index], verdict.faults, verdict.text);
                    }
                    verdicts[index].lock().expect("no run panics").push(verdict);
                }
            });
        }
    });
    verdicts.into_iter().map(|verdicts| verdicts.into_inner().expect("no run panics")).collect()
}

fn row(case: &Case, verdicts: &[Verdict]) -> Vec<String> {
    let reported: Vec<_> = verdicts.iter().filter(|verdict| verdict.stalls == 1).collect();
    let count = |is: fn(&&&Verdict) -> bool| reported.iter().filter(is).count().to_string();
    let of = |known: fn(&Verdict) -> Option<bool>| match reported.iter().any(|it| known(it).is_some()) {
        true => reported.iter().filter(|it| known(it) == Some(true)).count().to_string(),
        false => "-".to_owned(),
    };
    let most = |of: fn(&Verdict) -> Option<Duration>| {
        let most = verdicts.iter().filter_map(of).max();
        most.map_or("-".to_owned(), |most| format!("{:.3} s", most.as_secs_f64()))
    };
    vec![
        case.to_string(),
        verdicts.len().to_string(),
        reported.len().to_string(),
        count(|verdict| verdict.has_cause),
        of(|verdict| verdict.has_line),
        of(|verdict| verdict.has_spawn),
        most(|verdict| verdict.duration_error),
        most(|verdict| verdict.reported_after),
        most(|verdict| Some(verdict.slowest_look)),
        verdicts.iter().map(|verdict| verdict.faults.len()).sum::<usize>().to_string(),
    ]
}
