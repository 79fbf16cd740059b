//! A source that is detached: its last values are kept, and its series end.

use opentelemetry_sdk::metrics::Temporality;
use otlp_receiver::{Data, Receiver};

use crate::collector::Collector;
use crate::peers::peers;
use crate::prometheus::Prometheus;
use crate::service::{BOTH, EXPLICIT, EXPONENTIAL, Protocol, Service, To, Way};
use crate::wait::{PATIENCE, until};

/// Works, exports, works once more and detaches: the last values and the ends go with one export.
fn end(to: &To) -> Service {
    let mut service = Service::start(to);
    service.work();
    service.deliver();
    service.work();
    service.detach();
    service.deliver();
    service
}

/// The last value of each series, and that there is none any more. Counters that go through the SDK
/// are not ended by it.
fn assert_ended(prometheus: &Prometheus, service: &Service, counters_end: bool) {
    let polls = service.polls as f64;
    let name = "worker_pool_task_poll_duration_seconds";
    let counts = [
        (service.select("worker_pool_worker_polls_total", EXPLICIT), "last_over_time", counters_end),
        (service.select("worker_pool_worker_polls_total", EXPONENTIAL), "last_over_time", counters_end),
        (service.select(&format!("{name}_count"), EXPLICIT), "last_over_time", true),
    ];
    for (series, function, ends) in &counts {
        prometheus.wait_for(&format!("{function}({series}[5m])"), polls);
        if *ends {
            assert_no_value(prometheus, series);
        }
    }
    let native = service.select(name, EXPONENTIAL);
    prometheus.wait_for(&format!("histogram_count(last_over_time({native}[5m]))"), polls);
    assert_no_value(prometheus, &native);
}

fn assert_no_value(prometheus: &Prometheus, series: &str) {
    until(series, || match prometheus.query(series).pop() {
        None => Ok(()),
        Some(value) => Err(format!("it goes on: {value:?}")),
    });
}

#[test]
fn the_last_values_of_a_detached_source_are_kept_and_its_series_end() {
    let peers = peers!("the_last_values_of_a_detached_source_are_kept_and_its_series_end");
    let prometheus = Prometheus::start(&peers);
    let gateway = Collector::gateway(&peers, prometheus.otlp_endpoint());
    for way in [Way::Apart, Way::Together, Way::Push] {
        for protocol in BOTH {
            let to = To::new(protocol, gateway.endpoint(protocol), Temporality::Cumulative);
            let service = end(&To { way, ..to });
            assert_ended(&prometheus, &service, way == Way::Push);
        }
    }
}

#[test]
fn prometheus_itself_keeps_the_last_values_as_well() {
    let peers = peers!("prometheus_itself_keeps_the_last_values_as_well");
    let prometheus = Prometheus::start(&peers);
    let to = To::new(Protocol::Http, prometheus.otlp_endpoint(), Temporality::Cumulative);
    let service = end(&To { way: Way::Push, ..to });
    assert_ended(&prometheus, &service, true);
}

#[test]
fn the_last_deltas_of_a_detached_source_are_counted() {
    let peers = peers!("the_last_deltas_of_a_detached_source_are_counted");
    let prometheus = Prometheus::start(&peers);
    let gateway = Collector::gateway(&peers, prometheus.otlp_endpoint());
    for way in [Way::Apart, Way::Together, Way::Push] {
        for protocol in BOTH {
            let to = To::new(protocol, gateway.endpoint(protocol), Temporality::Delta);
            let service = end(&To { way, ..to });
            // The collector, which makes a total of them, knows no end of a counter.
            assert_ended(&prometheus, &service, false);
        }
    }
}

#[test]
fn a_backend_that_wants_deltas_gets_the_last_ones() {
    let peers = peers!("a_backend_that_wants_deltas_gets_the_last_ones");
    let prometheus = Prometheus::start(&peers);
    let backend = Receiver::builder().keep_requests(true).start().unwrap();
    let gateway = Collector::start(
        &peers,
        &["gateway.yaml", "gateway-delta.yaml"],
        &[
            ("PROMETHEUS_OTLP_ENDPOINT", prometheus.otlp_endpoint()),
            ("DELTA_OTLP_ENDPOINT", backend.http_endpoint()),
            ("DELTA_KEY", "hunter2".to_owned()),
        ],
    );
    let to = To::new(Protocol::Grpc, gateway.endpoint(Protocol::Grpc), Temporality::Cumulative);
    let service = end(&To { way: Way::Push, ..to });
    let counted = |name: &str, read: &dyn Fn(&Data) -> u64| {
        let all = backend.wait_until(PATIENCE, |state| {
            let mut series = state.series(name);
            series.retain(|series| series.attributes["worker_pool.name"] == EXPLICIT);
            series.iter().any(|series| series.total().as_ref().map(read) == Some(service.polls))
        });
        assert!(all, "{name}: {:?}", backend.series(name));
    };
    counted("worker_pool.worker.polls", &|data| match data {
        Data::Number { value } => value.as_i64().and_then(|value| value.try_into().ok()).unwrap_or(0),
        _ => 0,
    });
    counted("worker_pool.task.poll.duration", &|data| match data {
        Data::Histogram(histogram) => histogram.count,
        _ => 0,
    });
}
