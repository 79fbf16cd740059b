//! A port that stays free between two receivers.
//! Used by tests that stop a receiver and start it again.
//! Never the port of anything but this process's own servers.

use std::net::TcpListener;
use std::process;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

/// First port handed out by any process, and how many each has: below the ephemeral ports, from
/// 32768 on Linux.
const FIRST: u16 = 20_000;
const EACH: u16 = 20;

/// A free port that no one gets who does not ask for it: below the ephemeral ports, out of which
/// other servers on port 0 and connections get theirs. So it is still free after a receiver that
/// had it is gone.
#[must_use]
pub fn lasting_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let own = u16::try_from(process::id() % 500).unwrap_or(0) * EACH;
    loop {
        let port = FIRST + own + NEXT.fetch_add(1, Relaxed) % (EACH * 100);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
