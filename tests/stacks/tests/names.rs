//! What a stack says by its names, on Tokio.

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use worker_metrics_thread_dump::{Fold, NoStack, Stack, Stacks, Thread, ThreadId};

fn capture(thread: &Thread) -> Stack {
    let mut stacks = Stacks::new().expect("memory can be read");
    for _ in 0..1000 {
        match stacks.capture(thread) {
            Ok(stack) => return stack,
            Err(NoStack::Running | NoStack::Moved) => thread::sleep(Duration::from_millis(1)),
            Err(why) => panic!("{why}"),
        }
    }
    panic!("it never blocks");
}

async fn checkout(says: std::sync::mpsc::Sender<ThreadId>) {
    tokio::task::yield_now().await;
    price(says).await;
}

async fn price(says: std::sync::mpsc::Sender<ThreadId>) {
    says.send(ThreadId::current().expect("Linux")).expect("it is received");
    legacy_client();
}

#[inline(never)]
fn legacy_client() {
    thread::sleep(Duration::from_secs(2));
}

#[test]
fn a_worker_that_blocks_in_a_task_says_where() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("one");
    let (says, said) = channel();
    let task = runtime.spawn(checkout(says));
    let thread = Thread::open(said.recv().expect("it says so")).expect("it can be looked at");
    thread::sleep(Duration::from_millis(100));
    let stack = capture(&thread);
    println!("{stack}\n{}", stack.folded());
    assert!(stack.complete);

    let own: Vec<_> = stack.topmost().map(|frame| frame.label().to_string()).collect();
    assert!(own[0].ends_with("legacy_client"), "{own:?}");
    let position = |name: &str| own.iter().position(|label| label.contains(name));
    assert!(position("price") < position("checkout") && position("price").is_some(), "{own:?}");
    let file = stack.topmost().next().and_then(|frame| frame.file.clone()).expect("line tables");
    assert!(file.ends_with("tests/names.rs"), "{file}");

    let folded = stack.folded();
    let lines: Vec<_> = folded.iter().collect();
    assert!(lines.len() * 2 < stack.frames.len(), "{folded}");
    let sleep = lines.iter().find_map(|fold| match fold {
        Fold::Frame(frame) if frame.function.as_deref().is_some_and(|name| name.ends_with("sleep")) => {
            Some(frame)
        }
        _ => None,
    });
    assert!(sleep.is_some_and(|frame| frame.is_runtime()), "what was called stays: {folded}");
    assert_eq!(stack.fingerprint(), capture(&thread).fingerprint());
    runtime.block_on(task).expect("it ends");
}

#[test]
fn an_idle_worker_has_a_stack_that_is_all_runtime() {
    let (says, said) = channel();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .on_thread_start(move || says.send(ThreadId::current().expect("Linux")).expect("it is received"))
        .build()
        .expect("one");
    let workers: Vec<_> = said.iter().take(2).collect();
    thread::sleep(Duration::from_millis(100));
    for worker in workers {
        let stack = capture(&Thread::open(worker).expect("it can be looked at"));
        println!("{}", stack.folded());
        assert!(stack.complete);
        assert_eq!(
            stack.topmost().filter(|frame| !frame.label().to_string().contains("names::")).count(),
            0,
            "{stack}"
        );
    }
    drop(runtime);
}
