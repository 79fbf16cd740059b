//! Why a worker is stalled, from what its thread does.

use worker_metrics::StallCause;
use worker_metrics_thread_dump::WaitsOn;

use super::proof::Doing;

/// The cause of a stall: `waits_on` is what the thread's system call waits for, and `functions` the
/// names on its stack, the innermost first; both may be missing.
pub(crate) fn cause<'a>(
    doing: Doing,
    waits_on: Option<&WaitsOn>,
    functions: impl IntoIterator<Item = &'a str>,
) -> StallCause {
    match doing {
        Doing::Running => StallCause::Computing,
        Doing::Starving => StallCause::NoCpu,
        Doing::Unknown => StallCause::Unknown,
        Doing::Blocked => waits_on.map_or(StallCause::Unknown, |waits_on| of_a_call(waits_on, functions)),
    }
}

fn of_a_call<'a>(waits_on: &WaitsOn, functions: impl IntoIterator<Item = &'a str>) -> StallCause {
    let called = Called::by_the_program(functions);
    match waits_on {
        WaitsOn::Timer => StallCause::Sleeping,
        WaitsOn::Child { .. } | WaitsOn::Signal => StallCause::Waiting,
        // Its output is read before its end is waited for.
        WaitsOn::Pipe { .. } | WaitsOn::AnyOf { .. } if called.a_child => StallCause::Waiting,
        WaitsOn::Lock { .. } if called.a_channel => StallCause::Lock,
        WaitsOn::Lock { .. } | WaitsOn::Events | WaitsOn::AnyOf { .. } if called.another_thread => {
            StallCause::Waiting
        }
        WaitsOn::Lock { .. } => StallCause::Lock,
        WaitsOn::File { .. }
        | WaitsOn::Socket(_)
        | WaitsOn::Pipe { .. }
        | WaitsOn::Terminal { .. }
        | WaitsOn::AnyOf { .. }
        | WaitsOn::Events
        | WaitsOn::Memory => StallCause::BlockingIo,
        _ => StallCause::Unknown,
    }
}

/// What of a library the program's own code has called, as its names on the stack show.
#[derive(Debug, Default)]
struct Called {
    a_channel: bool,
    a_child: bool,
    another_thread: bool,
}

impl Called {
    /// Judges by the frames up to the innermost one of the program: further out stands the runtime
    /// that polls the task, which is in a `block_on` itself.
    fn by_the_program<'a>(functions: impl IntoIterator<Item = &'a str>) -> Self {
        let mut called = Self::default();
        for function in functions.into_iter().take_while(|function| is_of_a_library(function)) {
            let is = |parts: &[&str]| parts.iter().any(|part| function.contains(part));
            called.a_channel |= is(&["mpsc::", "mpmc::", "crossbeam_channel::", "flume::"]);
            called.a_child |= is(&["std::process::", "process::Child"]);
            called.another_thread |=
                is(&["block_on", "thread::scope", "JoinInner", "JoinHandle", "rayon_core::", "pthread_join"])
                    || is_park(function);
        }
        called
    }
}

/// Crates whose frames may stand between a system call and the code that is to blame for it.
const LIBRARIES: [&str; 15] = [
    "std",
    "core",
    "alloc",
    "tokio",
    "mio",
    "futures_executor",
    "futures_util",
    "futures_lite",
    "pollster",
    "rayon",
    "rayon_core",
    "crossbeam_channel",
    "flume",
    "parking_lot",
    "parking_lot_core",
];

/// `std::thread::park`, which newer versions of Rust have in `std::thread::functions`.
fn is_park(function: &str) -> bool {
    function.starts_with("std::thread::")
        && (function.ends_with("::park") || function.ends_with("::park_timeout"))
}

