//! What an export costs follows the buckets, never what was counted.

use std::time::Duration;

use opentelemetry_sdk::metrics::Temporality;
use prost::Message;
use worker_metrics::histogram::Scale;

use super::{ACKNOWLEDGED, POLLS, exponential, exported, id, ledger, requests, settle_all, snapshot, time};
use crate::histogram::HistogramOptions;
use crate::otlp::Limits;

fn encoded_len(scale: &Scale, count: u64) -> usize {
    let counts = vec![count; scale.buckets()];
    let snapshot = snapshot(scale, &counts, Some(count));
    exported(&HistogramOptions::default(), Temporality::Cumulative, &snapshot).encoded_len()
}

#[test]
fn a_steady_cycle_allocates_nothing() {
    for temporality in [Temporality::Cumulative, Temporality::Delta] {
        let (mut ledger, mut requests, mut parts) =
            (ledger(temporality), requests(Limits::default()), Vec::new());
        for count in 1..10 {
            let snapshot = snapshot(&Scale::preset(), &[count; 23], None);
            let allocations = allocation_counter::measure(|| {
                ledger.begin(time(10 * count));
                for series in 0..3 {
                    ledger.record(id(series), &POLLS, &[], time(1), &snapshot);
                }
                requests.begin(ledger.cycle());
                ledger.finish(&mut requests);
                requests.finish(&mut parts);
                settle_all(&mut ledger, &parts, ACKNOWLEDGED);
            });
            assert_eq!(parts[0].id.points, 3);
            // The buffer of a request is written again when the request is gone.
            parts.clear();
            if count > 2 {
                assert_eq!(allocations.count_total, 0, "cycle {count}");
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
