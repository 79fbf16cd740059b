//! A thread of this process that can be looked at. Called by whoever watches threads; a look never
//! allocates and never stops the thread.

use std::error::Error;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use crate::proc::kept::{ESRCH, KeptFile};
use crate::proc::{schedstat, stat, status, syscall};
use crate::{Activity, Call, Look, ThreadId, Unavailable};

/// A thread of this process, to be looked at again and again.
///
/// It keeps two files of `/proc` open, three where the kernel counts no time slices. They stay
/// those of the thread: once it has ended they say so, even if another thread has got its id.
///
/// **After a `fork`** the child has none of its parent's threads but the one that forked. A
/// `Thread` that was opened in the parent notices that the process is another one and answers
/// [`Unavailable::Forked`]; open it anew.
///
/// ```
/// use worker_metrics_thread_dump::{Thread, ThreadId};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # if !cfg!(target_os = "linux") { return Ok(()) }
/// let (says_id, id) = std::sync::mpsc::channel();
/// let worker = std::thread::spawn(move || {
///     let _ = says_id.send(ThreadId::current());
///     std::thread::park();
/// });
///
/// let thread = Thread::open(id.recv()??)?;
/// let look = thread.look()?;
/// println!("{}", thread.activity(&look)?); // futex at 0x7f3a2c0018d8
/// # worker.thread().unpark();
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Thread {
    id: ThreadId,
    /// The process that has the thread.
    process: u32,
    call: KeptFile,
    times: Times,
}

/// Where a thread's times are.
#[derive(Debug)]
enum Times {
    /// To the nanosecond.
    Scheduler(KeptFile),
    /// CPU time in ticks, and the number of switches, where the scheduler's file is missing or has
    /// nothing but zeros.
    Ticks { stat: KeptFile, status: KeptFile },
}

/// Why a look at a thread saw nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum LookError {
    /// The thread has ended.
    Ended,
    /// Its files cannot be read, or not any more.
    Unreadable(Unavailable),
}

const SYSCALL: &str = "/proc/self/task/TID/syscall";
const SCHEDSTAT: &str = "/proc/self/task/TID/schedstat";
const STAT: &str = "/proc/self/task/TID/stat";
const STATUS: &str = "/proc/self/task/TID/status";

impl Thread {
    /// The thread with this id.
    ///
    /// **Cost**: opens and reads two or three files, some tens of microseconds.
    ///
    /// # Errors
    /// If this process has no such thread, or the system does not let it be looked at.
    pub fn open(id: ThreadId) -> Result<Self, Unavailable> {
        if cfg!(not(target_os = "linux")) {
            return Err(Unavailable::NotLinux);
        }
        Self::open_on_linux(id).map_err(|why| match why {
            Unavailable::Missing { .. } if !exists(id) => Unavailable::NoThread { thread: id },
            why => why,
        })
    }

    fn open_on_linux(id: ThreadId) -> Result<Self, Unavailable> {
        let process = std::process::id();
        let call = KeptFile::open(id, "syscall", SYSCALL)?;
        let times = match scheduler_times(id) {
            Ok(schedstat) => Times::Scheduler(schedstat),
            Err(Unavailable::Missing { .. } | Unavailable::NotCounted { .. }) => Times::ticks(id)?,
            Err(why) => return Err(why),
        };
        let thread = Self { id, process, call, times };
        match thread.look() {
            Ok(_) => Ok(thread),
            Err(LookError::Ended) => Err(Unavailable::NoThread { thread: id }),
            Err(LookError::Unreadable(why)) => Err(why),
        }
    }

    /// The thread that calls, to be handed to who watches it.
    ///
    /// # Errors
    /// As [`ThreadId::current`] and [`Thread::open`].
    pub fn current() -> Result<Self, Unavailable> {
        Self::open(ThreadId::current()?)
    }

    /// Id of the thread.
    #[must_use]
    pub fn id(&self) -> ThreadId {
        self.id
    }

    /// Name of the thread, of which Linux keeps 15 bytes.
    ///
    /// **Absent when** the thread has ended.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        let name = self.read("comm").ok()?;
        // The name may be another thread's by now, that has got the id.
        self.look().ok()?;
        Some(String::from_utf8_lossy(name.strip_suffix(b"\n").unwrap_or(&name)).into_owned())
    }

    /// Looks at the thread: its system call first, its times after that.
    ///
    /// **Cost**: two reads and a comparison of the process id: 2 to 3 µs (`examples/cost.rs`);
    /// three reads and some 20 µs where the kernel counts no time slices. In the rare case that the
    /// thread is just falling asleep the kernel waits for that, for up to a tick of its clock. A
    /// look never allocates, by the test `a_look_does_not_allocate`.
    ///
    /// # Errors
    /// If the thread has ended, or its files cannot be read any more.
    pub fn look(&self) -> Result<Look, LookError> {
        if std::process::id() != self.process {
            return Err(LookError::Unreadable(Unavailable::Forked));
        }
        let mut line = [0; syscall::LONGEST + 1];
        let buffer = line.as_ptr().addr() as u64;
        let line = self.call.read(&mut line)?;
        let call = match syscall::parse(line).ok_or_else(|| self.call.malformed())? {
            // A thread that looks at itself finds its own read, and no new time slice: it runs.
            syscall::Line::Of(Call::In(call)) if call.arguments[1] == buffer => Call::Running,
            syscall::Line::Of(call) => call,
            syscall::Line::Ended => return Err(LookError::Ended),
        };
        self.times.look(call)
    }

    /// What the thread is doing that was found in this look: the name of its system call and what
    /// that waits on, in words.
    ///
    /// **Cost**: 50 µs, and where the call waits on a TCP socket 0.5 to 8 ms more, because the
    /// kernel walks through its whole table of connections to list them (`examples/cost.rs`). It
    /// allocates. So ask only of a thread that is worth a report.
    ///
    /// It reads the memory of the process where a call's arguments are there (`poll`, `select`, a
    /// path), and asks nothing of a file that a call waits on: a remote file system that hangs does
    /// not hang it. A change of the process' memory map that hangs does.
    ///
    /// # Errors
    /// If the thread has ended, or its files cannot be read any more.
    pub fn activity(&self, look: &Look) -> Result<Activity, LookError> {
        Activity::of(self, look)
    }

    /// Another file of the thread as of now. It may be that of another thread which has got the id:
    /// `look` afterwards.
    pub(crate) fn read(&self, file: &str) -> Result<Vec<u8>, LookError> {
        fs::read(format!("/proc/self/task/{}/{file}", self.id)).map_err(|error| {
            let has_ended = error.raw_os_error() == Some(ESRCH) || error.kind() == io::ErrorKind::NotFound;
            if has_ended && !exists(self.id) {
                LookError::Ended
            } else {
                LookError::Unreadable(Unavailable::of("a file in /proc/self/task/TID", &error))
            }
        })
    }
}

