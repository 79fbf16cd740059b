use tokio::runtime::Builder;
use worker_metrics::{Namespace, Source};
use worker_metrics_tokio::TokioRuntime;

use crate::rig::{current_thread, multi_thread};

#[test]
fn a_runtime_is_known_by_its_flavor_its_workers_and_its_id() {
    let (many, one) = (multi_thread(3), current_thread());
    let (many_source, one_source) = (TokioRuntime::new(many.handle()), TokioRuntime::new(one.handle()));
    assert_eq!(many_source.identity().namespace, Namespace::TOKIO);
    assert_eq!((many_source.identity().flavor, many_source.identity().workers), (Some("multi_thread"), 3));
    assert_eq!((one_source.identity().flavor, one_source.identity().workers), (Some("current_thread"), 1));
    assert_eq!(many_source.identity().id, many.handle().id().to_string());
    assert_ne!(many_source.identity().id, one_source.identity().id);
}

#[test]
fn the_name_is_the_builders_or_the_one_given_or_none() {
    let named = Builder::new_current_thread().name("io").build().unwrap();
    let source = TokioRuntime::new(named.handle());
    assert_eq!(source.identity().name.as_deref(), Some("io"));
    assert_eq!(source.with_name("disk").identity().name.as_deref(), Some("disk"));
    assert_eq!(TokioRuntime::new(current_thread().handle()).identity().name, None);
}

#[test]
fn the_current_runtime_is_the_one_that_the_code_runs_on() {
    let runtime = multi_thread(1);
    let source = runtime.block_on(async { TokioRuntime::current() }).unwrap();
    assert_eq!(source.identity().id, runtime.handle().id().to_string());
}

#[test]
fn outside_a_runtime_there_is_no_current_one() {
    assert_eq!(
        TokioRuntime::current().unwrap_err().to_string(),
        "this code does not run on a Tokio runtime: call it within one, or use `TokioRuntime::new(runtime.handle())`"
    );
}
