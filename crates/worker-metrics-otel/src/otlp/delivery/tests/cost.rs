//! What an export costs follows the series and buckets, never what was counted.

use std::time::Duration;

use opentelemetry_sdk::metrics::Temporality;
use prost::Message;
use worker_metrics::histogram::Scale;
use worker_metrics::{Counter, Metric};

use super::rig::Rig;
use super::source::TestSource;
use super::{exponential, exported, points_in, snapshot};
use crate::options::HistogramOptions;
use crate::otlp::wire::Limits;

fn encoded_len(scale: &Scale, count: u64) -> usize {
    let snapshot = snapshot(scale, &vec![count; scale.buckets()], Some(count));
    exported(&HistogramOptions::default(), Temporality::Cumulative, &snapshot).encoded_len()
}

#[test]
fn a_steady_cycle_allocates_nothing() {
    for temporality in [Temporality::Cumulative, Temporality::Delta, Temporality::LowMemory] {
        let mut rig = Rig::new(temporality, HistogramOptions::default(), Limits::default());
        let rows = [
            Metric::WorkerPolls,
            Metric::WorkerLocalQueueSize,
            Metric::WorkerProgressAge,
            Metric::TaskPollDuration,
            Metric::TimerDelay,
        ];
        let sources = ["one", "two"].map(|name| TestSource::new(name, 2, &rows));
        sources.iter().for_each(|source| drop(rig.attach(source, 1)));
        let mut requests = Vec::new();
        for count in 1..10 {
            for source in &sources {
                source.set(|values| {
                    values.timer_delay_histogram = snapshot(&Scale::preset(), &[count; 23], None);
                    for worker in values.workers_mut() {
                        worker.set_count(Counter::Polls, count);
                        worker.local_queue_depth = Some(count);
                        worker.progress_age = Some(Duration::from_secs(count));
                        worker.poll_time_histogram = snapshot(&Scale::preset(), &[count; 23], Some(count));
                    }
                });
            }
            // What a source allocates is its own.
            rig.collect();
            let allocations = allocation_counter::measure(|| {
                rig.export_collected(10 * count, &mut requests);
                rig.conclude(&requests, Some(true));
            });
            assert_eq!(requests.iter().map(points_in).sum::<usize>(), 2 * (4 * 2 + 1));
            // The buffer of a request is written again when the request is gone.
            requests.clear();
            if count > 2 {
                assert_eq!(allocations.count_total, 0, "{temporality:?}, cycle {count}");
            }
        }
    }
}

#[test]
fn a_billion_polls_take_as_many_bytes_as_a_thousand() {
    let explicit = Scale::log().build().expect("valid");
    let lengths = [1_000, 1_000_000, 1_000_000_000].map(|count| encoded_len(&explicit, count));
    assert!(lengths[0] > 1000 && lengths.iter().all(|length| *length == lengths[0]), "{lengths:?}");

    let exponential = exponential(3, Duration::from_micros(1), Duration::from_secs(10));
    let lengths = [1_000, 1_000_000, 1_000_000_000].map(|count| encoded_len(&exponential, count));
    // Varints: 2, 3 and 5 bytes a bucket, and as much as a byte for each length prefix.
    let widest = lengths[0] + 3 * exponential.buckets() + 4;
    assert!(
        lengths[0] > 200 && lengths.iter().all(|length| (lengths[0]..=widest).contains(length)),
        "{lengths:?}"
    );
}
