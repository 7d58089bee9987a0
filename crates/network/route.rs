//! What the kernel would do with a packet to an address: send it away, keep it, or drop it.
//!
//! Asked anew for every connection: addresses of a machine come and go.

use std::{io, net::IpAddr};

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with,
};

/// Where an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// Behind a router.
    Away,
    /// In a network that the host itself is in.
    Near,
    /// It is the host's own.
    Own,
    /// No route leads there, or one that forbids it.
    Nowhere,
}

// Of the kernel's `rtnetlink.h` and `netlink.h`.
const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;
const NLM_F_REQUEST: u16 = 1;
const RTA_DST: u16 = 1;
/// The route as the table has it, not the answer for the one address.
const RTM_F_FIB_MATCH: u32 = 0x2000;
/// `RTA_GATEWAY`, `RTA_MULTIPATH`, `RTA_VIA`, `RTA_NH_ID`: there is a router on the way.
const ROUTERS: [u16; 4] = [5, 9, 18, 30];
const RTN_UNICAST: u8 = 1;
const RTN_PROHIBIT: u8 = 8;
const RTN_UNREACHABLE: u8 = 7;
const RTN_BLACKHOLE: u8 = 6;

/// `struct nlmsghdr`, and after it `struct rtmsg`.
const HEADER_BYTES: usize = 16;
const ROUTE_BYTES: usize = 12;
/// Where `rtm_dst_len` and `rtm_type` are.
const PREFIX_BITS: usize = HEADER_BYTES + 1;
const ROUTE_TYPE: usize = HEADER_BYTES + 7;

/// Asks the kernel, which answers at once.
pub(crate) fn of(address: IpAddr) -> io::Result<Route> {
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        // Of netlink's protocols the first: routes.
        None,
    )?;
    send(&socket, &question(address), SendFlags::empty())?;
    let mut answer = [0; 4096];
    let (length, _) = recv(&socket, &mut answer, RecvFlags::empty())?;
    Ok(answered(&answer[..length]))
}

/// `RTM_GETROUTE` for one address.
fn question(address: IpAddr) -> Vec<u8> {
    let (family, octets) = match address.to_canonical() {
        IpAddr::V4(address) => (AddressFamily::INET, address.octets().to_vec()),
        IpAddr::V6(address) => (AddressFamily::INET6, address.octets().to_vec()),
    };
    let attribute = 4 + octets.len();
    let length = HEADER_BYTES + ROUTE_BYTES + attribute;
    let mut message = Vec::with_capacity(length);
    message.extend_from_slice(&(length as u32).to_ne_bytes());
    message.extend_from_slice(&RTM_GETROUTE.to_ne_bytes());
    message.extend_from_slice(&NLM_F_REQUEST.to_ne_bytes());
    // Sequence and sender: the socket is used once.
    message.extend_from_slice(&[0; 8]);
    message.extend_from_slice(&[family.as_raw() as u8, (octets.len() * 8) as u8]);
    message.extend_from_slice(&[0; ROUTE_BYTES - 2 - 4]);
    message.extend_from_slice(&RTM_F_FIB_MATCH.to_ne_bytes());
    message.extend_from_slice(&(attribute as u16).to_ne_bytes());
    message.extend_from_slice(&RTA_DST.to_ne_bytes());
    message.extend_from_slice(&octets);
    message
}

/// What is not understood leads nowhere.
fn answered(message: &[u8]) -> Route {
    let kind = message.get(4..6).map(|kind| u16::from_ne_bytes([kind[0], kind[1]]));
    match (kind, message.get(ROUTE_TYPE)) {
        // The way to everywhere may name no router: a tunnel's other end is one.
        (Some(RTM_NEWROUTE), Some(&RTN_UNICAST)) if message[PREFIX_BITS] == 0 => Route::Away,
        (Some(RTM_NEWROUTE), Some(&RTN_UNICAST)) if has_router(message) => Route::Away,
        (Some(RTM_NEWROUTE), Some(&RTN_UNICAST)) => Route::Near,
        (Some(RTM_NEWROUTE), Some(&(RTN_BLACKHOLE | RTN_UNREACHABLE | RTN_PROHIBIT))) => {
            Route::Nowhere
        }
        // Also broadcast, multicast and anycast: the host would hear itself.
        (Some(RTM_NEWROUTE), Some(_)) => Route::Own,
        // Such as an error.
        _ => Route::Nowhere,
    }
}

fn has_router(message: &[u8]) -> bool {
    let mut attributes = message.get(HEADER_BYTES + ROUTE_BYTES..).unwrap_or_default();
    while let &[a, b, c, d, ..] = attributes {
        if ROUTERS.contains(&u16::from_ne_bytes([c, d])) {
            return true;
        }
        let length = usize::from(u16::from_ne_bytes([a, b])).max(4).next_multiple_of(4);
        attributes = attributes.get(length..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(address: &str) -> Route {
        of(address.parse().unwrap()).unwrap()
    }

    #[test]
    fn the_hosts_own_addresses_are_told_from_others() {
        assert_eq!(route("127.0.0.1"), Route::Own);
        assert_eq!(route("127.9.9.9"), Route::Own);
        assert_eq!(route("::ffff:127.0.0.1"), Route::Own);
        assert_ne!(route("1.1.1.1"), Route::Own);
    }

    #[test]
    fn networks_that_the_host_is_in_are_told_from_those_behind_routers() {
        let route = |bits: u8, attributes: &[(u16, &[u8])]| {
            let mut message = vec![0; HEADER_BYTES + ROUTE_BYTES];
            message[4..6].copy_from_slice(&RTM_NEWROUTE.to_ne_bytes());
            (message[PREFIX_BITS], message[ROUTE_TYPE]) = (bits, RTN_UNICAST);
            for (kind, value) in attributes {
                message.extend_from_slice(&(4 + value.len() as u16).to_ne_bytes());
                message.extend_from_slice(&kind.to_ne_bytes());
                message.extend_from_slice(value);
            }
            answered(&message)
        };
        let device: (u16, &[u8]) = (4, &[2, 0, 0, 0]);
        let router: (u16, &[u8]) = (5, &[10, 0, 0, 1]);
        assert_eq!(route(24, &[device]), Route::Near);
        assert_eq!(route(24, &[device, router]), Route::Away);
        assert_eq!(route(0, &[device]), Route::Away);
        assert_eq!(route(24, &[(0, &[])]), Route::Near, "an attribute without end");
    }

    #[test]
    fn an_error_leads_nowhere() {
        assert_eq!(answered(&[]), Route::Nowhere);
        let mut message = vec![0; 64];
        // `NLMSG_ERROR`.
        message[4] = 2;
        assert_eq!(answered(&message), Route::Nowhere);
    }
}
