use std::thread;

use worker_metrics::histogram::{Histogram, HistogramSnapshot, LocalHistogram, Scale};

#[test]
fn no_reader_sees_a_total_go_back() {
    const SUBMISSIONS: u64 = 20_000;
    let scale = Scale::preset();
    let shared = Histogram::new(&scale);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut local = LocalHistogram::new(&scale);
            for value_ns in 0..SUBMISSIONS {
                local.measure(value_ns << 16);
                local.submit(&shared);
            }
        });
        let (mut before, mut now) = (HistogramSnapshot::default(), HistogramSnapshot::default());
        before.fill(&scale, vec![0; scale.buckets()], Some(0));
        while now.count() < SUBMISSIONS {
            shared.snapshot_into(&mut now);
            assert!(before.buckets.iter().zip(&now.buckets).all(|(before, now)| before <= now));
            assert!(before.sum_ns <= now.sum_ns);
            std::mem::swap(&mut before, &mut now);
            now.clone_from(&before);
            thread::yield_now();
        }
    });
    assert_eq!(shared.sum_ns(), (0..SUBMISSIONS).map(|n| n << 16).sum::<u64>());
}
