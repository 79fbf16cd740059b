//! The load generator sends what it says.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use backends::backend::Settings;
use backends::load::Load;
use backends::process::Level;
use otlp_receiver::Receiver;

#[test]
fn every_simulated_process_is_one_of_its_own() {
    let receiver = Receiver::builder().keep_requests(true).start().unwrap();
    let load = Load {
        runtimes: 5,
        workers: 3,
        endpoint: receiver.http_endpoint(),
        settings: Settings::DEFAULT,
        level: Level::default(),
        // The slots of one round are 10 ms long in all: the second round begins when the duration
        // is over.
        interval: Duration::from_millis(10),
        duration: Duration::from_millis(10),
        threads: 2,
    };
    let outcome = load.run(&AtomicBool::new(false));
    assert_eq!((outcome.acknowledged.load(Relaxed), outcome.failed.load(Relaxed)), (5, 0));
    let mut instances: Vec<_> = receiver
        .requests()
        .iter()
        .map(|request| format!("{:?}", request.resource_metrics[0].resource))
        .collect();
    instances.sort_unstable();
    instances.dedup();
    assert_eq!(instances.len(), 5);
    let polls = receiver.snapshot();
    let series: usize = polls.metrics.iter().map(|metric| metric.points.len()).sum();
    assert_eq!(series, 5 * load.series());
}
