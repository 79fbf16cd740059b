//! What a process amounts to, and many processes for a collector to carry.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use backends::backend::Settings;
use backends::load::{self, Load};
use backends::process::Level;
use backends::scale;
use clap::{Parser, ValueEnum};
use opentelemetry_sdk::metrics::Temporality;
use worker_metrics_otel::{Detail, Histograms, Protocol};

/// What leaves a process: how much it is, and many of them at once.
#[derive(Debug, Parser)]
#[command(name = "backends")]
enum Command {
    /// Prints series and bytes by level of detail and workers, as Markdown
    Scale,
    /// Sends as many processes would
    Load(Arguments),
}

/// What to send.
#[derive(Debug, clap::Args)]
struct Arguments {
    /// Simulated processes, with one runtime each
    #[arg(long, default_value_t = 1_000)]
    runtimes: usize,
    /// Workers of each
    #[arg(long, default_value_t = 8)]
    workers: usize,
    /// A collector
    #[arg(long, default_value = "http://localhost:4317")]
    endpoint: String,
    /// How it travels
    #[arg(long, value_enum, default_value_t = By::Grpc)]
    protocol: By,
    /// Sends deltas
    #[arg(long)]
    delta: bool,
    /// One series for each runtime instead of each worker
    #[arg(long)]
    runtime_detail: bool,
    /// Seconds between two exports of one process
    #[arg(long, default_value_t = 10)]
    interval: u64,
    /// Seconds
    #[arg(long, default_value_t = 60)]
    duration: u64,
    /// Threads that export
    #[arg(long, default_value_t = 8)]
    threads: usize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum By {
    Grpc,
    Http,
}

fn main() {
    match Command::parse() {
        Command::Scale => {
            println!("{}\n{}", scale::series_table(), scale::bytes_table());
            match scale::workers_beyond(1_000_000) {
                Some(workers) => {
                    println!("The SDK's half is longer than 10^6 bytes from {workers} workers on.")
                }
                None => println!("The SDK's half stays below 10^6 bytes."),
            }
        }
        Command::Load(arguments) => send(&arguments),
    }
}

fn send(arguments: &Arguments) {
    let protocol = match arguments.protocol {
        By::Grpc => Protocol::Grpc,
        By::Http => Protocol::HttpProtobuf,
    };
    let temporality = if arguments.delta { Temporality::Delta } else { Temporality::Cumulative };
    let detail = if arguments.runtime_detail { Detail::Runtime } else { Detail::Worker };
    let load = Load {
        runtimes: arguments.runtimes,
        workers: arguments.workers,
        endpoint: load::endpoint(protocol, &arguments.endpoint),
        settings: Settings { protocol, temporality, max_buckets: None },
        level: Level { detail, histograms: Histograms::Runtime },
        interval: Duration::from_secs(arguments.interval.max(1)),
        duration: Duration::from_secs(arguments.duration),
        threads: arguments.threads,
    };
    let series = load.series();
    println!(
        "{} runtimes of {} workers, {series} series each, {} in all, every {:?} for {:?}",
        load.runtimes,
        load.workers,
        series * load.runtimes,
        load.interval,
        load.duration
    );
    let outcome = load.run(&AtomicBool::new(false));
    println!(
        "{} exports acknowledged, {} failed, {} late",
        outcome.acknowledged.load(Relaxed),
        outcome.failed.load(Relaxed),
        outcome.late.load(Relaxed)
    );
    if outcome.failed.load(Relaxed) > 0 {
        std::process::exit(1);
    }
}
