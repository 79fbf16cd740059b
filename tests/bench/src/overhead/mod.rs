//! What watching a runtime costs the work that it does.
//!
//! ```text
//! report ─ one process for each workload, variant and round ─ Runtime, Spawner, Observed ─ Workload ─ Outcome
//! ```

mod attached;
mod outcome;
mod stretch;
mod table;
mod variant;

use std::thread::sleep;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::runtime::Builder;

use crate::load::{WORKERS, Workload};
use crate::process;
use crate::report::Chapter;
use outcome::Outcome;
use stretch::Stretch;
use variant::Variant;

/// Rounds of a full run; with fewer the processes measure for a moment only.
pub(crate) const ROUNDS: usize = 9;

/// One measurement, in a process of its own.
#[derive(Args, Debug)]
pub(crate) struct One {
    /// Runs this workload, and nothing else
    #[arg(long, hide = true, requires_all = ["variant", "time_ms"])]
    workload: Option<Workload>,

    /// How its runtime is watched
    #[arg(long, hide = true)]
    variant: Option<Variant>,

    /// For how long
    #[arg(long, hide = true)]
    time_ms: Option<u64>,
}

impl One {
    /// What was measured; `None` if nothing was asked for.
    pub(crate) fn measure(&self) -> Option<String> {
        let (workload, variant, time_ms) = (self.workload?, self.variant?, self.time_ms?);
        Some(measure(workload, variant, Duration::from_millis(time_ms)).to_string())
    }
}

/// The tables of all workloads.
pub(crate) fn report(rounds: usize) -> Chapter {
    let (rounds, time) = match rounds >= ROUNDS {
        true => (ROUNDS, Duration::from_secs(1)),
        false => (rounds, Duration::from_millis(50)),
    };
    let mut text = format!(
        "A runtime of {WORKERS} workers, each workload and variant in a process of its own for {time:?} after a warm-up, in {rounds} \
         rounds that run all of them in turns and each begin with another one. A ratio is that to the bare runtime in the same \
         round, a difference as well: the median of the rounds, and the least and the largest. The second bare runtime shows what is \
         noise. Processor time is that of the whole process, the exporter's thread included, and does not count other programs. What \
         is attached is exported every second, and discarded.{}\n",
        if cfg!(tokio_unstable) {
            ""
        } else {
            " Tokio keeps histograms with `--cfg tokio_unstable` alone: SKIPPED."
        }
    );
    for &workload in Workload::value_variants() {
        let variants = Variant::available();
        let outcomes = in_turns(workload, variants, rounds, time);
        text += &format!("\n### {}\n\n{}", workload.title(), table::table(workload, variants, &outcomes));
    }
    text.into()
}

/// The outcomes of each variant, one for each round.
fn in_turns(workload: Workload, variants: &[Variant], rounds: usize, time: Duration) -> Vec<Vec<Outcome>> {
    let mut outcomes = vec![Vec::with_capacity(rounds); variants.len()];
    for round in 0..rounds {
        for turn in 0..variants.len() {
            let place = (round + turn) % variants.len();
            outcomes[place].push(elsewhere(workload, variants[place], time));
        }
    }
    outcomes
}

fn elsewhere(workload: Workload, variant: Variant, time: Duration) -> Outcome {
    let name =
        |value: Option<clap::builder::PossibleValue>| value.expect("none is skipped").get_name().to_owned();
    let text = process::again(&[
        "--workload",
        &name(workload.to_possible_value()),
        "--variant",
        &name(variant.to_possible_value()),
        "--time-ms",
        &time.as_millis().to_string(),
    ]);
    text.parse().expect("it prints an outcome")
}

fn measure(workload: Workload, variant: Variant, time: Duration) -> Outcome {
    let spawner = variant.spawner();
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(WORKERS).enable_all();
    variant.prepare(&mut builder, &spawner);
    let runtime = builder.build().expect("a runtime");
    let attached = variant.attach(runtime.handle(), &spawner);
    let running = workload.start(&runtime, &spawner, 1);
    // Caches are warm then, and connections made.
    sleep(time / 5);
    running.pool(Some(0));
    let (before, stretch) = (running.counted(), Stretch::begin());
    sleep(time);
    let (count, taken) = (running.counted() - before, stretch.end());
    running.pool(None);
    let [latencies] = &running.end()[..] else { panic!("one pool was asked for") };
    let outcome = taken.by(count, latencies.quantiles_us());
    variant.check(&spawner, attached.as_ref());
    outcome
}
