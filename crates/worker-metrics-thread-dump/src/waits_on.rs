//! What a blocked thread waits for. Part of an activity; plain data and its English.

use std::fmt;

use crate::Socket;

/// What a blocked thread waits for, as far as its system call tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(tag = "kind", rename_all = "snake_case"))]
#[non_exhaustive]
pub enum WaitsOn {
    /// A futex: a mutex, a condition variable, a channel, another thread's end, or one's own
    /// `thread::park`. The call does not tell which of them; the stack does.
    Lock {
        /// Address of the futex.
        address: u64,
        /// Whether the wait ends by itself.
        is_timed: bool,
    },
    /// A file of a file system, a device or a named pipe.
    File {
        /// Its path as the process sees it, followed by ` (deleted)` if it has none any more.
        path: Option<String>,
    },
    /// A socket.
    Socket(Socket),
    /// A pipe without a name.
    Pipe {
        /// Number of the pipe, the same at both ends.
        inode: u64,
    },
    /// A terminal.
    Terminal {
        /// Its path.
        path: Option<String>,
    },
    /// The end of a child process.
    Child {
        /// Which one. **Absent when** any will do, or any of a group.
        pid: Option<u32>,
    },
    /// Time to pass.
    Timer,
    /// Events of an epoll instance or an io_uring: whatever they watch.
    Events,
    /// One of several, by `poll` or `select`.
    AnyOf {
        /// The first 16 of them.
        descriptors: Vec<WaitsOn>,
        /// How many there are beyond those.
        more: u64,
    },
    /// A signal.
    Signal,
    /// The process' memory: a page that is read in, or a change of its map.
    Memory,
    /// Something else that a file descriptor stands for.
    Other {
        /// The kernel's name for it, such as `eventfd`.
        name: String,
    },
}

impl WaitsOn {
    /// The same without paths and addresses of sockets.
    #[must_use]
    pub fn redacted(self) -> Self {
        match self {
            Self::File { .. } => Self::File { path: None },
            Self::Terminal { .. } => Self::Terminal { path: None },
            Self::Socket(socket) => {
                Self::Socket(Socket { protocol: socket.protocol, local: None, peer: None, path: None })
            }
            Self::AnyOf { descriptors, more } => {
                Self::AnyOf { descriptors: descriptors.into_iter().map(Self::redacted).collect(), more }
            }
            other => other,
        }
    }

    /// A call that waits for this, in words.
    pub(crate) fn describe(&self, call: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lock { address, is_timed } => {
                write!(f, "{call} at {address:#x}")?;
                if *is_timed { f.write_str(", with a timeout") } else { Ok(()) }
            }
            Self::File { .. } => write!(f, "{call} of {self}"),
            Self::Child { .. } | Self::Events | Self::Signal => write!(f, "{call} for {self}"),
            Self::Timer if call.contains("nanosleep") => f.write_str(call),
            Self::Memory => f.write_str(call),
            Self::Pipe { .. } | Self::Terminal { .. } | Self::Timer | Self::Other { .. } => {
                let preposition = match call {
                    _ if call.starts_with("read") => "from",
                    _ if call.starts_with("write") => "to",
                    _ => "on",
                };
                write!(f, "{call} {preposition} {self}")
            }
            Self::Socket(_) | Self::AnyOf { .. } => write!(f, "{call} on {self}"),
        }
    }
}

