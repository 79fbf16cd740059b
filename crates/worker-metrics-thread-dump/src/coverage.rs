//! What this system lets be seen of threads. Asked once, at the start; never looks at another
//! thread.

use std::fmt;
use std::fs::{self, File};

use crate::{Thread, ThreadId, Unavailable, call_name, thread};

/// What this system lets a process see of its threads, and why not.
///
/// ```
/// println!("{}", worker_metrics_thread_dump::coverage());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Coverage {
    /// Whether threads can be looked at: system calls and times.
    #[cfg_attr(feature = "serde", serde(serialize_with = "reason"))]
    pub looks: Result<(), Unavailable>,
    /// Whether their times are exact. Otherwise CPU time has steps of 10 ms, and how long a thread
    /// waited for a CPU is absent.
    #[cfg_attr(feature = "serde", serde(serialize_with = "reason"))]
    pub exact_times: Result<(), Unavailable>,
    /// Whether system calls have names.
    #[cfg_attr(feature = "serde", serde(serialize_with = "reason"))]
    pub call_names: Result<(), Unavailable>,
    /// Whether file descriptors can be resolved to files and sockets.
    #[cfg_attr(feature = "serde", serde(serialize_with = "reason"))]
    pub descriptors: Result<(), Unavailable>,
    /// Whether the memory of the process can be read: what `poll` waits on, and paths.
    #[cfg_attr(feature = "serde", serde(serialize_with = "reason"))]
    pub memory: Result<(), Unavailable>,
    /// Whether the stacks of blocked threads can be captured.
    #[cfg_attr(feature = "serde", serde(serialize_with = "reason"))]
    pub stacks: Result<(), Unavailable>,
}

/// What this system lets a process see of its threads, found out with the thread that calls.
///
/// **Cost**: opens some ten files.
#[must_use]
pub fn coverage() -> Coverage {
    if cfg!(not(target_os = "linux")) {
        let nothing = Err(Unavailable::NotLinux);
        return Coverage {
            looks: nothing,
            exact_times: nothing,
            call_names: nothing,
            descriptors: nothing,
            memory: nothing,
            stacks: nothing,
        };
    }
    const DESCRIPTORS: &str = "/proc/self/fd";
    const MEMORY: &str = "/proc/self/mem";
    Coverage {
        looks: Thread::current().map(drop),
        exact_times: ThreadId::current().and_then(thread::scheduler_times).map(drop),
        call_names: call_name::available(),
        descriptors: fs::read_dir(DESCRIPTORS)
            .map(drop)
            .map_err(|error| Unavailable::of(DESCRIPTORS, &error)),
        memory: File::open(MEMORY).map(drop).map_err(|error| Unavailable::of(MEMORY, &error)),
        stacks: stacks(),
    }
}

#[cfg(feature = "stack")]
fn stacks() -> Result<(), Unavailable> {
    crate::Stacks::new().map(drop)
}

#[cfg(not(feature = "stack"))]
fn stacks() -> Result<(), Unavailable> {
    Err(Unavailable::NotBuilt { feature: "stack" })
}

impl Coverage {
    /// Each of them with its name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, Result<(), Unavailable>)> {
        [
            ("looks", self.looks),
            ("exact times", self.exact_times),
            ("names of system calls", self.call_names),
            ("file descriptors", self.descriptors),
            ("memory", self.memory),
            ("stacks", self.stacks),
        ]
        .into_iter()
    }

    /// Whether everything can be seen.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.iter().all(|(_, available)| available.is_ok())
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (name, available)) in self.iter().enumerate() {
            f.write_str(if position == 0 { "" } else { "\n" })?;
            match available {
                Ok(()) => write!(f, "{name}: yes")?,
                Err(why) => write!(f, "{name}: no, {why}")?,
            }
        }
        Ok(())
    }
}

/// `null`, or why not.
#[cfg(feature = "serde")]
fn reason<S: serde::Serializer>(
    available: &Result<(), Unavailable>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serde::Serialize::serialize(&available.err(), serializer)
}
