//! A collector that dies in the middle: the service goes on, and no total is wrong afterwards.

use std::time::Duration;

use opentelemetry_sdk::metrics::Temporality;
use otlp_receiver::lasting_port;

use crate::collector::Collector;
use crate::peers::peers;
use crate::prometheus::{Prometheus, otlp_endpoint};
use crate::service::{BOTH, EXPLICIT, POLLS, Protocol, Service, To};
use crate::values::{assert_everything_arrived, assert_histograms_arrived};

/// No counter and no histogram of the service fell in the last hour.
fn assert_nothing_went_backwards(prometheus: &Prometheus, service: &Service) {
    let instance = format!("instance=\"{}\"", service.instance);
    let names = ".+_total|.+_seconds_(count|sum|bucket)|worker_pool_task_poll_duration_seconds";
    let all = prometheus.query(&format!("count by (__name__) ({{{instance}, __name__=~\"{names}\"}})"));
    assert!(all.len() >= 6, "{all:?}");
    for sample in all {
        let name = &sample.labels["__name__"];
        prometheus.wait_for(&format!("sum(resets({name}{{{instance}}}[1h]))"), 0.0);
    }
}

#[test]
fn a_collector_that_is_killed_while_a_service_pushes_costs_nothing() {
    let peers = peers!("a_collector_that_is_killed_while_a_service_pushes_costs_nothing");
    let prometheus = Prometheus::start(&peers);
    for protocol in BOTH {
        let mut gateway = Collector::gateway(&peers, prometheus.otlp_endpoint());
        let interval = Duration::from_millis(50);
        let to = To::new(protocol, gateway.endpoint(protocol), Temporality::Cumulative);
        let mut service = Service::start(&To { interval, ..to });
        let total = service.select("worker_pool_worker_polls_total", EXPLICIT);
        for _ in 0..3 {
            service.work();
            prometheus.wait_for(&total, service.polls as f64);
            gateway.kill();
            // Exports fail just now, and the service works.
            service.work();
            assert!(service.export().is_err(), "{protocol:?}: nobody listens");
            service.work();
            gateway.restart();
        }
        assert_everything_arrived(&prometheus, &service);
        assert_nothing_went_backwards(&prometheus, &service);
    }
}

#[test]
fn deltas_of_histograms_that_a_dead_collector_did_not_take_are_carried_over() {
    let peers = peers!("deltas_of_histograms_that_a_dead_collector_did_not_take_are_carried_over");
    let prometheus = Prometheus::start(&peers);
    let gateway = Collector::gateway(&peers, prometheus.otlp_endpoint());
    for protocol in BOTH {
        let mut agent = Collector::agent(&peers, &[&gateway]);
        let mut service = Service::start(&To::new(protocol, agent.endpoint(protocol), Temporality::Delta));
        for round in 1..=2 {
            service.work();
            service.deliver();
            // It came through the agent: what is carried over is what the agent never saw.
            assert_histograms_arrived(&prometheus, &service, f64::from(3 * round - 2));
            agent.kill();
            for _ in 0..2 {
                service.work();
                assert!(service.export().is_err(), "{protocol:?}: nobody listens");
            }
            agent.restart();
        }
        service.deliver();
        assert_histograms_arrived(&prometheus, &service, 6.0);
        assert_nothing_went_backwards(&prometheus, &service);
        // The SDK forgets what it could not export: this is why deploy/README.md speaks for
        // cumulative values.
        let counted = prometheus.value(&service.select("worker_pool_worker_polls_total", EXPLICIT)).unwrap();
        assert!(counted < service.polls as f64, "{protocol:?}: the SDK carries deltas over now: {counted}");
        assert_eq!(agent.log().matches("deprecated").count(), 0, "{}", agent.log());
    }
}

#[test]
fn what_a_collector_took_survives_its_death() {
    let peers = peers!("what_a_collector_took_survives_its_death");
    for temporality in [Temporality::Cumulative, Temporality::Delta] {
        // Nobody listens there yet.
        let port = lasting_port();
        let mut gateway = Collector::gateway(&peers, otlp_endpoint(&format!("http://127.0.0.1:{port}")));
        let endpoint = gateway.endpoint(Protocol::Grpc);
        let mut service = Service::start(&To::new(Protocol::Grpc, endpoint, temporality));
        for _ in 0..3 {
            service.work();
            service.export().unwrap();
        }
        gateway.kill();
        gateway.restart();
        let prometheus = Prometheus::on(&peers, port);
        // No export follows: this was on the disk.
        assert_everything_arrived(&prometheus, &service);
        assert_nothing_went_backwards(&prometheus, &service);
    }
}

#[test]
fn what_an_agent_took_reaches_a_gateway_that_was_away() {
    let peers = peers!("what_an_agent_took_reaches_a_gateway_that_was_away");
    let prometheus = Prometheus::start(&peers);
    // Deltas have to arrive in their order. An agent that dies takes up last what was under way
    // first.
    for (temporality, agent_dies) in [(Temporality::Cumulative, true), (Temporality::Delta, false)] {
        let mut gateway = Collector::gateway(&peers, prometheus.otlp_endpoint());
        gateway.kill();
        let mut agent = Collector::agent(&peers, &[&gateway]);
        let endpoint = agent.endpoint(Protocol::Http);
        let mut service = Service::start(&To::new(Protocol::Http, endpoint, temporality));
        for _ in 0..10 {
            service.work();
            service.export().unwrap();
        }
        if agent_dies {
            agent.restart();
        }
        gateway.restart();
        assert_everything_arrived(&prometheus, &service);
        assert_nothing_went_backwards(&prometheus, &service);
    }
}

#[test]
fn a_converter_that_dies_starts_from_0_which_increase_knows_and_cumulative_values_avoid() {
    let peers =
        peers!("a_converter_that_dies_starts_from_0_which_increase_knows_and_cumulative_values_avoid");
    let prometheus = Prometheus::start(&peers);
    let mut gateway = Collector::gateway(&peers, prometheus.otlp_endpoint());
    let to = |temporality| To::new(Protocol::Grpc, gateway.endpoint(Protocol::Grpc), temporality);
    let (mut delta, mut cumulative) =
        (Service::start(&to(Temporality::Delta)), Service::start(&to(Temporality::Cumulative)));
    let name = "worker_pool_worker_polls_total";
    let once = POLLS as f64;
    for service in [&mut delta, &mut cumulative] {
        for _ in 0..2 {
            service.work();
            service.deliver();
        }
        prometheus.wait_for(&service.select(name, EXPLICIT), 2.0 * once);
    }
    gateway.restart();
    for (service, expected, resets) in [(&mut delta, once, 1.0), (&mut cumulative, 3.0 * once, 0.0)] {
        service.work();
        service.deliver();
        let series = service.select(name, EXPLICIT);
        prometheus.wait_for(&series, expected);
        prometheus.wait_for(&format!("resets({series}[1h])"), resets);
    }
}
