//! Deltas through several gateways, and to a backend that wants them.

use opentelemetry_sdk::metrics::Temporality;
use otlp_receiver::{Receiver, Temporality as Arrived};

use crate::collector::Collector;
use crate::peers::peers;
use crate::prometheus::Prometheus;
use crate::service::{BOTH, EXPLICIT, Protocol, Service, To};
use crate::values::assert_everything_arrived;
use crate::wait::PATIENCE;

#[test]
fn all_points_of_a_process_reach_the_same_gateway() {
    let peers = peers!("all_points_of_a_process_reach_the_same_gateway");
    let prometheus = Prometheus::start(&peers);
    let gateways = [(); 2].map(|()| Collector::gateway(&peers, prometheus.otlp_endpoint()));
    let agent = Collector::agent(&peers, &gateways.each_ref());
    for protocol in BOTH {
        // A gateway that saw every second delta only would say a total of its own.
        let to = To::new(protocol, agent.endpoint(protocol), Temporality::Delta);
        let mut services = [(); 3].map(|()| Service::start(&to));
        for _ in 0..3 {
            for service in &mut services {
                service.work();
                service.deliver();
            }
        }
        for service in &services {
            assert_everything_arrived(&prometheus, service);
        }
    }
}

#[test]
fn a_backend_that_wants_deltas_gets_them_of_cumulative_values() {
    let peers = peers!("a_backend_that_wants_deltas_gets_them_of_cumulative_values");
    let prometheus = Prometheus::start(&peers);
    let backend = Receiver::start().unwrap();
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
    let mut service = Service::start(&to);
    for _ in 0..3 {
        service.work();
        service.deliver();
    }
    // The receiver adds up what comes.
    let arrived = |name: &str, read: &dyn Fn(&otlp_receiver::Point) -> Option<u64>| {
        let all = backend.wait_until(PATIENCE, |state| {
            let document = state.document();
            let Some(metric) = document.metric(name) else { return false };
            assert_eq!(metric.temporality, Some(Arrived::Delta), "{name}");
            let of_pool = |point: &&otlp_receiver::Point| point.attributes["worker_pool.name"] == EXPLICIT;
            metric.points.iter().find(of_pool).and_then(read) == Some(service.polls)
        });
        assert!(all, "{name}: {:?}", backend.snapshot().metric(name));
    };
    arrived("worker_pool.worker.polls", &|point| point.value()?.as_i64()?.try_into().ok());
    arrived("worker_pool.task.poll.duration", &|point| Some(point.histogram()?.count));
    assert_eq!(backend.last_transport().unwrap().header("api-key"), Some("hunter2"));
    // Prometheus has the cumulative values beside it.
    assert_everything_arrived(&prometheus, &service);
}
