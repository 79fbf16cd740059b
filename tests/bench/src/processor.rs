//! What this process takes of the processors.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The processor time of the threads that there are.
///
/// **Absent when** the system does not tell: it is the first number of Linux' `schedstat`, in
/// nanoseconds.
pub(crate) fn processor_time() -> Option<Duration> {
    threads()?.map(|thread| time_of(&thread?)).sum()
}

/// The processor time of the threads with this name; absent as that of all is.
pub(crate) fn processor_time_of(name: &str) -> Option<Duration> {
    let named =
        |thread: &PathBuf| fs::read_to_string(thread.join("comm")).is_ok_and(|comm| comm.trim() == name);
    threads()?.flatten().filter(named).map(|thread| time_of(&thread)).sum()
}

fn threads() -> Option<impl Iterator<Item = Option<PathBuf>>> {
    Some(fs::read_dir("/proc/self/task").ok()?.map(|thread| Some(thread.ok()?.path())))
}

fn time_of(thread: &Path) -> Option<Duration> {
    let text = fs::read_to_string(thread.join("schedstat")).ok()?;
    Some(Duration::from_nanos(text.split_whitespace().next()?.parse().ok()?))
}
