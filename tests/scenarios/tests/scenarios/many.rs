//! Many sources at once, and names that are too long.

use opentelemetry_sdk::metrics::Temporality;
use scenarios::{DURATION, POLLS, counted, poll, pool, receiver};
use worker_metrics::{Identity, Namespace, Row, Snapshot, Source};
use worker_metrics_otel::{AttachError, Histograms, Instrumentation, Options};

/// Attaches pools, polls, exports, polls on, detaches all at once, and shuts down.
fn detached_together(pools: usize, workers: usize, options: Options) {
    let receiver = receiver().start().unwrap();
    let instrumentation = Instrumentation::new(options.without_watchdog());
    let push = instrumentation
        .otlp()
        .with_endpoint(receiver.http_endpoint())
        .with_temporality(Temporality::Delta)
        .start()
        .unwrap();
    let mut attached: Vec<_> = (0..pools)
        .map(|number| {
            let (pool, batches) = pool(&format!("pool {number}"), workers);
            (instrumentation.attach(pool).unwrap(), batches)
        })
        .collect();
    attached.iter_mut().for_each(|(_, batches)| poll(batches, 10));
    push.force_flush().unwrap();
    attached.iter_mut().for_each(|(_, batches)| poll(batches, 10));
    drop(attached); // the guards go first, as they do at the end of a `main`
    push.shutdown().unwrap();
    let truth = (pools * workers * 20) as u64;
    assert_eq!(counted(&receiver, POLLS), truth, "{pools} × {workers}");
    assert_eq!(counted(&receiver, DURATION), truth, "{pools} × {workers}");
    for metric in [POLLS, DURATION] {
        assert!(receiver.series(metric).iter().all(|series| series.has_ended()), "{metric}");
    }
    assert_eq!(instrumentation.status().exports.len(), 0, "{}", instrumentation.status());
}

#[test]
fn every_count_of_many_pools_arrives_and_every_series_ends() {
    detached_together(100, 16, Options::default());
}

#[test]
fn every_count_of_one_large_pool_arrives() {
    detached_together(1, 1_000, Options::default());
}

#[test]
fn every_count_of_many_histograms_of_workers_arrives() {
    detached_together(100, 128, Options::default().with_histograms(Histograms::Worker));
}

/// A source with a name of any length.
struct Named(Identity);

impl Source for Named {
    fn identity(&self) -> &Identity {
        &self.0
    }

    fn definitions(&self) -> &[Row] {
        &[]
    }

    fn collect(&self, _: &mut Snapshot) {}
}

#[test]
fn a_name_of_a_mebibyte_is_refused_and_the_other_sources_are_exported() {
    let receiver = receiver().start().unwrap();
    let workers = Instrumentation::default();
    let push = workers.otlp().with_endpoint(receiver.http_endpoint()).start().unwrap();
    let (pool, mut batches) = pool("render", 1);
    let _attached = workers.attach(pool).unwrap();
    let long = Identity::new(Namespace::WORKER_POOL, "long").with_name("x".repeat(1 << 20));
    let error = workers.attach(Named(long)).unwrap_err();
    assert!(matches!(error, AttachError::NameTooLong { len: 1_048_576, .. }), "{error:?}");
    let said = error.to_string();
    assert!(said.len() < 300 && said.contains("at most 200 bytes"), "{said}");
    poll(&mut batches, 10);
    push.force_flush().unwrap();
    assert_eq!(counted(&receiver, POLLS), 10);
}
