//! `/proc/self/task/TID/net/{tcp,tcp6,udp,udp6,unix}`: the sockets of a thread's network namespace.
//! Read by an activity whose thread waits on a socket; never more than `MOST_ROWS` of each.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{decimal, hexadecimal};
use crate::{Protocol, Socket, ThreadId};

/// Rows of a table that are read before the socket counts as unknown. The kernel lists them in no
/// order, and 800 cost no more than 2 (`examples/cost.rs`): its walk through its own table does.
const MOST_ROWS: usize = 16_384;

/// The socket with this inode; without protocol and addresses if no table has it.
pub(crate) fn find(thread: ThreadId, inode: u64) -> Socket {
    // The cheap ones first: 40 µs each on an idle machine, those of TCP up to 4 ms.
    let tables = [
        ("unix", Protocol::Unix),
        ("udp", Protocol::Udp),
        ("udp6", Protocol::Udp),
        ("tcp", Protocol::Tcp),
        ("tcp6", Protocol::Tcp),
    ];
    let find = |(table, protocol)| {
        let file = File::open(format!("/proc/self/task/{thread}/net/{table}")).ok()?;
        find_in(BufReader::with_capacity(64 * 1024, file), protocol, inode)
    };
    tables.into_iter().find_map(find).unwrap_or_default()
}

fn find_in(mut table: impl BufRead, protocol: Protocol, inode: u64) -> Option<Socket> {
    let mut row = Vec::new();
    // The first line has the names of the columns, which are no row.
    for _ in 0..=MOST_ROWS {
        row.clear();
        if table.read_until(b'\n', &mut row).ok()? == 0 {
            return None;
        }
        let found = match protocol {
            Protocol::Tcp | Protocol::Udp => internet(&row, protocol),
            Protocol::Unix => unix(&row),
        };
        match found {
            Some((found, socket)) if found == inode => return Some(socket),
            _ => {}
        }
    }
    None
}

/// `N: LOCAL PEER STATE TX:RX TIMER:WHEN RETRANSMITS UID TIMEOUT INODE …`.
fn internet(row: &[u8], protocol: Protocol) -> Option<(u64, Socket)> {
    let mut fields = fields(row).skip(1);
    let local = address(fields.next()?)?;
    let peer = address(fields.next()?)?;
    let inode = decimal(fields.nth(6)?)?;
    // Without a port it is a listener, or a UDP socket that is not connected.
    let known = |address: SocketAddr| (address.port() != 0).then_some(address);
    Some((inode, Socket { protocol: Some(protocol), local: known(local), peer: known(peer), path: None }))
}

/// `ADDRESS: REFERENCES PROTOCOL FLAGS TYPE STATE INODE [PATH]`.
fn unix(row: &[u8]) -> Option<(u64, Socket)> {
    let mut fields = fields(row).skip(6);
    let inode = decimal(fields.next()?)?;
    let rest: Vec<&[u8]> = fields.collect();
    let path = (!rest.is_empty()).then(|| String::from_utf8_lossy(&rest.join(&b' ')).into_owned());
    Some((inode, Socket { protocol: Some(Protocol::Unix), local: None, peer: None, path }))
}

fn fields(row: &[u8]) -> impl Iterator<Item = &[u8]> {
    row.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty())
}

/// `ADDRESS:PORT`: the address in words of 32 bits as the processor holds them, the port as a
/// number.
fn address(text: &[u8]) -> Option<SocketAddr> {
    let colon = text.iter().position(|&byte| byte == b':')?;
    let (host, port) = (&text[..colon], &text[colon + 1..]);
    let word = |text| Some(u32::try_from(hexadecimal(text)?).ok()?.to_ne_bytes());
    let host: IpAddr = match host.len() {
        8 => Ipv4Addr::from(word(host)?).into(),
        32 => {
            let mut octets = [0; 16];
            for (octets, text) in octets.chunks_exact_mut(4).zip(host.chunks_exact(8)) {
                octets.copy_from_slice(&word(text)?);
            }
            Ipv6Addr::from(octets).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(host, u16::try_from(hexadecimal(port)?).ok()?))
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use super::*;

    const TCP: &[u8] = b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n\
        \x20  0: 00000000:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1683 1 0 100\n\
        \x20  1: 0100007F:9D78 0100007F:1538 01 00000000:00000000 00:00000000 00000000     0        0 1700 1 0 20 4\n";

    #[test]
    fn a_connection_has_both_ends() {
        let socket = find_in(TCP, Protocol::Tcp, 1700).expect("it is there");
        assert_eq!(socket.to_string(), "a TCP socket from 127.0.0.1:40312 to 127.0.0.1:5432");
    }

    #[test]
    fn a_listener_has_its_own_end() {
        let socket = find_in(TCP, Protocol::Tcp, 1683).expect("it is there");
        assert_eq!(socket.to_string(), "a TCP socket at 0.0.0.0:2024");
    }

    #[test]
    fn a_socket_that_no_row_has_is_unknown() {
        assert_eq!(find_in(TCP, Protocol::Tcp, 17), None);
    }

    #[test]
    fn an_ipv6_address_is_read_word_by_word() {
        let read = |text: &[u8]| address(text).map(|address| address.to_string());
        assert_eq!(read(b"00000000000000000000000001000000:0016").as_deref(), Some("[::1]:22"));
        assert_eq!(read(b"B80D0120000000000000000001000000:0016").as_deref(), Some("[2001:db8::1]:22"));
        assert_eq!(read(b"0000000000000000FFFF00000100007F:0016").as_deref(), Some("127.0.0.1:22"));
    }

    #[test]
    fn a_unix_socket_has_its_path() {
        let table = &b"Num       RefCount Protocol Flags    Type St Inode Path\n\
            00000000217a9076: 00000003 00000000 00000000 0001 03  1679\n\
            000000006ffd2dc6: 00000002 00000000 00010000 0001 01  1680 /run/a b.sock\n"[..];
        let named = find_in(table, Protocol::Unix, 1680).expect("it is there");
        assert_eq!(named.to_string(), "a Unix socket at /run/a b.sock");
        let unnamed = find_in(table, Protocol::Unix, 1679).expect("it is there");
        assert_eq!(unnamed.to_string(), "a Unix socket");
    }

    #[test]
    fn garbage_is_no_address() {
        for text in
            [&b""[..], b":", b"0100007F", b"0100007F:", b"0100007F:10000", b"0100007G:0016", b"01:0016"]
        {
            assert_eq!(address(text), None, "{}", String::from_utf8_lossy(text));
        }
    }
}
