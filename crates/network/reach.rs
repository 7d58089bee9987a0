//! Which addresses a function may reach: the internet, and what the configuration names; never the
//! host itself, its neighbours or the cloud's metadata. Pure.
//!
//! Sources: IANA's registries of special-purpose addresses (RFC 6890 and its successors); the
//! documentation of clouds for the addresses of their metadata services.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use crate::route::Route;

/// What a function wants to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Connections.
    Tcp,
    /// Datagrams.
    Udp,
}

/// Addresses that begin alike: `10.0.0.0/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    base: IpAddr,
    bits: u8,
}

/// What is not a range of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is neither an address nor a range such as 10.0.0.0/8")]
pub struct RangeError(String);

/// What functions may reach.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    allowed: Vec<Range>,
}

/// Mail. Lambda blocks it ("AWS Lambda FAQs": "TCP port 25 traffic is also blocked").
const SMTP: u16 = 25;

/// Not even the configuration makes these reachable: this machine, everybody at once, and services
/// that trust whoever reaches them.
const NEVER: [Range; 13] = [
    v4([0, 0, 0, 0], 8),
    v4([127, 0, 0, 0], 8),
    v4([169, 254, 0, 0], 16),
    v4([224, 0, 0, 0], 4),
    v4([255, 255, 255, 255], 32),
    // Metadata: Alibaba, Oracle, Azure.
    v4([100, 100, 100, 200], 32),
    v4([192, 0, 0, 192], 32),
    v4([168, 63, 129, 16], 32),
    // With it all IPv4 addresses in the clothes of old.
    v6([0, 0, 0, 0, 0, 0, 0, 0], 96),
    v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10),
    v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8),
    // Metadata: AWS, and Google.
    v6([0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0], 32),
    v6([0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0], 32),
];

/// Not of the internet, or not of one place in it: private networks, and what is reserved.
const SPECIAL: [Range; 16] = [
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 24),
    v4([192, 0, 2, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([192, 168, 0, 0], 16),
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    v4([240, 0, 0, 0], 4),
    // Protocols' own, Teredo, documentation, 6to4.
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
    v6([0x2001, 0x0db8, 0, 0, 0, 0, 0, 0], 32),
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16),
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
    v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16),
];

/// All of IPv6 that is given out so far.
const GLOBAL: Range = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

impl Reach {
    /// The internet and these ranges.
    pub fn new(allowed: Vec<Range>) -> Reach {
        Reach { allowed }
    }

    /// Whether a function may send there; the host has found what route leads to the address.
    pub(crate) fn may_reach(&self, protocol: Protocol, to: SocketAddr, route: Route) -> bool {
        let address = to.ip().to_canonical();
        if to.port() == 0 || NEVER.iter().any(|range| range.contains(address)) {
            return false;
        }
        let mut allowed = self.allowed.iter().filter(|range| range.contains(address));
        match route {
            Route::Away | Route::Near if allowed.next().is_some() => true,
            // Neighbours trust each other, whatever addresses they have.
            Route::Near => false,
            Route::Away => {
                let global = address.is_ipv4() || GLOBAL.contains(address);
                let mail = protocol == Protocol::Tcp && to.port() == SMTP;
                global && !mail && !SPECIAL.iter().any(|range| range.contains(address))
            }
            // A range is meant for the network that the host is in, not for the host.
            Route::Own => allowed.any(Range::is_one_address),
            Route::Nowhere => false,
        }
    }
}

impl Range {
    fn contains(&self, address: IpAddr) -> bool {
        let shift = |width: u32| width.saturating_sub(u32::from(self.bits));
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                let differ = base.to_bits() ^ address.to_bits();
                differ.checked_shr(shift(32)).unwrap_or(0) == 0
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                let differ = base.to_bits() ^ address.to_bits();
                differ.checked_shr(shift(128)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }

    fn is_one_address(&self) -> bool {
        self.bits == if self.base.is_ipv4() { 32 } else { 128 }
    }
}

impl FromStr for Range {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Range, RangeError> {
        let wrong = || RangeError(text.to_owned());
        let (base, bits) = match text.split_once('/') {
            Some((base, bits)) => (base, Some(bits.parse::<u8>().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let base: IpAddr = base.parse().map_err(|_| wrong())?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        if bits > most { Err(wrong()) } else { Ok(Range { base, bits }) }
    }
}

const fn v4([a, b, c, d]: [u8; 4], bits: u8) -> Range {
    Range { base: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), bits }
}

const fn v6([a, b, c, d, e, f, g, h]: [u16; 8], bits: u8) -> Range {
    Range { base: IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h)), bits }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEB: u16 = 443;

