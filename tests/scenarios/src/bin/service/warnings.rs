//! What a service is warned of: each case is left to happen several times.

use std::time::{Duration, Instant};

use opentelemetry_sdk::metrics::{InMemoryMetricExporter, SdkMeterProvider};
use worker_metrics::{Coverage, Identity, Metric, Namespace, Row, Snapshot, Source};
use worker_metrics_otel::Instrumentation;

use crate::Outcome;

/// Prints nothing: what is looked at is the log.
pub(crate) fn run(case: &str) -> Outcome {
    let workers = Instrumentation::default();
    let provider =
        SdkMeterProvider::builder().with_periodic_exporter(InMemoryMetricExporter::default()).build();
    let attach = |name: &str, count| workers.attach(scenarios::pool(name, count).0);
    match case {
        "twice" => {
            let pushes = [workers.otlp().start()?, workers.otlp().start()?];
            let _attached = attach("render", 1)?;
            for push in pushes.iter().chain(&pushes) {
                push.force_flush()?;
            }
        }
        "late-meter" => {
            let _attached = attach("render", 1)?;
            workers.otlp().start()?.force_flush()?;
            workers.register(&provider);
        }
        "cardinality" => {
            workers.register(&provider);
            let _attached = [attach("render", 2_001)?, attach("encode", 2_001)?];
        }
        "panic" => {
            workers.register(&provider);
            let _panicking = workers.attach(Panicking::new())?;
            let _attached = attach("render", 1)?;
            for _ in 0..3 {
                provider.force_flush()?;
            }
        }
        "no-source" => {
            workers.register(&provider);
            // Its guard is dropped at once.
            let _ = attach("render", 1)?;
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_secs(13) {
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        _ => return Err(format!("no such case: {case}").into()),
    }
    Ok(())
}

/// A source that can say who it is, and panics when it is asked for its values.
struct Panicking {
    identity: Identity,
    rows: [Row; 1],
}

impl Panicking {
    fn new() -> Self {
        let rows = [Row::new(Metric::TaskCount, Coverage::Covered)];
        Self { identity: Identity::new(Namespace::WORKER_POOL, "panicking"), rows }
    }
}

impl Source for Panicking {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn definitions(&self) -> &[Row] {
        &self.rows
    }

    fn collect(&self, _: &mut Snapshot) {
        panic!("the source is broken");
    }
}
