//! What an export allocates and delivers: it does not depend on the machine.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bench::scales::{delivered, explicit, exponential};
use bench::subject::{Attached, Bridge, Case, Counts, Export, Halves, Observed, Subject, pool};
use worker_metrics::{Identity, Pool, Row, Snapshot, Source};
use worker_metrics_otel::Numbers;

const WORKERS: usize = 64;
/// Without `--cfg tokio_unstable` Tokio keeps no histograms.
const BUCKETS_OF_TOKIO: usize = if cfg!(tokio_unstable) { 119 } else { 0 };

const fn case(observed: Observed, subject: Subject) -> Case {
    let buckets = match observed {
        Observed::Tokio => BUCKETS_OF_TOKIO,
        Observed::Pool => 119,
    };
    Case { observed, subject, workers: WORKERS, buckets }
}

/// What is counted in a process of its own.
fn counts(case: Case) -> Counts {
    let program = Command::new(env!("CARGO_BIN_EXE_allocations")).arg(case.to_string()).output();
    let program = program.expect("it can be run");
    assert!(program.status.success(), "{}", String::from_utf8_lossy(&program.stderr));
    String::from_utf8_lossy(&program.stdout).trim().parse().expect("it prints counts")
}

#[test]
fn collecting_a_source_allocates_nothing() {
    for observed in [Observed::Tokio, Observed::Pool] {
        let counts = counts(case(observed, Subject::Collect));
        assert_eq!((counts.allocations, counts.allocated_bytes), (0, 0), "{observed:?}");
    }
}

#[test]
fn the_bridge_delivers_every_series() {
    for observed in [Observed::Tokio, Observed::Pool] {
        for subject in [Subject::Both, Subject::Everything, Subject::EverythingHandedOver] {
            let case = case(observed, subject);
            let delivered = case.prepare().export.delivered();
            assert_eq!(delivered.lost, 0, "{case}");
            assert_eq!(delivered.histograms, if case.buckets > 0 { WORKERS } else { 0 }, "{case}");
            assert!(delivered.numbers > 2 * WORKERS, "{case}: {delivered:?}");
        }
    }
}

/// Counts how often it is looked at.
struct Looked {
    pool: Pool,
    looks: AtomicUsize,
}

impl Source for Looked {
    fn identity(&self) -> &Identity {
        self.pool.identity()
    }

    fn definitions(&self) -> &[Row] {
        self.pool.definitions()
    }

    fn collect(&self, snapshot: &mut Snapshot) {
        self.looks.fetch_add(1, Relaxed);
        self.pool.collect(snapshot);
    }
}

#[test]
fn what_is_not_handed_over_is_collected() {
    let looked = Arc::new(Looked { pool: pool(1, None), looks: AtomicUsize::new(0) });
    let attached = Attached::new(vec![looked.clone()], Numbers::Otlp);
    let mut bridge = Bridge::new(&attached, Halves::Otlp);
    let before = looked.looks.load(Relaxed);
    for looks in 1..4 {
        bridge.export();
        assert_eq!(looked.looks.load(Relaxed) - before, looks);
    }
}

#[test]
fn what_is_above_the_limit_of_the_sdk_counts_as_lost() {
    if !cfg!(tokio_unstable) {
        return;
    }
    let limited = counts(case(Observed::Tokio, Subject::OtelTokio)).delivered;
    let unlimited = counts(case(Observed::Tokio, Subject::OtelTokioUnlimited)).delivered;
    assert_eq!(unlimited.lost, 0);
    assert_eq!(limited.lost, unlimited.numbers - limited.numbers);
    assert!(limited.lost > 0);
}

#[test]
fn exponential_buckets_take_at_most_a_fifth_of_the_bytes_of_explicit_ones() {
    let scale = exponential();
    let (short, long) = (delivered(WORKERS, &scale), delivered(WORKERS, &explicit(&scale)));
    // Empty ones would take hardly any.
    assert!(short.bytes / WORKERS > 150, "{} bytes", short.bytes);
    assert_eq!((short.histograms, long.histograms), (WORKERS, WORKERS));
    assert!(short.bytes * 5 <= long.bytes, "{} and {} bytes", short.bytes, long.bytes);
}

#[test]
fn the_compared_scales_have_the_same_buckets() {
    let exponential = exponential();
    let explicit = explicit(&exponential);
    let ranges = |scale: &worker_metrics::histogram::Scale| {
        (0..scale.buckets()).map(|bucket| scale.bucket_range(bucket)).collect::<Vec<_>>()
    };
    assert_eq!(ranges(&exponential), ranges(&explicit));
    assert!(exponential.as_exponential().is_some() && explicit.as_exponential().is_none());
}
