use worker_metrics::histogram::{Histogram, HistogramWriter, LocalHistogram};

use super::scales;

#[test]
fn a_writer_counts_as_a_local_histogram_does() {
    for scale in scales() {
        let mut local = LocalHistogram::new(&scale);
        let mut writer = HistogramWriter::new(Histogram::new(&scale));
        let shared = writer.histogram().clone();
        for value_ns in (0..64).map(|bit| 1_u64 << bit).chain([0, 3, 999, u64::MAX]) {
            local.measure(value_ns);
            writer.measure(value_ns);
        }
        assert_eq!(shared.snapshot().buckets, local.buckets());
        assert_eq!(shared.sum_ns(), local.sum_ns(), "both saturate");
    }
}

#[test]
fn writing_allocates_nothing() {
    let mut writer = HistogramWriter::new(Histogram::new(&worker_metrics::histogram::Scale::preset()));
    let allocations =
        allocation_counter::measure(|| (0..1_000).for_each(|value_ns| writer.measure(value_ns)));
    assert_eq!(allocations.count_total, 0);
}
