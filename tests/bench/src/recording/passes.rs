//! Every subject of a table in short passes of criterion, in turns, so that a slow second of the
//! machine does not hit one subject alone.
//!
//! Criterion prints as it measures, and writes what it found into files: it runs in a process of
//! its own, whose output nobody reads.

use std::thread;
use std::time::{Duration, Instant};

use criterion::Criterion;

use super::estimate::Estimate;
use super::figure::Figure;
use super::folder::Folder;
use super::subject::{Run, Subject};
use super::table::Table;
use super::threads::{self, Others};
use crate::process;

/// How long and how often each subject is measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passes {
    pub(super) count: usize,
    pub(super) time: Duration,
    samples: usize,
    resamples: usize,
}

impl Passes {
    /// With few rounds, one pass that shows that everything runs.
    pub(super) fn of(rounds: usize) -> Self {
        if rounds < crate::FEWEST_ROUNDS {
            return Self { count: 1, time: Duration::from_micros(500), samples: 10, resamples: 100 };
        }
        Self { count: 11, time: Duration::from_millis(25), samples: 20, resamples: 2_000 }
    }

    fn criterion(self) -> Criterion {
        Criterion::default()
            .without_plots()
            .sample_size(self.samples)
            .nresamples(self.resamples)
            .warm_up_time(self.time / 5)
            .measurement_time(self.time)
    }
}

/// Where criterion writes to, instead of into the build's folder.
const CRITERION_HOME: &str = "CRITERION_HOME";

/// Measures a table in a process of its own: for each column the figures of all subjects.
pub(super) fn figures(table: Table, rounds: usize) -> Vec<Vec<Figure>> {
    let folder = Folder::new(&table.to_string());
    process::again_with(
        &["--rounds", &rounds.to_string(), "--measure", &table.to_string()],
        &[(CRITERION_HOME, folder.path())],
    );
    let passes = Passes::of(rounds).count;
    let subjects = table.subjects().len();
    let figure = |threads, subject| {
        let estimates = (0..passes).map(|pass| Estimate::read(folder.path(), &name(threads, subject, pass)));
        Figure::new(estimates.collect())
    };
    let columns = table.columns().threads().into_iter();
    columns.map(|threads| (0..subjects).map(|subject| figure(threads, subject)).collect()).collect()
}

/// Measures a table in this process.
pub(super) fn measure(table: Table, rounds: usize) {
    let passes = Passes::of(rounds);
    let mut criterion = passes.criterion();
    let subjects = table.subjects();
    for pass in 0..passes.count {
        for threads in table.columns().threads() {
            for (number, subject) in subjects.iter().enumerate() {
                threads::alongside(subject, threads, |run, others| {
                    sample(&mut criterion, &name(threads, number, pass), subject, run, others);
                });
            }
        }
    }
}

/// The name of a benchmark, and of the folder that it is written into.
fn name(threads: usize, subject: usize, pass: usize) -> String {
    format!("{threads}-{subject}-{pass}")
}

/// How often a sample is taken in the hope that all threads record while it is.
const ATTEMPTS: usize = 5;

fn sample(criterion: &mut Criterion, name: &str, subject: &Subject, mut run: Run, others: &Others) {
    criterion.bench_function(name, |bencher| {
        bencher.iter_custom(|times| {
            let mut once = || {
                let (progress, start) = (others.progress(), Instant::now());
                run(times);
                let time = start.elapsed();
                subject.tidy();
                (time, others.have_recorded_since(&progress))
            };
            // Another program may have had the processor of one of the others: then it was not
            // alongside.
            let (mut time, mut alongside) = once();
            for _ in 1..ATTEMPTS {
                if alongside || times < threads::FEWEST_EVENTS {
                    break;
                }
                thread::sleep(Duration::from_millis(1));
                (time, alongside) = once();
            }
            time
        });
    });
}
