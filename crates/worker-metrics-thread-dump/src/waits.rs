//! From a system call and its arguments to what it waits for. Called by an activity; opens, reads
//! and asks for nothing that could block on what the thread itself is blocked on, such as a file of
//! a remote file system.

use crate::arguments::{self, Descriptors, low};
use crate::{CallLine, ThreadId, WaitsOn, descriptor};

/// Which argument of a call says what it waits for.
#[derive(Clone, Copy, Debug)]
enum Clue {
    /// This argument is a file descriptor.
    Descriptor(usize),
    /// This argument is the address of a path.
    Path(usize),
    /// The operation is the second argument.
    Futex,
    /// The timeout is the fifth argument.
    FutexWait,
    Poll,
    Select,
    ChildByPid,
    ChildByKind,
    Nothing(fn() -> WaitsOn),
}

const TIMER: Clue = Clue::Nothing(|| WaitsOn::Timer);
const EVENTS: Clue = Clue::Nothing(|| WaitsOn::Events);
const SIGNAL: Clue = Clue::Nothing(|| WaitsOn::Signal);
const MEMORY: Clue = Clue::Nothing(|| WaitsOn::Memory);

const CLUES: &[(Clue, &[&str])] = &[
    (
        Clue::Descriptor(0),
        &[
            "read",
            "write",
            "pread64",
            "pwrite64",
            "readv",
            "writev",
            "preadv",
            "pwritev",
            "preadv2",
            "pwritev2",
            "recvfrom",
            "recvmsg",
            "recvmmsg",
            "sendto",
            "sendmsg",
            "sendmmsg",
            "sendfile",
            "accept",
            "accept4",
            "connect",
            "fsync",
            "fdatasync",
            "syncfs",
            "sync_file_range",
            "flock",
            "fcntl",
            "ftruncate",
            "fallocate",
            "fstat",
            "getdents64",
            "ioctl",
            "splice",
            "vmsplice",
            "copy_file_range",
            "readahead",
        ],
    ),
    (
        Clue::Path(0),
        &["open", "stat", "lstat", "access", "unlink", "rename", "mkdir", "rmdir", "truncate", "statfs"],
    ),
    (
        Clue::Path(1),
        &[
            "openat",
            "openat2",
            "newfstatat",
            "statx",
            "faccessat",
            "faccessat2",
            "unlinkat",
            "renameat2",
            "mkdirat",
        ],
    ),
    (Clue::Futex, &["futex"]),
    (Clue::FutexWait, &["futex_wait"]),
    (Clue::Poll, &["poll", "ppoll"]),
    (Clue::Select, &["select", "pselect6"]),
    (Clue::ChildByPid, &["wait4"]),
    (Clue::ChildByKind, &["waitid"]),
    (TIMER, &["nanosleep", "clock_nanosleep"]),
    (EVENTS, &["epoll_wait", "epoll_pwait", "epoll_pwait2", "io_uring_enter", "io_getevents"]),
    (SIGNAL, &["pause", "rt_sigsuspend", "rt_sigtimedwait"]),
    (MEMORY, &["mmap", "munmap", "mremap", "mprotect", "madvise", "msync", "mlock", "mlockall", "brk"]),
];

/// The calls that are told apart.
#[cfg(test)]
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    CLUES.iter().flat_map(|(_, names)| names.iter().copied())
}

/// What the thread waits for that is blocked in this call. `None` if the call does not tell.
pub(crate) fn waits_on(thread: ThreadId, call: &CallLine, name: Option<&str>) -> Option<WaitsOn> {
    if call.number == -1 {
        return Some(WaitsOn::Memory);
    }
    let name = name?;
    let (clue, _) = CLUES.iter().find(|(_, names)| names.contains(&name))?;
    let arguments = &call.arguments;
    match *clue {
        Clue::Descriptor(argument) => descriptor::resolve(thread, low(arguments[argument])),
        Clue::Path(argument) => match arguments::path(arguments[argument])? {
            // `fstat` and the like are calls with a descriptor and no path.
            path if path.is_empty() => descriptor::resolve(thread, low(arguments[0])),
            path => Some(WaitsOn::File { path: Some(path) }),
        },
        Clue::Futex => is_futex_wait(low(arguments[1]))
            .then_some(WaitsOn::Lock { address: arguments[0], is_timed: arguments[3] != 0 }),
        Clue::FutexWait => Some(WaitsOn::Lock { address: arguments[0], is_timed: arguments[4] != 0 }),
        Clue::Poll => any_of(thread, &arguments::polled(arguments[0], arguments[1])?),
        Clue::Select => any_of(thread, &arguments::selected(low(arguments[0]), &arguments[1..4])?),
        Clue::ChildByPid => Some(WaitsOn::Child { pid: positive(low(arguments[0])) }),
        Clue::ChildByKind => Some(WaitsOn::Child {
            pid: match low(arguments[0]) {
                P_PID => positive(low(arguments[1])),
                P_PIDFD => descriptor::process(thread, low(arguments[1])),
                _ => None,
            },
        }),
        Clue::Nothing(waits_on) => Some(waits_on()),
    }
}

