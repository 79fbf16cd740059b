use std::collections::HashSet;

use worker_metrics_thread_dump::{Thread, ThreadId, Unavailable, threads};

use crate::rig;

#[test]
fn each_thread_has_an_id_of_its_own_and_is_in_the_list() {
    let subjects = [(); 3].map(|()| rig::spawn(std::thread::park));
    let ids: HashSet<_> = subjects.iter().map(|subject| subject.thread.id()).collect();
    assert_eq!(ids.len(), subjects.len());
    let listed: HashSet<_> = threads().expect("there is /proc").into_iter().collect();
    assert!(ids.is_subset(&listed));
    assert!(listed.contains(&ThreadId::current().expect("there is /proc")));
    for subject in subjects {
        assert_eq!(subject.thread.name().as_deref(), Some("subject"));
        subject.handle.thread().unpark();
        subject.handle.join().expect("it does not panic");
    }
}

#[test]
fn an_id_is_that_of_the_system() {
    let id = ThreadId::current().expect("there is /proc");
    let status = std::fs::read_to_string(format!("/proc/self/task/{id}/status")).expect("it is there");
    assert!(status.lines().any(|line| line == format!("Pid:\t{id}")));
    assert_eq!(ThreadId::from_u32(id.as_u32()), id);
}

#[test]
fn a_thread_of_another_process_is_none_of_ours() {
    // The first process is there always, and is not this one.
    let first = ThreadId::from_u32(1);
    if std::process::id() == 1 {
        return;
    }
    assert_eq!(Thread::open(first).map(drop), Err(Unavailable::NoThread { thread: first }));
}
