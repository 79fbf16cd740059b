//! An export after 10^3, 10^6 and 10^9 recorded polls.

use std::sync::Arc;
use std::time::Duration;

use bench::counted::Counted;
use bench::subject::{Attached, Bridge, Halves};
use worker_metrics::histogram::Scale;
use worker_metrics_otel::Numbers;

use super::points::{Point, Points};
use crate::report::{Limit, Target};

const WORKERS: usize = 64;
const BUCKETS: usize = 119;

/// An export of so many polls, which nobody has to wait for.
pub(super) fn measure(polls: u64, rounds: usize) -> Points {
    let scale = Scale::linear(Duration::from_micros(10), BUCKETS).expect("a good scale");
    let source = Counted::new(WORKERS, &scale, polls);
    assert_eq!(source.count(), polls);
    let attached = Attached::new(vec![Arc::new(source)], Numbers::Meter);
    let mut bridge = Bridge::new(&attached, Halves::Otlp);
    Points(vec![("OTLP half".to_owned(), Point::of(&mut bridge, rounds))])
}

pub(super) fn target(measured: &[(u64, Points)]) -> Target {
    let us = |polls| {
        let (_, Points(points)) = measured.iter().find(|(size, _)| *size == polls).expect("it is a size");
        points[0].1.us
    };
    Target {
        measure: "an export after 10^9 polls, against one after 10^3".to_owned(),
        limit: Limit::AtMost(1.05),
        measured: us(1_000_000_000) / us(1_000),
        note: "",
    }
}
