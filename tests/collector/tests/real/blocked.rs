//! A worker that is blocked, on its way to whoever is on call.

use std::sync::mpsc::{Receiver, channel};

use opentelemetry_sdk::metrics::Temporality;
use tokio::runtime::Builder;
use worker_metrics_otel::WorkerDump;
use worker_metrics_tokio::TokioRuntime;

use crate::collector::Collector;
use crate::peers::peers;
use crate::prometheus::Prometheus;
use crate::service::{Protocol, Service, To};
use crate::wait::until;

#[test]
fn a_blocked_worker_is_told_while_it_is_blocked() {
    let peers = peers!("a_blocked_worker_is_told_while_it_is_blocked");
    let prometheus = Prometheus::start(&peers);
    let gateway = Collector::gateway(&peers, prometheus.otlp_endpoint());
    let to = To::new(Protocol::Grpc, gateway.endpoint(Protocol::Grpc), Temporality::Cumulative);
    let service = Service::start(&to);
    let runtime = Builder::new_multi_thread().worker_threads(2).name("main").build().unwrap();
    let _attachment = service.workers.attach(TokioRuntime::new(runtime.handle())).unwrap();

    // Of a worker that blocks before its thread is known nothing is proved.
    until("the threads of the workers", || {
        let dump = service.workers.dump();
        let main = dump.sources.iter().find(|source| source.name.as_deref() == Some("main"));
        let known = |worker: &WorkerDump| worker.thread_id.is_some() || cfg!(not(target_os = "linux"));
        let are_known = main.is_some_and(|main| main.workers.iter().all(known));
        if are_known { Ok(()) } else { Err(dump.to_string()) }
    });
    let (release, released) = channel::<()>();
    runtime.spawn(async move { wait_for_the_database(&released) });
    let stalled = format!(
        "tokio_worker_count{{tokio_runtime_name=\"main\", tokio_worker_state=\"stalled\", instance=\"{}\"}}",
        service.instance
    );
    let age = format!("max(tokio_worker_progress_age_seconds{{instance=\"{}\"}})", service.instance);
    let told = |expected: f64| {
        until(&stalled, || {
            service.deliver();
            let value = prometheus.value(&stalled);
            if value == Some(expected) { Ok(()) } else { Err(format!("{value:?}")) }
        });
    };
    told(1.0);
    assert!(prometheus.value(&age).unwrap() >= 1.0);
    // Why, in the metric; and in which code, in the log record.
    let cause = if cfg!(target_os = "linux") { "lock" } else { "unknown" };
    let stalls = format!(
        "sum(tokio_worker_stalls_total{{tokio_stall_cause=\"{cause}\", instance=\"{}\"}})",
        service.instance
    );
    prometheus.wait_for(&stalls, 1.0);
    let log = until("the event in the log of the collector", || {
        let log = gateway.log();
        if log.contains("EventName: tokio.worker.stall\n") { Ok(log) } else { Err(log) }
    });
    assert!(log.contains(&format!("tokio.stall.cause: Str({cause})")), "{log}");
    assert!(log.contains("tokio.runtime.name: Str(main)"), "{log}");
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        assert!(log.contains("code.stacktrace: Str(") && log.contains("wait_for_the_database"), "{log}");
    }
    release.send(()).unwrap();
    told(0.0);
    until("the end of the stall in the log of the collector", || {
        let log = gateway.log();
        if log.contains("EventName: tokio.worker.stall.end\n") { Ok(()) } else { Err(log) }
    });
}

#[inline(never)]
fn wait_for_the_database(released: &Receiver<()>) {
    // An error is the end of a failed test.
    _ = released.recv();
}