// `idtype_t` of waitid(2).
const P_PID: u32 = 1;
const P_PIDFD: u32 = 3;

fn any_of(thread: ThreadId, descriptors: &Descriptors) -> Option<WaitsOn> {
    let resolved: Vec<_> =
        descriptors.first.iter().filter_map(|&number| descriptor::resolve(thread, number)).collect();
    let unresolved = descriptors.first.len() - resolved.len();
    match (descriptors.first.len(), descriptors.more) {
        (0, 0) => Some(WaitsOn::Timer),
        (1, 0) => resolved.into_iter().next(),
        (_, more) => Some(WaitsOn::AnyOf {
            descriptors: resolved,
            more: more + u64::try_from(unresolved).unwrap_or(u64::MAX),
        }),
    }
}

fn positive(number: u32) -> Option<u32> {
    i32::try_from(number).is_ok_and(|number| number > 0).then_some(number)
}

/// The operations that wait, of include/uapi/linux/futex.h.
fn is_futex_wait(operation: u32) -> bool {
    const PRIVATE_AND_CLOCK: u32 = 128 | 256;
    // WAIT, LOCK_PI, WAIT_BITSET, WAIT_REQUEUE_PI, LOCK_PI2.
    [0, 6, 9, 11, 13].contains(&(operation & !PRIVATE_AND_CLOCK))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, arguments: [u64; 6]) -> Option<WaitsOn> {
        let call = CallLine { number: 1, arguments, stack_pointer: 1, program_counter: 1 };
        waits_on(ThreadId::from_u32(1), &call, Some(name))
    }

    #[test]
    fn a_futex_that_is_waited_for_is_a_lock() {
        const WAIT_BITSET_PRIVATE: u64 = 9 | 128;
        const WAKE_PRIVATE: u64 = 1 | 128;
        let lock = |is_timed| Some(WaitsOn::Lock { address: 0x1000, is_timed });
        assert_eq!(of("futex", [0x1000, WAIT_BITSET_PRIVATE, 2, 0, 0, 0]), lock(false));
        assert_eq!(of("futex", [0x1000, WAIT_BITSET_PRIVATE, 2, 0x7f00, 0, 0]), lock(true));
        assert_eq!(of("futex", [0x1000, WAKE_PRIVATE, 1, 0, 0, 0]), None);
        assert_eq!(of("futex_wait", [0x1000, 2, 3, 4, 0, 1]), lock(false));
    }

    #[test]
    fn a_child_is_known_where_it_is_named() {
        let child = |pid| Some(WaitsOn::Child { pid });
        assert_eq!(of("wait4", [17, 0, 0, 0, 0, 0]), child(Some(17)));
        // A pid_t: the register's upper half may hold anything.
        assert_eq!(of("wait4", [0xffff_ffff, 0, 0, 0, 0, 0]), child(None));
        assert_eq!(of("wait4", [u64::MAX, 0, 0, 0, 0, 0]), child(None));
        assert_eq!(of("waitid", [1, 17, 0, 0, 0, 0]), child(Some(17)));
        assert_eq!(of("waitid", [0, 17, 0, 0, 0, 0]), child(None));
    }

    #[test]
    fn outside_of_a_call_it_is_memory() {
        let fault = CallLine { number: -1, arguments: [0; 6], stack_pointer: 1, program_counter: 1 };
        assert_eq!(waits_on(ThreadId::from_u32(1), &fault, None), Some(WaitsOn::Memory));
    }

    #[test]
    fn a_call_that_is_not_told_apart_says_nothing() {
        assert_eq!(of("getpid", [0; 6]), None);
    }

    #[test]
    fn each_call_is_told_apart_once() {
        let mut names: Vec<_> = names().collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
