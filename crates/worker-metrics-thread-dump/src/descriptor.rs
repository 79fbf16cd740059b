//! What a file descriptor of a thread stands for. Called by `waits`; reads the link that the kernel
//! keeps for it, and never the file behind it, which could block.

use std::fs;

use crate::proc::sockets;
use crate::{ThreadId, WaitsOn};

/// What the descriptor stands for. `None` if it is closed.
pub(crate) fn resolve(thread: ThreadId, number: u32) -> Option<WaitsOn> {
    // The thread's own directory: threads may have tables of their own.
    let target = fs::read_link(format!("/proc/self/task/{thread}/fd/{number}")).ok()?;
    Some(match classify(&target.to_string_lossy()) {
        Target::Socket(inode) => WaitsOn::Socket(sockets::find(thread, inode)),
        Target::Process => WaitsOn::Child { pid: process(thread, number) },
        Target::Known(waits_on) => waits_on,
    })
}

/// The process that a pidfd stands for.
pub(crate) fn process(thread: ThreadId, number: u32) -> Option<u32> {
    let info = fs::read_to_string(format!("/proc/self/task/{thread}/fdinfo/{number}")).ok()?;
    // -1 if the process has ended, 0 if it is not visible here.
    info.lines().find_map(|line| line.strip_prefix("Pid:"))?.trim().parse().ok().filter(|&pid| pid != 0)
}

#[derive(Debug, PartialEq, Eq)]
enum Target {
    Socket(u64),
    Process,
    Known(WaitsOn),
}

fn classify(target: &str) -> Target {
    let numbered =
        |kind: &str| target.strip_prefix(kind)?.strip_prefix(":[")?.strip_suffix(']')?.parse().ok();
    if let Some(inode) = numbered("socket") {
        return Target::Socket(inode);
    }
    if let Some(inode) = numbered("pipe") {
        return Target::Known(WaitsOn::Pipe { inode });
    }
    let name = target.strip_prefix("anon_inode:").map(|name| name.trim_matches(['[', ']']));
    if name == Some("pidfd") || numbered("pidfd").is_some() {
        return Target::Process;
    }
    Target::Known(match name {
        Some("timerfd") => WaitsOn::Timer,
        Some("eventpoll" | "io_uring") => WaitsOn::Events,
        Some("signalfd") => WaitsOn::Signal,
        Some(name) => WaitsOn::Other { name: name.to_owned() },
        None if is_terminal(target) => WaitsOn::Terminal { path: Some(target.to_owned()) },
        None if target.starts_with('/') => WaitsOn::File { path: Some(target.to_owned()) },
        None => WaitsOn::Other { name: target.to_owned() },
    })
}

fn is_terminal(path: &str) -> bool {
    path.starts_with("/dev/pts/")
        || path.starts_with("/dev/tty")
        || path == "/dev/console"
        || path == "/dev/ptmx"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_says_what_it_is() {
        let file = |path: &str| WaitsOn::File { path: Some(path.into()) };
        let terminal = |path: &str| WaitsOn::Terminal { path: Some(path.into()) };
        let other = |name: &str| WaitsOn::Other { name: name.into() };
        for (target, expected) in [
            ("socket:[123]", Target::Socket(123)),
            ("pipe:[456]", Target::Known(WaitsOn::Pipe { inode: 456 })),
            ("anon_inode:[pidfd]", Target::Process),
            ("pidfd:[17]", Target::Process),
            ("anon_inode:[timerfd]", Target::Known(WaitsOn::Timer)),
            ("anon_inode:[eventpoll]", Target::Known(WaitsOn::Events)),
            ("anon_inode:[eventfd]", Target::Known(other("eventfd"))),
            ("anon_inode:inotify", Target::Known(other("inotify"))),
            ("/dev/pts/0", Target::Known(terminal("/dev/pts/0"))),
            ("/var/lib/wal", Target::Known(file("/var/lib/wal"))),
            ("/tmp/x (deleted)", Target::Known(file("/tmp/x (deleted)"))),
            ("socket:[]", Target::Known(other("socket:[]"))),
            ("", Target::Known(other(""))),
        ] {
            assert_eq!(classify(target), expected, "{target}");
        }
    }
}
