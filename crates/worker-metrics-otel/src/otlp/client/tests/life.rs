//! Where a push lives, and how it ends.

use std::sync::mpsc;
use std::time::Instant;

use otlp_receiver::Fault;
use tokio::runtime::{Builder, Runtime};

use super::{Case, PATIENCE, Program, cases, protocols, receiver};
use crate::otlp::client::NetworkThread;

fn one_worker() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

#[test]
fn an_export_leaves_while_the_runtime_in_which_it_was_started_is_blocked() {
    for protocol in protocols() {
        let receiver = receiver();
        let runtime = one_worker();
        let mut program = Program::new();
        let push = runtime.block_on(async { program.push(protocol, &receiver) });
        let (blocked, is_blocked) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        runtime.spawn(async move {
            blocked.send(()).unwrap();
            released.recv().unwrap_err();
        });
        is_blocked.recv_timeout(PATIENCE).unwrap();
        program.poll();
        push.force_flush().unwrap();
        program.assert_delivered(&receiver, &protocol.to_string());
        drop(release);
    }
}

#[test]
fn a_push_is_started_flushed_and_dropped_on_a_current_thread_runtime() {
    for protocol in protocols() {
        let receiver = receiver();
        let mut program = Program::new();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let push = program.push(protocol, &receiver);
            program.poll();
            push.force_flush().unwrap();
            program.poll();
            drop(push);
        });
        program.assert_delivered(&receiver, &protocol.to_string());
    }
}

#[test]
fn a_push_is_dropped_in_a_task_and_with_the_runtime_that_holds_it() {
    for Case { protocol, receiver, mut program, push } in cases() {
        program.poll();
        let runtime = one_worker();
        runtime.block_on(async { tokio::spawn(async move { drop(push) }).await.unwrap() });
        program.assert_delivered(&receiver, &protocol.to_string());

        let push = program.push(protocol, &receiver);
        program.poll();
        runtime.spawn(async move {
            let _push = push;
            std::future::pending::<()>().await;
        });
        // The task goes with its runtime, on whatever thread.
        let start = Instant::now();
        drop(runtime);
        assert!(start.elapsed() < PATIENCE);
        let arrived = receiver.wait_until(PATIENCE, |state| {
            state.series(super::POLLS).iter().map(|series| series.points.len()).sum::<usize>() >= 2
        });
        assert!(arrived, "{protocol}");
        program.assert_delivered(&receiver, &protocol.to_string());
    }
}

#[test]
fn dropping_a_push_whose_receiver_hangs_is_quick_and_quiet_in_async_code() {
    for protocol in protocols() {
        let receiver = receiver();
        let program = Program::new();
        receiver.set_fault(Fault::Hang);
        let push = program.push(protocol, &receiver);
        let start = Instant::now();
        one_worker().block_on(async { drop(push) });
        assert!(start.elapsed() < PATIENCE, "{protocol}");
    }
}

#[test]
fn a_push_outlives_its_instrumentation_without_a_panic() {
    for Case { program, push, .. } in cases() {
        drop(program);
        let _ = push.force_flush();
        drop(push);
    }
}

#[test]
fn the_thread_ends_when_it_is_dropped() {
    let network = NetworkThread::start().unwrap();
    let handle = network.runtime().clone();
    assert_eq!(futures_executor::block_on(network.run(async { 7 })), Some(7));
    drop(network);
    // The runtime went with its thread, which was joined.
    let after = futures_executor::block_on(handle.spawn(async {}));
    assert!(after.unwrap_err().is_cancelled());
}

#[test]
fn a_push_that_is_rebuilt_counts_nothing_twice() {
    for protocol in protocols() {
        let receiver = receiver();
        let mut program = Program::new();
        for _ in 0..3 {
            let push = program.push(protocol, &receiver);
            program.poll();
            push.force_flush().unwrap();
            program.poll();
            push.shutdown_with_timeout(PATIENCE).unwrap();
        }
        program.assert_delivered(&receiver, &protocol.to_string());
    }
}

#[test]
fn a_push_that_is_rebuilt_has_its_own_limits() {
    for protocol in protocols() {
        let receiver = receiver();
        let program = Program::with_workers(8);
        program.push(protocol, &receiver).force_flush().unwrap();
        let before = receiver.attempts();
        let otlp = program.otlp(protocol, &super::endpoint(protocol, &receiver));
        let push = otlp.with_request_limits(1, 900_000).start().unwrap();
        push.force_flush().unwrap();
        assert!(receiver.attempts() > before + 8, "{protocol}: {}", receiver.attempts());
    }
}
