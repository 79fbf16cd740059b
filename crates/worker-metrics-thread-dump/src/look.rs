//! What one look at a thread saw. Made by `Thread::look`; plain data, which is compared with an
//! earlier look.

use std::time::Duration;

/// What one look at a thread saw: its system call and its times.
///
/// The call was read before the times. Two looks prove that a thread has slept in between, see
/// [`has_not_run_since`](Self::has_not_run_since).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Look {
    /// What the thread was in.
    pub call: Call,
    /// CPU time that the thread has used since it began.
    pub cpu_time: Duration,
    /// Time for which the thread was ready to run and waited for a CPU, since it began.
    ///
    /// The kernel adds it when the thread gets its CPU: what it is waiting now is not in it.
    ///
    /// **Absent when** the kernel does not count it.
    pub run_delay: Option<Duration>,
    /// How often the thread was given a CPU since it began. On kernels that do not count that, how
    /// often it was taken off one.
    pub time_slices: u64,
}

/// Whether a thread was in a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Call {
    /// It runs, or is ready to run and waits for a CPU: in its program or in the kernel. A thread
    /// that looks at itself runs.
    Running,
    /// It is blocked, in this system call or in a page fault.
    In(CallLine),
    /// It is blocked and never was in the program: a thread that the kernel keeps in this process
    /// for itself, such as those of io_uring.
    Kernel,
}

/// The system call that a thread is blocked in, as its file `syscall` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct CallLine {
    /// Number of the system call on this architecture; -1 if the thread is blocked outside of one,
    /// as in a page fault.
    pub number: i64,
    /// Arguments of the call, as the registers hold them. Those that it does not have are rubbish.
    /// All 0 outside of a system call.
    pub arguments: [u64; 6],
    /// The thread's stack pointer.
    pub stack_pointer: u64,
    /// Address of the instruction that the thread will continue at.
    pub program_counter: u64,
}

impl Look {
    /// Whether the thread has not run at all between an earlier look and this one.
    ///
    /// True is proof, not a guess: both looks found it blocked in the same call with the same
    /// arguments at the same place, it has used no CPU time and was given no CPU in between. False
    /// says nothing. Both looks must be of the same [`Thread`](crate::Thread).
    ///
    /// ```
    /// use worker_metrics_thread_dump::Thread;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # if !cfg!(target_os = "linux") { return Ok(()) }
    /// let thread = Thread::current()?;
    /// let earlier = thread.look()?;
    /// let later = thread.look()?;
    /// assert!(!later.has_not_run_since(&earlier), "who looks at himself runs");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn has_not_run_since(&self, earlier: &Look) -> bool {
        matches!(self.call, Call::In(_))
            && self.call == earlier.call
            && self.cpu_time == earlier.cpu_time
            && self.time_slices == earlier.time_slices
    }
}