impl Times {
    fn ticks(id: ThreadId) -> Result<Self, Unavailable> {
        Ok(Self::Ticks {
            stat: KeptFile::open(id, "stat", STAT)?,
            status: KeptFile::open(id, "status", STATUS)?,
        })
    }

    fn look(&self, call: Call) -> Result<Look, LookError> {
        match self {
            Self::Scheduler(file) => {
                let mut line = [0; schedstat::LONGEST + 1];
                let times = schedstat::parse(file.read(&mut line)?).ok_or_else(|| file.malformed())?;
                // Who is in a call was once given a CPU: counting has been switched off since.
                if times.time_slices == 0 && call != Call::Running {
                    return Err(LookError::Unreadable(Unavailable::NotCounted { file: SCHEDSTAT }));
                }
                Ok(Look {
                    call,
                    cpu_time: times.cpu_time,
                    run_delay: Some(times.run_delay),
                    time_slices: times.time_slices,
                })
            }
            Self::Ticks { stat, status } => {
                let mut text = [0; status::LONGEST];
                let switches = status::parse(status.read(&mut text)?).ok_or_else(|| status.malformed())?;
                let mut line = [0; stat::LONGEST];
                let times = stat::parse(stat.read(&mut line)?).ok_or_else(|| stat.malformed())?;
                Ok(Look {
                    call,
                    cpu_time: times.cpu_time,
                    run_delay: None,
                    time_slices: switches.voluntary.saturating_add(switches.involuntary),
                })
            }
        }
    }
}

/// The file of the scheduler's times, if it has any.
pub(crate) fn scheduler_times(id: ThreadId) -> Result<KeptFile, Unavailable> {
    let file = KeptFile::open(id, "schedstat", SCHEDSTAT)?;
    // The calling thread has a CPU, so that 0 time slices mean that nobody counts.
    let mut line = [0; schedstat::LONGEST + 1];
    let own = KeptFile::open(ThreadId::current()?, "schedstat", SCHEDSTAT)?;
    match own.read(&mut line).ok().and_then(schedstat::parse) {
        Some(times) if times.time_slices > 0 => Ok(file),
        Some(_) => Err(Unavailable::NotCounted { file: SCHEDSTAT }),
        None => Err(Unavailable::Malformed { file: SCHEDSTAT }),
    }
}

fn exists(id: ThreadId) -> bool {
    Path::new(&format!("/proc/self/task/{id}")).exists()
}

impl fmt::Display for LookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended => f.write_str("the thread has ended"),
            Self::Unreadable(why) => why.fmt(f),
        }
    }
}

impl Error for LookError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Ended => None,
            Self::Unreadable(why) => Some(why),
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn in_a_forked_child_it_knows_that_the_thread_stayed_behind() {
        let mut thread = Thread::current().expect("Linux lets threads be looked at");
        thread.process += 1;
        assert_eq!(thread.look(), Err(LookError::Unreadable(Unavailable::Forked)));
        assert_eq!(thread.name(), None);
    }

    #[test]
    fn without_the_scheduler_s_file_ticks_and_switches_prove_the_same() {
        let (says_id, id) = mpsc::channel();
        let worker = std::thread::spawn(move || {
            says_id.send(ThreadId::current()).expect("the test waits for it");
            std::thread::park();
            std::thread::sleep(Duration::from_secs(3600));
        });
        let id = id.recv().expect("it sends it").expect("there is /proc");
        let mut thread = Thread::open(id).expect("Linux lets threads be looked at");
        thread.times = Times::ticks(id).expect("every kernel has them");

        let begin = Instant::now();
        let once = |call: &str| {
            loop {
                let [earlier, later] = [thread.look(), thread.look()].map(|look| look.expect("it lives"));
                match later.call {
                    Call::In(line) if line.name() == Some(call) && later.has_not_run_since(&earlier) => {
                        return later;
                    }
                    _ => assert!(begin.elapsed() < Duration::from_secs(60), "not in {call}: {later:?}"),
                }
                std::thread::yield_now();
            }
        };
        let parked = once("futex");
        assert_eq!(parked.run_delay, None);
        worker.thread().unpark();
        let asleep = once("clock_nanosleep");
        assert!(asleep.time_slices > parked.time_slices);
    }
}
