//! Packets, read and made. Pure. What is read is hostile.

use std::net::{IpAddr, SocketAddr};

use smoltcp::{
    phy::ChecksumCapabilities,
    wire::{
        Icmpv4DstUnreachable, Icmpv4Packet, Icmpv4Repr, Icmpv6DstUnreachable, Icmpv6Packet,
        Icmpv6Repr, IpProtocol, IpRepr, Ipv4Packet, Ipv4Repr, Ipv6Packet, Ipv6Repr, TcpPacket,
        UdpPacket, UdpRepr,
    },
};

use super::link;

/// Hops that a packet of ours may still take; it takes none.
const HOPS: u8 = 64;
const UDP_HEADER_BYTES: usize = 8;
/// What is repeated of a packet that went nowhere, after its header: ports and sequence number.
const REPEATED_BYTES: usize = 8;

/// Both ends of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Flow {
    /// The instance's end.
    pub(super) inside: SocketAddr,
    /// Whom it talks to.
    pub(super) outside: SocketAddr,
}

/// What an instance has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packet<'a> {
    /// Asks for a connection.
    Open(Flow),
    /// Of a connection.
    Segment,
    /// A datagram.
    Datagram(Flow, &'a [u8]),
}

/// Why a packet went nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// The network is unreachable.
    Network,
    /// Nobody listens.
    Port,
}

/// None for all else: other protocols, fragments, others' addresses, what is broken.
pub(super) fn parse(bytes: &[u8]) -> Option<Packet<'_>> {
    let (from, to, protocol, payload) = match bytes.first()? >> 4 {
        4 => {
            let packet = Ipv4Packet::new_checked(bytes).ok()?;
            if packet.more_frags() || packet.frag_offset() != 0 {
                return None;
            }
            let ends = (IpAddr::V4(packet.src_addr()), IpAddr::V4(packet.dst_addr()));
            (ends.0, ends.1, packet.next_header(), packet.payload())
        }
        6 => {
            let packet = Ipv6Packet::new_checked(bytes).ok()?;
            let ends = (IpAddr::V6(packet.src_addr()), IpAddr::V6(packet.dst_addr()));
            (ends.0, ends.1, packet.next_header(), packet.payload())
        }
        _ => return None,
    };
    if from != link::ADDRESS && from != link::ADDRESS_V6 {
        return None;
    }
    match protocol {
        IpProtocol::Tcp => {
            let segment = TcpPacket::new_checked(payload).ok()?;
            if !segment.syn() || segment.ack() || segment.rst() {
                return Some(Packet::Segment);
            }
            let inside = SocketAddr::new(from, segment.src_port());
            let outside = SocketAddr::new(to, segment.dst_port());
            Some(Packet::Open(Flow { inside, outside }))
        }
        IpProtocol::Udp => {
            let datagram = UdpPacket::new_checked(payload).ok()?;
            let inside = SocketAddr::new(from, datagram.src_port());
            let outside = SocketAddr::new(to, datagram.dst_port());
            Some(Packet::Datagram(Flow { inside, outside }, datagram.payload()))
        }
        _ => None,
    }
}

/// A datagram to the instance. None: it is too long for any packet.
pub(super) fn datagram(flow: &Flow, payload: &[u8]) -> Option<Vec<u8>> {
    let (from, to) = (flow.outside.ip(), flow.inside.ip());
    let length = UDP_HEADER_BYTES + payload.len();
    let ip = IpRepr::new(from.into(), to.into(), IpProtocol::Udp, length, HOPS);
    if ip.buffer_len() > usize::from(u16::MAX) {
        return None;
    }
    let mut bytes = vec![0; ip.buffer_len()];
    let capabilities = ChecksumCapabilities::default();
    ip.emit(&mut bytes, &capabilities);
    let udp = UdpRepr { src_port: flow.outside.port(), dst_port: flow.inside.port() };
    let mut packet = UdpPacket::new_unchecked(&mut bytes[ip.header_len()..]);
    let copy = |room: &mut [u8]| room.copy_from_slice(payload);
    udp.emit(&mut packet, &from.into(), &to.into(), payload.len(), copy, &capabilities);
    Some(bytes)
}

/// As much of a packet as is needed to say that it went nowhere.
pub(super) fn header(bytes: &[u8]) -> &[u8] {
    /// A header of IPv4 with every option.
    const LONGEST: usize = 60;
    &bytes[..bytes.len().min(LONGEST + REPEATED_BYTES)]
}

/// The message that a packet, of which the header is here, went nowhere.
pub(super) fn unreachable(header: &[u8], reason: Reason) -> Option<Vec<u8>> {
    match header.first()? >> 4 {
        4 => unreachable_v4(header, reason),
        _ => unreachable_v6(header, reason),
    }
}

