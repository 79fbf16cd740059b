//! Where the sink lives, and how it ends.

use std::sync::mpsc;
use std::time::Duration;

use otlp_receiver::{Fault, Receiver};
use tokio::runtime::{Builder, Runtime};

use super::{PATIENCE, SHORT, encoded, protocols, send, sink};

fn one_worker() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

#[test]
fn a_send_does_not_need_the_runtime_in_which_the_sink_was_made() {
    for protocol in protocols() {
        let receiver = Receiver::start().unwrap();
        let runtime = one_worker();
        let sink = runtime.block_on(async { sink(protocol, &receiver, &[]) });
        let (blocked, is_blocked) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        runtime.spawn(async move {
            blocked.send(()).unwrap();
            released.recv().unwrap_err();
        });
        is_blocked.recv_timeout(PATIENCE).unwrap();
        send(&sink).unwrap();
        assert_eq!(receiver.exports(), 1, "{protocol:?}");
        drop(release);
    }
}

#[test]
fn dropping_the_last_clone_in_async_code_is_quick_and_quiet() {
    for protocol in protocols() {
        let receiver = Receiver::start().unwrap();
        let runtime = one_worker();
        let task = async {
            let sink = sink(protocol, &receiver, &[]);
            let clone = sink.clone();
            drop(sink);
            clone.send(encoded()).await.unwrap();
            receiver.set_fault(Fault::Hang);
            let hanging = clone.clone();
            let sending = tokio::spawn(async move { hanging.send(encoded()).await });
            assert!(tokio::task::block_in_place(
                || receiver.wait_until(PATIENCE, |state| state.attempts() == 2)
            ));
            sending.abort();
            drop(clone);
            _ = sending.await;
        };
        runtime.block_on(async { tokio::time::timeout(PATIENCE, task).await }).unwrap();
    }
}

#[test]
fn a_send_that_is_given_up_is_cut_off() {
    for protocol in protocols() {
        let receiver = Receiver::start().unwrap();
        // What is cut off before its answer is due is not stored.
        receiver.set_fault(Fault::Delay(Duration::from_secs(3_600)));
        let sink = sink(protocol, &receiver, &[("TIMEOUT", SHORT)]);
        for attempts in 1..=6 {
            send(&sink).unwrap_err();
            assert_eq!(receiver.attempts(), attempts, "{protocol:?}: no attempt waits for an earlier one");
        }
    }
}

#[test]
fn the_thread_ends_with_the_last_clone() {
    let receiver = Receiver::start().unwrap();
    for protocol in protocols() {
        let sink = sink(protocol, &receiver, &[]);
        let handle = sink.thread.runtime().clone();
        let clone = sink.clone();
        drop(sink);
        send(&clone).unwrap();
        drop(clone);
        // The runtime went with its thread, which was joined.
        let after = futures_executor::block_on(handle.spawn(async {}));
        assert!(after.unwrap_err().is_cancelled(), "{protocol:?}");
    }
}
