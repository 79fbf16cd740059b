//! Arguments of a system call that are in the process' memory. Read by `waits` while the thread is
//! blocked in the call; what cannot be read is absent.

use std::io;

/// Descriptors of a `poll` or `select`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Descriptors {
    /// Not more than `MOST_DESCRIPTORS`.
    pub(crate) first: Vec<u32>,
    pub(crate) more: u64,
}

/// Descriptors that are looked up; each takes one `readlink`, and a socket a table.
const MOST_DESCRIPTORS: usize = 16;

/// An argument that is an `int`: the upper half of its register may hold anything.
pub(crate) fn low(argument: u64) -> u32 {
    u32::try_from(argument & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}

/// The path at this address.
pub(crate) fn path(address: u64) -> Option<String> {
    // PATH_MAX, which includes the 0 at the end.
    let mut buffer = [0; 4096];
    let length = read(address, &mut buffer).ok()?;
    let end = buffer[..length].iter().position(|&byte| byte == 0)?;
    Some(String::from_utf8_lossy(&buffer[..end]).into_owned())
}

/// The descriptors of the `pollfd`s at this address.
pub(crate) fn polled(address: u64, count: u64) -> Option<Descriptors> {
    /// `int fd; short events; short revents;`.
    const POLLFD: usize = 8;
    let mut buffer = [0; MOST_DESCRIPTORS * POLLFD];
    let read_count = usize::try_from(count).unwrap_or(usize::MAX).min(MOST_DESCRIPTORS);
    let buffer = &mut buffer[..read_count * POLLFD];
    if !buffer.is_empty() && read(address, buffer).ok()? != buffer.len() {
        return None;
    }
    let number = |pollfd: &[u8]| Some(i32::from_ne_bytes(pollfd[..4].try_into().ok()?));
    // A negative one is passed over, by the kernel too.
    let first =
        buffer.chunks_exact(POLLFD).filter_map(|pollfd| u32::try_from(number(pollfd)?).ok()).collect();
    Some(Descriptors { first, more: count.saturating_sub(read_count as u64) })
}

/// The descriptors below `limit` in any of the sets at these addresses.
pub(crate) fn selected(limit: u32, sets: &[u64]) -> Option<Descriptors> {
    /// `FD_SETSIZE`, in bytes.
    const FD_SET: usize = 1024 / 8;
    let length = usize::try_from(limit.div_ceil(64)).unwrap_or(usize::MAX).saturating_mul(8).min(FD_SET);
    let mut union = [0; FD_SET];
    for &address in sets.iter().filter(|&&address| address != 0) {
        let mut set = [0; FD_SET];
        if read(address, &mut set[..length]).ok()? != length {
            return None;
        }
        union.iter_mut().zip(set).for_each(|(all, one)| *all |= one);
    }
    Some(members(limit, &union))
}

/// A set is made of words of the processor, of which bit 0 is the least significant one.
fn members(limit: u32, set: &[u8; 128]) -> Descriptors {
    let mut descriptors = Descriptors::default();
    for number in 0..limit.min(1024) {
        let place =
            if cfg!(target_endian = "little") { number / 8 } else { (number / 8) ^ (usize::BITS / 8 - 1) };
        if set[place as usize] >> (number % 8) & 1 == 0 {
            continue;
        }
        if descriptors.first.len() < MOST_DESCRIPTORS {
            descriptors.first.push(number);
        } else {
            descriptors.more += 1;
        }
    }
    descriptors
}

#[cfg(target_os = "linux")]
fn read(address: u64, buffer: &mut [u8]) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(&std::fs::File::open("/proc/self/mem")?, buffer, address)
}

#[cfg(not(target_os = "linux"))]
fn read(_: u64, _: &mut [u8]) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn address_of<T: ?Sized>(value: &T) -> u64 {
        std::ptr::from_ref(value).cast::<u8>().addr() as u64
    }

    #[test]
    fn a_path_ends_at_its_0() {
        assert_eq!(path(address_of(b"/mnt/nfs/a\0b")).as_deref(), Some("/mnt/nfs/a"));
    }

    #[test]
    fn an_address_without_memory_is_absent() {
        assert_eq!(path(8), None);
        assert_eq!(path(u64::MAX), None);
        assert_eq!(polled(8, 1), None);
        assert_eq!(selected(8, &[8]), None);
    }

    #[test]
    fn polled_descriptors_are_those_that_are_not_negative() {
        let mut pollfds = [[0i32; 2]; 20];
        (0..).zip(&mut pollfds).for_each(|(number, pollfd)| *pollfd = [number, 0x1_0001]);
        pollfds[1][0] = -1;
        let address = address_of(&pollfds);
        assert_eq!(polled(address, 3), Some(Descriptors { first: vec![0, 2], more: 0 }));
        let all = polled(address, 20).expect("it is memory");
        assert_eq!((all.first.len(), all.more), (15, 4));
        assert_eq!(polled(0, 0), Some(Descriptors::default()));
    }

    #[test]
    fn selected_descriptors_are_the_members_of_all_sets() {
        let mut reading = [0u64; 16];
        let mut writing = [0u64; 16];
        reading[0] = 1 << 3 | 1 << 63;
        reading[1] = 1;
        writing[0] = 1 << 5;
        let sets = [address_of(&reading), 0, address_of(&writing)];
        assert_eq!(selected(65, &sets), Some(Descriptors { first: vec![3, 5, 63, 64], more: 0 }));
        assert_eq!(selected(4, &sets), Some(Descriptors { first: vec![3], more: 0 }));
        assert_eq!(selected(0, &[0, 0, 0]), Some(Descriptors::default()));
    }
}
