//! What was recorded is what Prometheus says.

use opentelemetry_sdk::metrics::Temporality;
use worker_metrics_otel::Compression;

use crate::collector::Collector;
use crate::peers::peers;
use crate::prometheus::Prometheus;
use crate::service::{BOTH, EXPLICIT, EXPONENTIAL, Protocol, SUM_S, Service, To, Way};

/// The counts of both pools, counter and histogram, and the distribution.
pub(crate) fn assert_everything_arrived(prometheus: &Prometheus, service: &Service) {
    let polls = service.polls as f64;
    let rounds = polls / 60.0;
    for pool in [EXPLICIT, EXPONENTIAL] {
        prometheus.wait_for(&service.select("worker_pool_worker_polls_total", pool), polls);
    }
    assert_histograms_arrived(prometheus, service, rounds);
}

/// The distribution of both pools.
pub(crate) fn assert_histograms_arrived(prometheus: &Prometheus, service: &Service, rounds: f64) {
    let name = |suffix: &str| format!("worker_pool_task_poll_duration_seconds{suffix}");
    let explicit = |suffix: &str| service.select(&name(suffix), EXPLICIT);
    prometheus.wait_for(&explicit("_count"), 60.0 * rounds);
    prometheus.wait_for(&explicit("_sum"), SUM_S * rounds);
    for (bound, count) in [("0.001", 30.0), ("0.01", 50.0), ("0.1", 50.0), ("+Inf", 60.0)] {
        let bucket = explicit("_bucket").replace('}', &format!(", le=\"{bound}\"}}"));
        prometheus.wait_for(&bucket, count * rounds);
    }
    // 30 of 60 are at most 1 ms, and the next 20 between 1 and 10 ms.
    let quantile = |rank: f64, of: &str| format!("histogram_quantile({rank}, {of})");
    prometheus.wait_for(&quantile(0.5, &explicit("_bucket")), 0.001);
    prometheus.wait_for(&quantile(0.75, &explicit("_bucket")), 0.001 + 0.009 * 0.75);

    let native = service.select(&name(""), EXPONENTIAL);
    prometheus.wait_for(&format!("histogram_count({native})"), 60.0 * rounds);
    prometheus.wait_for(&format!("histogram_sum({native})"), SUM_S * rounds);
    // 10 µs are in (2^-17 s, 2^-16 s], 5 ms in (2^-8 s, 2^-7 s], 9 s in (8 s, 16 s].
    for (lower, upper, share) in [(-17, -16, 30.0), (-8, -7, 20.0), (3, 4, 10.0)] {
        let (lower, upper) = (f64::from(lower).exp2(), f64::from(upper).exp2());
        prometheus.wait_for(&format!("histogram_fraction({lower:.20}, {upper:.20}, {native})"), share / 60.0);
    }
    let first = prometheus.value(&quantile(0.25, &native)).unwrap();
    assert!((2_f64.powi(-17)..=2_f64.powi(-16)).contains(&first), "{first}");
    let last = prometheus.value(&quantile(0.95, &native)).unwrap();
    assert!((8.0..=16.0).contains(&last), "{last}");
}

#[test]
fn what_was_recorded_is_what_prometheus_says_on_every_way_over_every_protocol_and_temporality() {
    let peers =
        peers!("what_was_recorded_is_what_prometheus_says_on_every_way_over_every_protocol_and_temporality");
    let prometheus = Prometheus::start(&peers);
    let gateway = Collector::gateway(&peers, prometheus.otlp_endpoint());
    let ways = [Way::Apart, Way::Together, Way::Push];
    for (way, protocol) in ways.into_iter().flat_map(|way| BOTH.map(|protocol| (way, protocol))) {
        for temporality in [Temporality::Cumulative, Temporality::Delta] {
            let to = To::new(protocol, gateway.endpoint(protocol), temporality);
            let mut service = Service::start(&To { way, ..to });
            for _ in 0..3 {
                service.work();
                service.deliver();
            }
            assert_everything_arrived(&prometheus, &service);
        }
    }
}

#[test]
fn a_collector_that_answers_in_the_compression_of_the_request_is_understood() {
    let peers = peers!("a_collector_that_answers_in_the_compression_of_the_request_is_understood");
    let prometheus = Prometheus::start(&peers);
    let gateway = Collector::gateway(&peers, prometheus.otlp_endpoint());
    for protocol in BOTH {
        for compression in [Compression::Gzip, Compression::Zstd] {
            let to = To::new(protocol, gateway.endpoint(protocol), Temporality::Cumulative);
            let mut service = Service::start(&To { compression, ..to });
            service.work();
            // Not until it is taken: the first answer must be understood.
            service.export().unwrap();
            assert_everything_arrived(&prometheus, &service);
        }
    }
}

#[test]
fn a_service_may_push_to_prometheus_itself() {
    let peers = peers!("a_service_may_push_to_prometheus_itself");
    let prometheus = Prometheus::start(&peers);
    let to = To::new(Protocol::Http, prometheus.otlp_endpoint(), Temporality::Cumulative);
    let mut service = Service::start(&to);
    for _ in 0..3 {
        service.work();
        service.deliver();
    }
    assert_everything_arrived(&prometheus, &service);
}
