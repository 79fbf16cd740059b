//! The files of `/proc` that this crate reads, one parser each. Called by `thread` and `activity`;
//! no parser panics or allocates for a number, whatever the file holds.

pub(crate) mod kept;
pub(crate) mod schedstat;
pub(crate) mod sockets;
pub(crate) mod stat;
pub(crate) mod status;
pub(crate) mod syscall;

/// A decimal number, of digits alone.
fn decimal(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
}

/// A hexadecimal number, of digits alone.
fn hexadecimal(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u64::from_str_radix(text, 16).ok()
}
