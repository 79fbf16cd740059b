//! The memory of this process, read without touching it. Everything that unwinds reads through
//! [`Memory`], so that a test can hand in one of its own; nothing here ever writes.

use std::fs::File;

use crate::Unavailable;

/// Memory that can be read at any address.
pub(super) trait Memory {
    /// Reads from `address` on, and returns how many bytes could be read: fewer where what is
    /// mapped ends, 0 where nothing is.
    fn read(&self, address: u64, into: &mut [u8]) -> usize;

    /// The 8 bytes at `address`, little-endian.
    fn word(&self, address: u64) -> Option<u64> {
        let mut word = [0; 8];
        (self.read(address, &mut word) == word.len()).then(|| u64::from_le_bytes(word))
    }

    /// As many as `length` bytes from `address` on.
    fn bytes(&self, address: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let read = self.read(address, &mut bytes);
        bytes.truncate(read);
        bytes
    }
}

/// The memory of this process, by its file in `/proc`.
///
/// Reading an address that is not mapped is an error of the file, not a fault.
#[derive(Debug)]
pub(super) struct ProcessMemory {
    file: File,
}

const FILE: &str = "/proc/self/mem";

impl ProcessMemory {
    /// Opens the file.
    ///
    /// # Errors
    /// If there is no such file, or the process is not dumpable.
    pub(super) fn open() -> Result<Self, Unavailable> {
        if cfg!(not(target_os = "linux")) {
            return Err(Unavailable::NotLinux);
        }
        if cfg!(not(any(target_arch = "x86_64", target_arch = "aarch64"))) {
            return Err(Unavailable::Architecture);
        }
        File::open(FILE).map(|file| Self { file }).map_err(|error| Unavailable::of(FILE, &error))
    }
}

impl Memory for ProcessMemory {
    #[cfg(unix)]
    fn read(&self, address: u64, into: &mut [u8]) -> usize {
        use std::os::unix::fs::FileExt;

        let mut read = 0;
        while read < into.len() {
            let Some(from) = address.checked_add(read as u64) else { break };
            match self.file.read_at(&mut into[read..], from) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        read
    }

    #[cfg(not(unix))]
    fn read(&self, _address: u64, _into: &mut [u8]) -> usize {
        let _ = &self.file;
        0
    }
}
