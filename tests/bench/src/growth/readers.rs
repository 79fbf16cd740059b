//! Several readers of one instrumentation.

use std::sync::Arc;

use bench::subject::{Attached, Bridge, Delivered, Export, Halves, Steps, pool};
use worker_metrics::histogram::Scale;
use worker_metrics_otel::Numbers;

use super::points::{Point, Points};

const WORKERS: usize = 64;

/// Everything for each of so many readers.
pub(super) fn measure(readers: usize, rounds: usize) -> Points {
    let scale = Scale::log().build().expect("the defaults are good");
    let pool = Arc::new(pool(WORKERS, Some(&scale)));
    let ways =
        [("both halves", Numbers::Meter, Halves::Both), ("everything by OTLP", Numbers::Otlp, Halves::Otlp)];
    let points = ways.map(|(name, numbers, halves)| {
        let attached = Attached::new(vec![pool.clone()], numbers);
        let mut readers = Readers((0..readers).map(|_| Bridge::new(&attached, halves)).collect());
        (name.to_owned(), Point::of(&mut readers, rounds))
    });
    Points(points.into())
}

struct Readers(Vec<Bridge>);

impl Export for Readers {
    fn steps(&self) -> Steps {
        Steps::Together
    }

    fn collect(&mut self) {}

    fn encode(&mut self) {
        self.0.iter_mut().for_each(Export::export);
    }

    fn delivered(&mut self) -> Delivered {
        let all = self.0.iter_mut().map(Export::delivered);
        all.fold(Delivered::default(), |sum, one| Delivered {
            numbers: sum.numbers + one.numbers,
            histograms: sum.histograms + one.histograms,
            lost: sum.lost + one.lost,
            bytes: sum.bytes + one.bytes,
            gzipped: sum.gzipped + one.gzipped,
        })
    }
}
