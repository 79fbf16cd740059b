//! The id of a thread as `/proc` has it, and the list of them. Called by whoever wants to look at a
//! thread; never looks at one.

use std::fmt;
use std::fs;
use std::path::Path;

use crate::Unavailable;

/// Id of a thread of this process, as `/proc` has it.
///
/// On Linux that is what `gettid` returns, unless `/proc` is mounted from another PID namespace
/// than the process lives in: then it is the id in that namespace, which is the one that its files
/// have.
///
/// An id is reused once its thread has ended. A [`Thread`](crate::Thread) is not fooled by that, an
/// id that was kept for long may be.
///
/// ```
/// use worker_metrics_thread_dump::ThreadId;
///
/// match ThreadId::current() {
///     Ok(id) => println!("thread {id}"),
///     Err(why) => println!("no id: {why}"),
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ThreadId(u32);

impl ThreadId {
    /// Id of the thread that calls.
    ///
    /// **Cost**: one `readlink`, about a microsecond, and one allocation. Keep it.
    ///
    /// # Errors
    /// Where there is no `/proc/thread-self`: on other systems than Linux, or if `/proc` is not
    /// mounted.
    pub fn current() -> Result<Self, Unavailable> {
        const LINK: &str = "/proc/thread-self";
        if cfg!(not(target_os = "linux")) {
            return Err(Unavailable::NotLinux);
        }
        let target = fs::read_link(LINK).map_err(|error| Unavailable::of(LINK, &error))?;
        parse_number(target.file_name()).map(Self).ok_or(Unavailable::Malformed { file: LINK })
    }

    /// The id that has this number.
    #[must_use]
    pub const fn from_u32(id: u32) -> Self {
        Self(id)
    }

    /// The id as a number.
    #[must_use]
    pub const fn as_u32(self) -> u32 {
        self.0
    }
}

impl fmt::Display for ThreadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The threads that this process has, in the order of their ids.
///
/// Threads that begin or end meanwhile may be in the list or not.
///
/// **Cost**: reads one directory; grows with the number of threads.
///
/// # Errors
/// Where `/proc/self/task` cannot be listed.
///
/// ```
/// if let Ok(threads) = worker_metrics_thread_dump::threads() {
///     println!("{} threads", threads.len());
/// }
/// ```
pub fn threads() -> Result<Vec<ThreadId>, Unavailable> {
    const DIRECTORY: &str = "/proc/self/task";
    if cfg!(not(target_os = "linux")) {
        return Err(Unavailable::NotLinux);
    }
    let failed = |error| Unavailable::of(DIRECTORY, &error);
    let mut threads = Vec::new();
    for entry in fs::read_dir(Path::new(DIRECTORY)).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        threads.extend(parse_number(Some(&entry.file_name())).map(ThreadId));
    }
    threads.sort_unstable();
    Ok(threads)
}

fn parse_number(name: Option<&std::ffi::OsStr>) -> Option<u32> {
    name?.to_str()?.parse().ok()
}
