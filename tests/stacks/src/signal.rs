//! The truth about a blocked thread: a signal interrupts its system call, and its handler unwinds
//! the thread from there, with all registers.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, Once};
use std::time::{Duration, Instant};

const MOST: usize = 1024;

static ADDRESSES: [AtomicU64; MOST] = [const { AtomicU64::new(0) }; MOST];
static COUNT: AtomicUsize = AtomicUsize::new(usize::MAX);
/// One thread at a time says where it is.
static ASKING: Mutex<()> = Mutex::new(());

/// A thread to ask.
#[derive(Clone, Copy, Debug)]
pub struct Asked(libc::pthread_t);

impl Asked {
    /// The thread that calls.
    #[must_use]
    #[allow(unsafe_code, reason = "there is no safe call for the handle of the own thread")]
    pub fn current() -> Self {
        static INSTALL: Once = Once::new();
        INSTALL.call_once(|| {
            // SAFETY: a zeroed action is valid; the handler allocates nothing and takes no lock.
            unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                action.sa_sigaction = on_signal as extern "C" fn(libc::c_int) as usize;
                action.sa_flags = libc::SA_RESTART;
                assert_eq!(libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()), 0);
            }
        });
        // SAFETY: it has no preconditions.
        Self(unsafe { libc::pthread_self() })
    }

    /// Has the thread say where it is: the addresses from what the signal interrupted on. Nothing
    /// if it does not answer within a second, or does not say where the signal came.
    ///
    /// The thread must not have ended.
    #[must_use]
    #[allow(unsafe_code, reason = "sends a signal")]
    pub fn addresses(self) -> Vec<u64> {
        let _one = ASKING.lock().expect("nobody panics");
        COUNT.store(usize::MAX, SeqCst);
        // SAFETY: the caller vouches for the thread, and the handler was installed by `current`.
        assert_eq!(unsafe { libc::pthread_kill(self.0, libc::SIGUSR1) }, 0);
        let begin = Instant::now();
        while COUNT.load(SeqCst) == usize::MAX {
            if begin.elapsed() > Duration::from_secs(1) {
                return Vec::new();
            }
            std::thread::yield_now();
        }
        ADDRESSES[..COUNT.load(SeqCst)].iter().map(|address| address.load(SeqCst)).collect()
    }
}

#[allow(unsafe_code, reason = "the safe form takes a lock, which a handler must not")]
extern "C" fn on_signal(_: libc::c_int) {
    let mut count = 0;
    // SAFETY: the thread is blocked in a system call, so that it holds no lock of the unwinder, and
    // `ASKING` keeps a second handler away.
    unsafe {
        backtrace::trace_unsynchronized(|frame| {
            // libgcc ends with a frame at 0.
            if frame.ip().is_null() {
                return false;
            }
            ADDRESSES[count].store(frame.ip() as u64, SeqCst);
            count += 1;
            count < MOST
        });
    }
    COUNT.store(count, SeqCst);
}

/// How a captured stack compares with what the thread said.
///
/// Nothing if the thread was somewhere else by then.
#[must_use]
pub fn agrees(addresses: &[u64], is_complete: bool, said: &[u64]) -> Option<bool> {
    /// A system call that is restarted: its instruction is 2 bytes long on x86-64, 4 on aarch64.
    const RESTART: u64 = if cfg!(target_arch = "aarch64") { 4 } else { 2 };
    let first = *addresses.first()?;
    let at = said.iter().position(|address| *address == first || *address == first - RESTART)?;
    let said = &said[at + 1..];
    let found = &addresses[1..];
    Some(if is_complete { found == said } else { said.starts_with(found) })
}
