//! TCP sockets that listen, from the kernel's socket monitoring interface (sock_diag(7)).
//!
//! `/proc/net/tcp` has them too, but to list it the kernel walks its whole table of established connections, 13 ms
//! on a machine with much memory, where this takes 0.2 ms.

use std::collections::HashMap;
use std::io;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};

/// `SOCK_DIAG_BY_FAMILY` of linux/sock_diag.h.
const BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST | NLM_F_DUMP` of linux/netlink.h.
const REQUEST_DUMP: u16 = 0x301;
/// `NLMSG_ERROR` and `NLMSG_DONE` of linux/netlink.h.
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// `1 << TCP_LISTEN` of net/tcp_states.h.
const LISTENING: u32 = 1 << 10;
/// Lengths of `nlmsghdr`, `inet_diag_req_v2` and `inet_diag_msg`.
const HEADER: usize = 16;
const REQUEST: usize = 56;
const MESSAGE: usize = 72;

/// Inode to port of every listening TCP socket of this network namespace.
///
/// # Errors
/// When the kernel has no such interface, or forbids it.
pub(crate) fn listeners() -> io::Result<HashMap<u64, u16>> {
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(netlink::SOCK_DIAG),
    )?;
    let mut found = HashMap::new();
    for family in [AddressFamily::INET, AddressFamily::INET6] {
        rustix::net::send(&socket, &request(family), SendFlags::empty())?;
        let mut buffer = vec![0; 32 * 1024];
        loop {
            let (length, _) = rustix::net::recv(&socket, &mut buffer[..], RecvFlags::empty())?;
            if parse(&buffer[..length.min(buffer.len())], &mut found)? {
                break;
            }
        }
    }
    Ok(found)
}

fn request(family: AddressFamily) -> [u8; HEADER + REQUEST] {
    let mut r = [0; HEADER + REQUEST];
    r[..4].copy_from_slice(&((HEADER + REQUEST) as u32).to_ne_bytes());
    r[4..6].copy_from_slice(&BY_FAMILY.to_ne_bytes());
    r[6..8].copy_from_slice(&REQUEST_DUMP.to_ne_bytes());
    r[16] = family.as_raw() as u8;
    // IPPROTO_TCP
    r[17] = 6;
    r[20..24].copy_from_slice(&LISTENING.to_ne_bytes());
    r
}

/// Reads the messages of one packet; whether the last one was among them.
fn parse(mut packet: &[u8], found: &mut HashMap<u64, u16>) -> io::Result<bool> {
    while packet.len() >= HEADER {
        let number = |at: usize| u32::from_ne_bytes(packet[at..at + 4].try_into().unwrap_or_default());
        let length = number(0) as usize;
        let kind = u16::from_ne_bytes([packet[4], packet[5]]);
        if length < HEADER || length > packet.len() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        match kind {
            DONE => return Ok(true),
            ERROR => return Err(io::ErrorKind::Unsupported.into()),
            BY_FAMILY if length >= HEADER + MESSAGE => {
                // inet_diag_msg: 4 bytes, then the socket's id, which begins with its port in network order.
                let port = u16::from_be_bytes([packet[HEADER + 4], packet[HEADER + 5]]);
                found.insert(u64::from(number(HEADER + MESSAGE - 4)), port);
            }
            _ => {}
        }
        packet = &packet[length.next_multiple_of(4).min(packet.len())..];
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listening_socket_is_found_by_its_inode() {
        use std::os::fd::AsRawFd;
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(socket) = std::net::TcpListener::bind(address) else { continue };
            let link = std::fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).unwrap();
            let inode = link.to_str().unwrap().trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap();
            let port = socket.local_addr().unwrap().port();
            assert_eq!(listeners().unwrap().get(&inode), Some(&port));
        }
    }

    #[test]
    fn nonsense_is_an_error() {
        assert!(parse(&[1; 40], &mut HashMap::new()).is_err());
        assert!(!parse(&[], &mut HashMap::new()).unwrap());
    }
}
