use std::io::{self, Read};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use worker_metrics_thread_dump::{Call, RunState, WaitsOn};

use crate::rig;

#[test]
fn a_sleeping_thread_is_in_its_sleep() {
    let subject = rig::spawn(|| std::thread::sleep(Duration::from_secs(3600)));
    let activity = subject.once_in(&["clock_nanosleep", "nanosleep"]);
    assert_eq!(Some(activity.to_string().as_str()), activity.call);
    assert_eq!(activity.waits_on, Some(WaitsOn::Timer));
    assert_eq!(activity.state, Some(RunState::Sleeping));
    assert_eq!(activity.thread, subject.thread.id());
    assert_eq!(activity.name.as_deref(), Some("subject"));
    assert!(activity.voluntary_switches.is_some_and(|switches| switches > 0));
    assert!(activity.involuntary_switches.is_some());
}

#[test]
fn a_thread_that_waits_for_a_mutex_is_at_its_futex() {
    let mutex = Arc::new(Mutex::new(()));
    let guard = mutex.lock().expect("nobody panicked");
    let theirs = Arc::clone(&mutex);
    let subject = rig::spawn(move || drop(theirs.lock()));
    let activity = subject.once_in(&["futex"]);
    let Some(WaitsOn::Lock { address, is_timed: false }) = activity.waits_on else { panic!("{activity:?}") };
    assert_eq!(activity.to_string(), format!("futex at {address:#x}"));
    // The futex is in the mutex.
    let begin = Arc::as_ptr(&mutex).addr() as u64;
    assert!((begin..begin + size_of::<Mutex<()>>() as u64).contains(&address));
    drop(guard);
    subject.handle.join().expect("it does not panic");
}

#[test]
fn a_wait_with_a_timeout_says_so() {
    let subject = rig::spawn(|| std::thread::park_timeout(Duration::from_secs(3600)));
    let activity = subject.once_in(&["futex"]);
    assert!(matches!(activity.waits_on, Some(WaitsOn::Lock { is_timed: true, .. })), "{activity:?}");
    assert!(activity.to_string().ends_with(", with a timeout"), "{activity}");
    subject.handle.thread().unpark();
    subject.handle.join().expect("it does not panic");
}

#[test]
fn a_thread_that_reads_from_a_pipe_waits_on_it() {
    let (mut reader, writer) = io::pipe().expect("a pipe");
    let subject = rig::spawn(move || reader.read_to_end(&mut Vec::new()));
    let activity = subject.once_in(&["read"]);
    assert!(matches!(activity.waits_on, Some(WaitsOn::Pipe { inode }) if inode > 0), "{activity:?}");
    assert_eq!(activity.to_string(), "read from a pipe");
    drop(writer);
    subject.handle.join().expect("it does not panic").expect("the pipe ends");
}

#[test]
fn a_thread_that_waits_for_a_child_says_which() {
    let mut child = Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("every system has cat");
    let (pid, stdin) = (child.id(), child.stdin.take());
    let subject = rig::spawn(move || child.wait());
    let activity = subject.once_in(&["wait4", "waitid"]);
    assert_eq!(activity.waits_on, Some(WaitsOn::Child { pid: Some(pid) }));
    assert!(activity.to_string().ends_with(&format!(" for the child process {pid}")), "{activity}");
    drop(stdin);
    subject.handle.join().expect("it does not panic").expect("the child ends");
}

#[test]
fn what_a_thread_waited_on_is_absent_once_it_has_moved_on() {
    let subject = rig::spawn(|| {
        std::thread::park();
        std::thread::sleep(Duration::from_secs(3600));
    });
    let parked = subject.once_in(&["futex"]);
    subject.handle.thread().unpark();
    subject.once_in(&["clock_nanosleep", "nanosleep"]);
    let late = subject.thread.activity(&parked.look).expect("it lives");
    assert!(late.has_moved);
    assert_eq!((late.call, &late.waits_on, late.look), (Some("futex"), &None, parked.look));
    assert_eq!(late.to_string(), "futex");
}

#[test]
fn a_call_that_has_no_name_has_its_number() {
    let subject = rig::spawn(std::thread::park);
    let mut activity = subject.once_in(&["futex"]);
    let Call::In(line) = &mut activity.look.call else { panic!("{activity:?}") };
    line.number = 100_000;
    (activity.call, activity.waits_on) = (None, None);
    assert_eq!(activity.to_string(), "system call 100000");
    let Call::In(line) = &mut activity.look.call else { panic!("{activity:?}") };
    line.number = -1;
    assert_eq!(activity.to_string(), "a page fault");
    activity.state = Some(RunState::Traced);
    assert_eq!(activity.to_string(), "stopped by a debugger, in a page fault");
    subject.handle.thread().unpark();
    subject.handle.join().expect("it does not panic");
}
