//! The names of the system calls. Asked by an activity, and by coverage.

use crate::{CallLine, Unavailable};

/// Whether the calls of this architecture have names here.
pub(crate) fn available() -> Result<(), Unavailable> {
    if cfg!(not(target_os = "linux")) {
        return Err(Unavailable::NotLinux);
    }
    if cfg!(not(any(target_arch = "x86_64", target_arch = "aarch64"))) {
        return Err(Unavailable::Architecture);
    }
    Ok(())
}

impl CallLine {
    /// Name of the system call, as its manual page has it.
    ///
    /// **Absent when** the thread is outside of a system call, the call is newer than this crate,
    /// or the architecture is another than x86_64 and aarch64.
    ///
    /// ```
    /// use worker_metrics_thread_dump::CallLine;
    ///
    /// let fault = CallLine { number: -1, arguments: [0; 6], stack_pointer: 1, program_counter: 2 };
    /// assert_eq!(fault.name(), None);
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        name(self.number)
    }
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
fn name(number: i64) -> Option<&'static str> {
    Some(syscalls::Sysno::new(usize::try_from(number).ok()?)?.name())
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
fn name(_: i64) -> Option<&'static str> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use crate::waits::names;

    #[test]
    fn the_tables_have_the_numbers_of_the_kernel() {
        // arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h.
        use syscalls::{aarch64, x86_64};
        let x86_64 = |number| x86_64::Sysno::new(number).map(|call| call.name());
        let aarch64 = |number| aarch64::Sysno::new(number).map(|call| call.name());
        assert_eq!(
            [0, 45, 61, 74, 202, 230].map(x86_64).map(Option::unwrap),
            ["read", "recvfrom", "wait4", "fsync", "futex", "clock_nanosleep"]
        );
        assert_eq!(
            [63, 207, 260, 82, 98, 115].map(aarch64).map(Option::unwrap),
            ["read", "recvfrom", "wait4", "fsync", "futex", "clock_nanosleep"]
        );
        assert_eq!(x86_64(100_000), None);
    }

    #[test]
    fn each_name_that_is_told_apart_is_one_of_x86_64() {
        let known: Vec<_> = syscalls::x86_64::Sysno::iter().map(|call| call.name()).collect();
        for name in names() {
            assert!(known.contains(&name), "{name}");
        }
    }
}
