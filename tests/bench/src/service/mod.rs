//! What being observed costs a service, by the interval of the exports.
//!
//! ```text
//! report ─ one process for each workload, row and round ─ Running, Observer ─ Schedule ─ slices ─ Found ─ Estimate
//! ```

mod compared;
mod exporting;
mod found;
mod log;
mod method;
mod observer;
mod row;
mod schedule;
mod slices;
mod table;

use std::thread::sleep;
use std::time::Duration;

use clap::{Args, ValueEnum};
use otlp_receiver::Receiver;
use tokio::runtime::Builder;

use crate::load::{Spawner, WORKERS, Workload};
use crate::process;
use crate::processor::processor_time_of;
use crate::report::{Chapter, Limit, Ratios, Target};
use compared::Compared;
use found::Found;
use observer::Observer;
use row::{Row, rows};

/// Caches are warm then, and connections made.
const WARM_UP: Duration = Duration::from_millis(200);

/// One measurement, in a process of its own.
#[derive(Args, Debug)]
#[group(skip)]
pub(crate) struct One {
    /// Runs this workload attached and bare in turns, and nothing else
    #[arg(long, hide = true, requires_all = ["interval_ms", "exports"])]
    service: Option<Workload>,

    /// When exports are due
    #[arg(long, hide = true)]
    interval_ms: Option<u64>,

    /// Until so many exports
    #[arg(long, hide = true)]
    exports: Option<usize>,

    /// Where they go; without it nobody observes
    #[arg(long, hide = true)]
    endpoint: Option<String>,
}

impl One {
    /// What was found; `None` if nothing was asked for.
    pub(crate) fn measure(&self) -> Option<String> {
        let (workload, interval_ms, exports) = (self.service?, self.interval_ms?, self.exports?);
        let interval = Duration::from_millis(interval_ms);
        Some(measure(workload, interval, exports, self.endpoint.as_deref()).to_string())
    }
}

/// The tables of all workloads.
pub(crate) fn report(rounds: usize) -> Chapter {
    let rows = rows(rounds);
    let receiver = Receiver::start().expect("free ports");
    let compared = in_turns(rows, &receiver);
    let of_exporting = compared.iter().flat_map(|(_, rows)| rows).filter(|row| row.row.is_attached);
    let of_exporting: Vec<_> = of_exporting.flat_map(|row| &row.found).collect();
    let mut text = method::text(rows);
    text += &method::receiver_text(processor_time_of("otlp-receiver"), receiver.exports());
    text += &method::pairs_text(&of_exporting);
    for (workload, rows) in &compared {
        text +=
            &format!("\n### {}\n\n{}\n\n{}", workload.title(), workload.description(), table::table(rows));
    }
    let named = |(workload, rows): &(Workload, Vec<Compared>)| {
        let title = workload.title();
        rows.iter().map(|row| (format!("{title}: {}", row.row.title()), row.ratio())).collect::<Vec<_>>()
    };
    let plot = Ratios {
        file: "service-throughput",
        title: "Throughput of the observed service",
        values: "against bare, with the ends of 95 %",
        ratios: compared.iter().flat_map(named).collect(),
    };
    let targets = compared.iter().flat_map(|(workload, rows)| {
        rows.iter().filter(|row| row.row.is_promised()).map(|row| promised(*workload, row))
    });
    Chapter { text, plots: vec![plot.into()], targets: targets.collect() }
}

fn promised(workload: Workload, compared: &Compared) -> Target {
    Target {
        measure: format!(
            "throughput of the observed service, attached and exported every {:?}, against bare: {}",
            compared.row.interval,
            workload.title()
        ),
        limit: Limit::AtLeast(0.99),
        measured: compared.ratio().value,
        note: "",
    }
}

/// The rows of each workload.
fn in_turns(rows: &[Row], receiver: &Receiver) -> Vec<(Workload, Vec<Compared>)> {
    let nothing = || rows.iter().map(|row| Compared { row: *row, found: Vec::new() }).collect();
    let mut compared: Vec<(_, Vec<_>)> =
        Workload::value_variants().iter().map(|workload| (*workload, nothing())).collect();
    for round in 0..rows.iter().map(|row| row.rounds).max().unwrap_or(0) {
        for (workload, rows) in &mut compared {
            for Compared { row, found } in rows.iter_mut().filter(|row| round < row.row.rounds) {
                found.push(elsewhere(*workload, *row, receiver));
            }
        }
    }
    compared
}

fn elsewhere(workload: Workload, row: Row, receiver: &Receiver) -> Found {
    let workload = workload.to_possible_value().expect("none is skipped");
    let (interval, exports) = (row.interval.as_millis().to_string(), row.exports.to_string());
    let endpoint = receiver.http_endpoint();
    let mut arguments =
        vec!["--service", workload.get_name(), "--interval-ms", &interval, "--exports", &exports];
    if row.is_attached {
        arguments.extend(["--endpoint", &endpoint]);
    }
    let before = receiver.exports();
    let found: Found = process::again(&arguments).parse().expect("it prints what it found");
    if row.is_attached {
        let received = receiver.exports() - before;
        assert!(received >= found.with.len() as u64, "{received} exports were received");
        let names: Vec<_> = receiver.snapshot().metrics.into_iter().map(|metric| metric.name).collect();
        assert!(names.iter().any(|name| name == "tokio.worker.time"), "{names:?}");
    }
    found
}

fn measure(workload: Workload, interval: Duration, exports: usize, endpoint: Option<&str>) -> Found {
    let runtime =
        Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build().expect("a runtime");
    let running = workload.start(&runtime, &Spawner::Bare, slices::POOLS);
    let observer = Observer::new(runtime.handle(), interval, endpoint);
    sleep(WARM_UP);
    slices::measure(running, observer, interval, exports)
}