impl fmt::Display for WaitsOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lock { address, .. } => write!(f, "the futex at {address:#x}"),
            Self::File { path: Some(path) } => f.write_str(path),
            Self::File { path: None } => f.write_str("a file"),
            Self::Socket(socket) => socket.fmt(f),
            Self::Pipe { .. } => f.write_str("a pipe"),
            Self::Terminal { path: Some(path) } => write!(f, "the terminal {path}"),
            Self::Terminal { path: None } => f.write_str("a terminal"),
            Self::Child { pid: Some(pid) } => write!(f, "the child process {pid}"),
            Self::Child { pid: None } => f.write_str("a child process"),
            Self::Timer => f.write_str("a timer"),
            Self::Events => f.write_str("events"),
            Self::Signal => f.write_str("a signal"),
            Self::Memory => f.write_str("memory"),
            Self::Other { name } => f.write_str(name),
            Self::AnyOf { descriptors, more } => {
                let mut all: Vec<_> = descriptors.iter().map(Self::to_string).collect();
                // Two pipes, as those of a child, are no choice to a reader.
                all.dedup();
                for (position, descriptor) in all.iter().enumerate() {
                    let is_last = position + 1 == all.len() && *more == 0;
                    f.write_str(match position {
                        0 => "",
                        _ if is_last => " or ",
                        _ => ", ",
                    })?;
                    f.write_str(descriptor)?;
                }
                if *more > 0 { write!(f, " or {more} more") } else { Ok(()) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Protocol;

    fn sentence(call: &str, waits_on: &WaitsOn) -> String {
        struct Of<'a>(&'a str, &'a WaitsOn);
        impl fmt::Display for Of<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.1.describe(self.0, f)
            }
        }
        Of(call, waits_on).to_string()
    }

    fn database() -> WaitsOn {
        WaitsOn::Socket(Socket {
            protocol: Some(Protocol::Tcp),
            local: Some(([127, 0, 0, 1], 40312).into()),
            peer: Some(([127, 0, 0, 1], 5432).into()),
            path: None,
        })
    }

    #[test]
    fn each_is_said_in_english() {
        let file = WaitsOn::File { path: Some("/var/lib/x/wal".into()) };
        let any = WaitsOn::AnyOf { descriptors: vec![database(), WaitsOn::Pipe { inode: 7 }], more: 0 };
        let twice = WaitsOn::AnyOf {
            descriptors: vec![WaitsOn::Pipe { inode: 7 }, WaitsOn::Pipe { inode: 8 }],
            more: 0,
        };
        let many = WaitsOn::AnyOf { descriptors: vec![WaitsOn::Pipe { inode: 7 }], more: 3 };
        for (call, waits_on, expected) in [
            ("recvfrom", database(), "recvfrom on a TCP socket from 127.0.0.1:40312 to 127.0.0.1:5432"),
            ("read", WaitsOn::Pipe { inode: 7 }, "read from a pipe"),
            ("write", WaitsOn::Pipe { inode: 7 }, "write to a pipe"),
            ("fsync", file, "fsync of /var/lib/x/wal"),
            ("clock_nanosleep", WaitsOn::Timer, "clock_nanosleep"),
            ("read", WaitsOn::Timer, "read from a timer"),
            ("futex", WaitsOn::Lock { address: 0x7f12, is_timed: false }, "futex at 0x7f12"),
            ("futex", WaitsOn::Lock { address: 0x7f12, is_timed: true }, "futex at 0x7f12, with a timeout"),
            ("wait4", WaitsOn::Child { pid: Some(17) }, "wait4 for the child process 17"),
            ("wait4", WaitsOn::Child { pid: None }, "wait4 for a child process"),
            ("epoll_wait", WaitsOn::Events, "epoll_wait for events"),
            ("poll", any, "poll on a TCP socket from 127.0.0.1:40312 to 127.0.0.1:5432 or a pipe"),
            ("poll", many, "poll on a pipe or 3 more"),
            ("poll", twice, "poll on a pipe"),
            (
                "read",
                WaitsOn::Terminal { path: Some("/dev/tty1".into()) },
                "read from the terminal /dev/tty1",
            ),
            ("read", WaitsOn::Other { name: "eventfd".into() }, "read from eventfd"),
        ] {
            assert_eq!(sentence(call, &waits_on), expected);
        }
    }

    #[test]
    fn redacted_it_has_no_path_and_no_address_of_a_socket() {
        let file = WaitsOn::File { path: Some("/home/alice/diary".into()) };
        let all = WaitsOn::AnyOf { descriptors: vec![database(), file.clone()], more: 1 };
        assert_eq!(sentence("poll", &all.redacted()), "poll on a TCP socket, a file or 1 more");
        assert_eq!(sentence("fsync", &file.redacted()), "fsync of a file");
        assert_eq!(sentence("recvfrom", &database().redacted()), "recvfrom on a TCP socket");
    }
}