fn unreachable_v4(header: &[u8], reason: Reason) -> Option<Vec<u8>> {
    let packet = Ipv4Packet::new_unchecked(header);
    let data = header.get(usize::from(packet.header_len())..)?.get(..REPEATED_BYTES)?;
    let sent = Ipv4Repr {
        src_addr: packet.src_addr(),
        dst_addr: packet.dst_addr(),
        next_header: packet.next_header(),
        payload_len: data.len(),
        hop_limit: packet.hop_limit(),
    };
    let reason = match reason {
        // Of those that mean the same, one that senders of datagrams are told of too.
        Reason::Network => Icmpv4DstUnreachable::NetProhibited,
        Reason::Port => Icmpv4DstUnreachable::PortUnreachable,
    };
    let message = Icmpv4Repr::DstUnreachable { reason, header: sent, data };
    let (from, to, length) = (sent.dst_addr.into(), sent.src_addr.into(), message.buffer_len());
    let ip = IpRepr::new(from, to, IpProtocol::Icmp, length, HOPS);
    let mut bytes = vec![0; ip.buffer_len()];
    let capabilities = ChecksumCapabilities::default();
    ip.emit(&mut bytes, &capabilities);
    let mut answer = Icmpv4Packet::new_unchecked(&mut bytes[ip.header_len()..]);
    message.emit(&mut answer, &capabilities);
    Some(bytes)
}

fn unreachable_v6(header: &[u8], reason: Reason) -> Option<Vec<u8>> {
    let packet = Ipv6Packet::new_unchecked(header.get(..link::HEADER_V6_BYTES + REPEATED_BYTES)?);
    let data = &header[link::HEADER_V6_BYTES..][..REPEATED_BYTES];
    let sent = Ipv6Repr {
        src_addr: packet.src_addr(),
        dst_addr: packet.dst_addr(),
        next_header: packet.next_header(),
        payload_len: data.len(),
        hop_limit: packet.hop_limit(),
    };
    let reason = match reason {
        Reason::Network => Icmpv6DstUnreachable::NoRoute,
        Reason::Port => Icmpv6DstUnreachable::PortUnreachable,
    };
    let message = Icmpv6Repr::DstUnreachable { reason, header: sent, data };
    let (from, to) = (sent.dst_addr, sent.src_addr);
    let ip = IpRepr::new(from.into(), to.into(), IpProtocol::Icmpv6, message.buffer_len(), HOPS);
    let mut bytes = vec![0; ip.buffer_len()];
    let capabilities = ChecksumCapabilities::default();
    ip.emit(&mut bytes, &capabilities);
    let mut answer = Icmpv6Packet::new_unchecked(&mut bytes[ip.header_len()..]);
    message.emit(&from, &to, &mut answer, &capabilities);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(inside: impl Into<IpAddr>, outside: &str) -> Flow {
        Flow { inside: SocketAddr::new(inside.into(), 4000), outside: outside.parse().unwrap() }
    }

    fn flows() -> [Flow; 2] {
        [flow(link::ADDRESS, "1.2.3.4:53"), flow(link::ADDRESS_V6, "[2606:4700::1]:53")]
    }

    /// As the instance would send it.
    fn sent(flow: &Flow, payload: &[u8]) -> Vec<u8> {
        datagram(&Flow { inside: flow.outside, outside: flow.inside }, payload).unwrap()
    }

    #[test]
    fn a_datagram_survives_the_way() {
        for flow in flows() {
            let bytes = sent(&flow, b"hello");
            assert_eq!(parse(&bytes), Some(Packet::Datagram(flow, b"hello")));
            for cut in 0..bytes.len() {
                assert_eq!(parse(&bytes[..cut]), None, "{cut} bytes");
            }
        }
        assert!(datagram(&flows()[0], &[0; 65_508]).is_none());
    }

    #[test]
    fn others_addresses_and_fragments_are_not_carried() {
        let other: IpAddr = "192.0.0.3".parse().unwrap();
        assert_eq!(parse(&sent(&flow(other, "1.2.3.4:53"), b"")), None);
        let mut fragment = sent(&flows()[0], b"hello");
        fragment[6] |= 0x20;
        assert_eq!(parse(&fragment), None);
    }

    #[test]
    fn the_sender_of_a_lost_packet_is_told_which_it_was() {
        let [v4, v6] = flows();
        let lost = sent(&v4, b"hello");
        let answer = unreachable(header(&lost), Reason::Port).unwrap();
        let packet = Ipv4Packet::new_checked(&answer[..]).unwrap();
        assert_eq!(IpAddr::V4(packet.dst_addr()), v4.inside.ip());
        let message = Icmpv4Packet::new_checked(packet.payload()).unwrap();
        assert!(message.verify_checksum());
        assert_eq!((message.msg_code(), &message.data()[20..28]), (3, &lost[20..28]));

        let lost = sent(&v6, b"hello");
        let answer = unreachable(header(&lost), Reason::Network).unwrap();
        let packet = Ipv6Packet::new_checked(&answer[..]).unwrap();
        assert_eq!(packet.payload()[1], 0, "no route");
        assert_eq!(packet.payload()[48..56], lost[40..48]);
        for cut in 0..28 {
            assert_eq!(unreachable(&lost[..cut], Reason::Port), None);
        }
    }
}
