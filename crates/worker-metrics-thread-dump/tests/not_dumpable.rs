//! A process that is not dumpable, which changes the whole process and therefore is a program of
//! its own.
#![cfg(target_os = "linux")]

use rustix::process::{DumpableBehavior, geteuid, set_dumpable_behavior};
use rustix::thread::set_thread_uid;
use worker_metrics_thread_dump::{Thread, Unavailable, coverage};

/// A user without privileges.
const NOBODY: u32 = 65534;

#[test]
fn a_process_that_is_not_dumpable_is_told_so_and_keeps_what_it_has_open() {
    let kept = Thread::current().expect("Linux lets threads be looked at");
    std::thread::spawn(move || {
        set_dumpable_behavior(DumpableBehavior::NotDumpable).expect("a process may");
        // Root may read everything: this thread alone becomes somebody else.
        if geteuid().is_root() {
            set_thread_uid(rustix::process::Uid::from_raw(NOBODY)).expect("root may");
        }
        let why = Unavailable::Denied { file: "/proc/self/task/TID/syscall" };
        assert_eq!(Thread::current().map(drop), Err(why));
        assert!(why.to_string().contains("not dumpable"), "{why}");

        let coverage = coverage();
        assert_eq!(coverage.looks, Err(why));
        assert_eq!(coverage.memory, Err(Unavailable::Denied { file: "/proc/self/mem" }));
        // Of its own threads a process may always see these.
        assert_eq!(coverage.descriptors, Ok(()));
        assert_eq!(coverage.exact_times, Ok(()));
        assert!(!coverage.is_complete());

        kept.look().expect("the files were opened before");
    })
    .join()
    .expect("it does not panic");
}
