//! Functions that call the system by themselves, without the standard library. No function below
//! them has saved the frame pointer, so the walker has to derive it from their code, or to end.

use std::hint::black_box;
use std::time::Duration;

use crate::block::Block;

/// How many kinds there are.
pub const KINDS: usize = 10;

/// A block of one of the kinds, which lasts for 5 ms.
#[derive(Debug)]
pub struct Raw(pub usize);

const TIME: Duration = Duration::from_millis(5);

impl Block for Raw {
    fn block(&self) {
        black_box(match self.0 {
            0 => poll(),
            1 => nanosleep(),
            2 => futex(),
            3 => poll_with_locals::<5_000>(),
            4 => poll_with_locals::<70_000>(),
            5 => poll_aligned(),
            6 => nine_arguments(),
            7 => instruction(),
            8 => instruction_with_locals::<5_000>(),
            _ => instruction_aligned(),
        });
    }
}

#[allow(unsafe_code, reason = "calls C")]
#[inline(always)]
fn polled() -> u64 {
    // SAFETY: no descriptors are given.
    let result = unsafe { libc::poll(std::ptr::null_mut(), 0, TIME.subsec_millis() as i32) };
    u64::from(result.unsigned_abs())
}

#[inline(never)]
fn poll() -> u64 {
    polled() + 1
}

#[inline(never)]
fn poll_with_locals<const SIZE: usize>() -> u64 {
    let locals = black_box([1_u8; SIZE]);
    polled() + u64::from(black_box(&locals)[3])
}

#[derive(Debug)]
#[repr(align(64))]
struct Line([u64; 16]);

#[inline(never)]
fn poll_aligned() -> u64 {
    let locals = black_box(Line([1; 16]));
    polled() + black_box(&locals).0[3]
}

#[allow(unsafe_code, reason = "calls C")]
#[inline(never)]
fn nanosleep() -> u64 {
    let time = libc::timespec { tv_sec: 0, tv_nsec: i64::from(TIME.subsec_nanos()) };
    // SAFETY: the time is valid, and the rest is not wanted.
    let result = unsafe { libc::nanosleep(&raw const time, std::ptr::null_mut()) };
    u64::from(result.unsigned_abs())
}

#[allow(unsafe_code, reason = "calls C")]
#[inline(never)]
fn futex() -> u64 {
    let word = black_box(7_u32);
    let time = libc::timespec { tv_sec: 0, tv_nsec: i64::from(TIME.subsec_nanos()) };
    // SAFETY: word and time outlive the call.
    let result =
        unsafe { libc::syscall(libc::SYS_futex, &raw const word, libc::FUTEX_WAIT, 7, &raw const time) };
    result.unsigned_abs() + 1
}

#[allow(unsafe_code, reason = "calls C")]
#[inline(never)]
fn nine_arguments() -> u64 {
    let time = libc::timespec { tv_sec: 0, tv_nsec: i64::from(TIME.subsec_nanos()) };
    let one = black_box(1_u64);
    // SAFETY: the call takes two arguments and ignores the others, which are passed on the stack.
    let result =
        unsafe { libc::syscall(libc::SYS_nanosleep, &raw const time, 0, one, 4_u64, one, 6_u64, one, 8_u64) };
    result.unsigned_abs() + one
}

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "calls the system as rustix does")]
#[inline(always)]
fn instructed() -> u64 {
    let time = libc::timespec { tv_sec: 0, tv_nsec: i64::from(TIME.subsec_nanos()) };
    let mut result = libc::SYS_nanosleep;
    // SAFETY: the time outlives the call, which changes rcx and r11 only.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") result,
            in("rdi") &raw const time,
            in("rsi") 0,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result.unsigned_abs()
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn instructed() -> u64 {
    polled()
}

#[inline(never)]
fn instruction() -> u64 {
    instructed() + 1
}

#[inline(never)]
fn instruction_with_locals<const SIZE: usize>() -> u64 {
    let locals = black_box([1_u8; SIZE]);
    instructed() + u64::from(black_box(&locals)[3])
}

#[inline(never)]
fn instruction_aligned() -> u64 {
    let locals = black_box(Line([1; 16]));
    instructed() + black_box(&locals).0[3]
}
