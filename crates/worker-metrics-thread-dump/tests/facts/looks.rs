use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};

use worker_metrics_thread_dump::{Call, LookError, RunState, Thread, Unavailable};

use crate::rig;

#[test]
fn a_thread_that_is_parked_has_not_run_between_two_looks() {
    let subject = rig::spawn(std::thread::park);
    let (earlier, later) = subject.once_asleep();
    assert_eq!(earlier.call, later.call);
    assert!(later.time_slices > 0);
    assert!(!later.cpu_time.is_zero());
    assert!(later.run_delay.is_some());
    subject.handle.thread().unpark();
    subject.handle.join().expect("it does not panic");
}

#[test]
fn a_thread_that_ran_in_between_is_noticed_although_it_is_back_in_the_same_call() {
    let goes_on = Arc::new(AtomicBool::new(true));
    let flag = Arc::clone(&goes_on);
    let subject = rig::spawn(move || {
        while flag.load(Relaxed) {
            std::thread::park();
        }
    });
    let (before, _) = subject.once_asleep();
    subject.handle.thread().unpark();
    subject.once("woken", |thread| (!thread.look().ok()?.has_not_run_since(&before)).then_some(()));
    let (_, after) = subject.once_asleep();
    assert_eq!(before.call, after.call, "it waits for the same futex");
    assert!(!after.has_not_run_since(&before));
    assert!(after.time_slices > before.time_slices);
    assert!(after.cpu_time > before.cpu_time);
    goes_on.store(false, Relaxed);
    subject.handle.thread().unpark();
    subject.handle.join().expect("it does not panic");
}

/// The thread counts how often it was woken, so that it is known whether it ran: once the first
/// look is over, and before the second one begins.
#[test]
fn a_thread_that_ran_between_two_looks_is_never_said_to_have_slept() {
    const ENOUGH: u32 = 200;
    let wakes = Arc::new(AtomicU64::new(0));
    let goes_on = Arc::new(AtomicBool::new(true));
    let (count, flag) = (Arc::clone(&wakes), Arc::clone(&goes_on));
    let subject = rig::spawn(move || {
        while flag.load(SeqCst) {
            std::thread::park();
            count.fetch_add(1, SeqCst);
        }
    });
    let (woken, flag) = (subject.handle.thread().clone(), Arc::clone(&goes_on));
    let waker = std::thread::spawn(move || {
        let mut spins = 0;
        while flag.load(SeqCst) {
            woken.unpark();
            // Pauses of all lengths around that of a look.
            spins = (spins + 97) % 20_000;
            (0..spins).for_each(|_| std::hint::spin_loop());
        }
    });
    let (mut slept, mut ran) = (0, 0);
    subject.once("asleep and awake often enough", |thread| {
        for gap in 0..200 {
            let earlier = thread.look().expect("it lives");
            let before = wakes.load(SeqCst);
            (0..5 * gap).for_each(|_| std::hint::spin_loop());
            let after = wakes.load(SeqCst);
            let later = thread.look().expect("it lives");
            let is_proved = later.has_not_run_since(&earlier);
            assert!(!is_proved || before == after, "{earlier:?}, {before} wakes; {later:?}, {after} wakes");
            slept += u32::from(is_proved);
            ran += u32::from(before != after);
        }
        (slept > ENOUGH && ran > ENOUGH).then_some(())
    });
    goes_on.store(false, SeqCst);
    subject.handle.thread().unpark();
    subject.handle.join().expect("it does not panic");
    waker.join().expect("it does not panic");
}

#[test]
fn a_thread_that_computes_is_running() {
    let goes_on = Arc::new(AtomicBool::new(true));
    let flag = Arc::clone(&goes_on);
    let subject = rig::spawn(move || {
        while flag.load(Relaxed) {
            std::hint::spin_loop();
        }
    });
    let look = subject.once("running", |thread| {
        let look = thread.look().expect("it lives");
        (look.call == Call::Running).then_some(look)
    });
    assert!(!look.has_not_run_since(&look), "who runs has run");
    subject.once("using its CPU", |thread| (thread.look().ok()?.cpu_time > look.cpu_time).then_some(()));
    let activity = subject.thread.activity(&look).expect("it lives");
    assert_eq!(activity.to_string(), "running");
    assert_eq!((activity.call, activity.waits_on), (None, None));
    assert_eq!(activity.state, Some(RunState::Running));
    assert_eq!(activity.kernel_function, None);
    goes_on.store(false, Relaxed);
    subject.handle.join().expect("it does not panic");
}

#[test]
fn a_thread_that_has_ended_is_ended() {
    let subject = rig::spawn(|| ());
    let id = subject.thread.id();
    let look = subject.thread.look();
    subject.handle.join().expect("it does not panic");
    // The kernel forgets a thread a moment after it can be joined.
    let begin = std::time::Instant::now();
    while subject.thread.look() != Err(LookError::Ended) {
        assert!(begin.elapsed() < rig::PATIENCE, "{:?}", subject.thread.look());
        std::thread::yield_now();
    }
    assert_eq!(subject.thread.name(), None);
    if let Ok(look) = look {
        assert_eq!(subject.thread.activity(&look), Err(LookError::Ended));
    }
    // Another thread may have got the id by now, but not without having begun.
    match Thread::open(id) {
        Err(Unavailable::NoThread { thread }) => assert_eq!(thread, id),
        other => assert!(other.is_ok(), "{other:?}"),
    }
}

#[test]
fn a_thread_that_looks_at_itself_runs() {
    let own = Thread::current().expect("Linux lets threads be looked at");
    let [earlier, later] = [own.look(), own.look()].map(|look| look.expect("it lives"));
    assert_eq!((earlier.call, later.call), (Call::Running, Call::Running));
    assert!(!later.has_not_run_since(&earlier));
    assert_eq!(own.activity(&later).expect("it lives").to_string(), "running");
}
