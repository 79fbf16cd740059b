//! A file of a thread that stays open. Read by every look; reading it never allocates.

use std::fs::File;
use std::io;

use crate::{LookError, ThreadId, Unavailable};

/// Error number of a file whose thread has ended ("no such process"), the same on all of Linux.
pub(crate) const ESRCH: i32 = 3;

#[derive(Debug)]
pub(crate) struct KeptFile {
    file: File,
    /// What errors call it.
    name: &'static str,
}

impl KeptFile {
    pub(crate) fn open(thread: ThreadId, file: &str, name: &'static str) -> Result<Self, Unavailable> {
        match File::open(format!("/proc/self/task/{thread}/{file}")) {
            Ok(file) => Ok(Self { file, name }),
            Err(error) => Err(Unavailable::of(name, &error)),
        }
    }

    /// The file's text as of now, with one read: a second one would be of another moment.
    pub(crate) fn read<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b [u8], LookError> {
        loop {
            match read_from_start(&self.file, buffer) {
                Ok(length) => return Ok(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.raw_os_error() == Some(ESRCH) => return Err(LookError::Ended),
                Err(error) => return Err(LookError::Unreadable(Unavailable::of(self.name, &error))),
            }
        }
    }

    pub(crate) fn malformed(&self) -> LookError {
        LookError::Unreadable(Unavailable::Malformed { file: self.name })
    }
}

#[cfg(target_os = "linux")]
fn read_from_start(file: &File, buffer: &mut [u8]) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, 0)
}

#[cfg(not(target_os = "linux"))]
fn read_from_start(_: &File, _: &mut [u8]) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}