fn is_of_a_library(function: &str) -> bool {
    // `<std::sync::Mutex<T> as …>::lock`; a name without a path is of C, or inlined. What a
    // function is generic over, as in `with<app::Job>`, says nothing of it.
    let path = function.trim_start_matches(['<', '&']);
    let path = path.split(['<', ' ']).next().unwrap_or(path);
    match path.split_once("::") {
        Some((krate, _)) => LIBRARIES.contains(&krate),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: WaitsOn = WaitsOn::Lock { address: 0x7f, is_timed: false };
    /// What stands below every task.
    const RUNTIME: [&str; 3] = [
        "app::checkout",
        "tokio::runtime::task::core::Core<T,S>::poll",
        "tokio::runtime::context::runtime::block_on",
    ];

    fn of(waits_on: &WaitsOn, inner: &[&'static str]) -> StallCause {
        cause(Doing::Blocked, Some(waits_on), inner.iter().chain(&RUNTIME).copied())
    }

    #[test]
    fn a_futex_is_a_lock_unless_the_stack_shows_that_a_thread_is_waited_for() {
        for (inner, expected) in [
            (&["__futex_wait", "std::sys::sync::mutex::futex::Mutex::lock_contended"][..], StallCause::Lock),
            (&["std::sync::condvar::Condvar::wait"], StallCause::Lock),
            (&["std::thread::park", "std::sync::mpmc::list::Channel<T>::recv"], StallCause::Lock),
            (&["__futex_wait", "std::thread::scoped::scope"], StallCause::Waiting),
            (&["__futex_wait", "std::sync::barrier::Barrier::wait"], StallCause::Lock),
            (&["__futex_wait", "pthread_join", "std::thread::JoinInner<T>::join"], StallCause::Waiting),
            (&["std::thread::park", "futures_executor::local_pool::block_on"], StallCause::Waiting),
            (&["std::thread::functions::park", "with<app::Job>", "block_on<app::Job>"], StallCause::Waiting),
            (&["std::thread::functions::park", "app::wait::{{closure}}"], StallCause::Waiting),
            (&["<app::Job as core::ops::Fn>::call", "futures_executor::block_on"], StallCause::Lock),
            (
                &["std::sync::condvar::Condvar::wait", "rayon_core::latch::LockLatch::wait"],
                StallCause::Waiting,
            ),
            (&["parking_lot::raw_mutex::RawMutex::lock_slow"], StallCause::Lock),
            (&[], StallCause::Lock),
        ] {
            assert_eq!(of(&LOCK, inner), expected, "{inner:?}");
        }
        assert_eq!(cause(Doing::Blocked, Some(&LOCK), []), StallCause::Lock);
    }

    #[test]
    fn reading_the_output_of_a_child_is_waiting_for_it() {
        let pipe = WaitsOn::Pipe { inode: 7 };
        assert_eq!(of(&pipe, &["__read", "std::process::Child::wait_with_output"]), StallCause::Waiting);
        assert_eq!(of(&pipe, &["read"]), StallCause::BlockingIo);
        assert_eq!(of(&WaitsOn::Child { pid: None }, &[]), StallCause::Waiting);
    }

    #[test]
    fn each_way_to_wait_has_its_cause_and_what_is_not_known_has_none() {
        assert_eq!(of(&WaitsOn::Timer, &["std::thread::sleep"]), StallCause::Sleeping);
        assert_eq!(of(&WaitsOn::File { path: None }, &["fsync"]), StallCause::BlockingIo);
        assert_eq!(of(&WaitsOn::Events, &["epoll_wait"]), StallCause::BlockingIo);
        assert_eq!(
            of(&WaitsOn::Events, &["mio::poll", "tokio::runtime::Runtime::block_on"]),
            StallCause::Waiting
        );
        assert_eq!(cause(Doing::Blocked, None, []), StallCause::Unknown);
        assert_eq!(cause(Doing::Unknown, None, []), StallCause::Unknown);
        assert_eq!(cause(Doing::Running, None, []), StallCause::Computing);
        assert_eq!(cause(Doing::Starving, None, []), StallCause::NoCpu);
    }
}
