//! What a proof takes, and what the report of a stall takes: a look at a thread, and its stack.

use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use worker_metrics_thread_dump::{Stacks, Thread, ThreadId};

use crate::report::{Chapter, Limit, Target};
use crate::turns::micros;

/// A table of what is done to a thread that is blocked, and what is promised of it.
pub(super) fn report(rounds: usize) -> Chapter {
    let (tell, told) = channel();
    let (release, released) = channel::<()>();
    let blocked = thread::spawn(move || {
        tell.send(ThreadId::current()).expect("the benchmark listens");
        wait(&released, 16);
    });
    let id = told.recv().expect("the thread tells its number");
    let table = id.and_then(Thread::open).and_then(|thread| Ok((thread, Stacks::new()?)));
    let text = match table {
        Ok((thread, mut stacks)) => measured(&thread, &mut stacks, rounds.max(1) * 20),
        Err(why) => format!("\nSKIPPED: what a proof and a stack take: {why}\n").into(),
    };
    drop(release);
    blocked.join().expect("the thread only waits");
    text
}

#[inline(never)]
fn wait(released: &Receiver<()>, depth: usize) {
    if depth > 0 {
        wait(released, depth - 1);
    } else {
        // An error is the end.
        let _ = released.recv();
    }
    std::hint::black_box(depth);
}

fn measured(thread: &Thread, stacks: &mut Stacks, times: usize) -> Chapter {
    let first = time(|| drop(stacks.capture(thread)));
    let look = median(times, || {
        let _ = std::hint::black_box(thread.look());
    });
    let raw = median(times, || drop(stacks.capture_raw(thread)));
    let named = median(times.min(200), || drop(stacks.capture(thread)));
    let frames = stacks.capture_raw(thread).map_or(0, |stack| stack.addresses().len());
    let text = format!(
        "\nOne thread that is blocked, {frames} frames deep, looked at from another one: medians of {times} times. The first stack of a \
         process reads the tables of its program.\n\n\
         | what | takes |\n|---|---|\n\
         | a look: its system call and its times | {} |\n\
         | its stack, as addresses | {} |\n\
         | its stack, with names that are known already | {} |\n\
         | the first stack of the process | {} |\n",
        micros(look),
        micros(raw),
        micros(named),
        micros(first),
    );
    let promise = |measure: &str, most: f64, measured: Duration| Target {
        measure: measure.to_owned(),
        limit: Limit::AtMost(most),
        measured: measured.as_secs_f64() * 1e6,
        note: "",
    };
    let targets = vec![
        promise("a look at a thread, in µs", 50.0, look),
        promise("the stack of a thread as addresses, in µs", 200.0, raw),
    ];
    Chapter { text, targets, ..Chapter::default() }
}

fn median(times: usize, mut run: impl FnMut()) -> Duration {
    let mut all: Vec<_> = (0..times).map(|_| time(&mut run)).collect();
    all.sort_unstable();
    all[times / 2]
}

fn time(run: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    run();
    begun.elapsed()
}