    fn to(address: &str, port: u16) -> SocketAddr {
        SocketAddr::new(address.parse().unwrap(), port)
    }

    fn allowing(ranges: &[&str]) -> Reach {
        Reach::new(ranges.iter().map(|range| range.parse().unwrap()).collect())
    }

    fn reaches(reach: &Reach, address: &str, route: Route) -> bool {
        reach.may_reach(Protocol::Tcp, to(address, WEB), route)
    }

    #[test]
    fn the_internet_is_within_reach() {
        let reach = Reach::default();
        for address in ["1.1.1.1", "93.184.216.34", "172.32.0.1", "2606:4700::1111", "2a00::1"] {
            assert!(reaches(&reach, address, Route::Away), "{address}");
            assert!(!reaches(&reach, address, Route::Own), "{address} of the host");
            assert!(!reaches(&reach, address, Route::Near), "{address} beside the host");
            assert!(!reaches(&reach, address, Route::Nowhere), "{address} without a way");
        }
        assert!(!reach.may_reach(Protocol::Tcp, to("1.1.1.1", 0), Route::Away));
    }

    #[test]
    fn private_networks_are_reached_only_where_they_are_named() {
        let private = ["10.1.2.3", "172.17.0.2", "192.168.1.1", "100.64.0.1", "fd12::1"];
        let named = allowing(&["10.0.0.0/8", "172.17.0.2", "192.168.0.0/16", "100.64.0.0/10"]);
        for address in private {
            assert!(!reaches(&Reach::default(), address, Route::Away), "{address}");
            let v6 = address.contains(':');
            assert_eq!(reaches(&named, address, Route::Away), !v6, "{address}");
            assert_eq!(reaches(&named, address, Route::Near), !v6, "{address}");
        }
        assert!(reaches(&allowing(&["fd00::/8"]), "fd12::1", Route::Away));
        assert!(!reaches(&named, "172.17.0.3", Route::Away));
    }

    #[test]
    fn the_hosts_own_addresses_are_reached_only_where_each_is_named() {
        assert!(!reaches(&allowing(&["192.168.0.0/16"]), "192.168.1.10", Route::Own));
        assert!(reaches(&allowing(&["192.168.1.10"]), "192.168.1.10", Route::Own));
        assert!(!reaches(&allowing(&["192.168.1.10"]), "192.168.1.11", Route::Own));
    }

    #[test]
    fn loopback_and_metadata_are_never_reached() {
        let all = allowing(&["0.0.0.0/0", "::/0", "127.0.0.1", "169.254.169.254", "::1"]);
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "169.254.170.2",
            "168.63.129.16",
            "100.100.100.200",
            "224.0.0.251",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "fe80::1",
            "ff02::1",
            "fd00:ec2::254",
        ] {
            for route in [Route::Away, Route::Near, Route::Own] {
                assert!(!reaches(&all, address, route), "{address}");
            }
        }
    }

    #[test]
    fn reserved_addresses_are_no_way_around() {
        for address in [
            "192.0.0.2",
            "192.0.2.1",
            "198.18.0.1",
            "203.0.113.9",
            "240.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "4000::1",
        ] {
            assert!(!reaches(&Reach::default(), address, Route::Away), "{address}");
        }
    }

    #[test]
    fn mail_goes_only_where_it_is_named() {
        let mail = to("1.1.1.1", SMTP);
        assert!(!Reach::default().may_reach(Protocol::Tcp, mail, Route::Away));
        assert!(Reach::default().may_reach(Protocol::Udp, mail, Route::Away));
        assert!(allowing(&["1.1.1.1"]).may_reach(Protocol::Tcp, mail, Route::Away));
    }

    #[test]
    fn ranges_are_addresses_with_or_without_a_length() {
        for good in ["10.0.0.0/8", "10.1.2.3", "0.0.0.0/0", "::/0", "fd00::/8", "::1/128"] {
            assert!(good.parse::<Range>().is_ok(), "{good}");
        }
        for bad in ["", "10", "10.0.0.0/33", "::/129", "a/8", "10.0.0.0/", "1.1.1.1:80"] {
            assert!(bad.parse::<Range>().is_err(), "{bad}");
        }
    }
}
