//! How an instance's end of its way out is furnished.

use std::{
    ffi::CStr,
    net::{Ipv4Addr, Ipv6Addr},
};

/// The interface's name inside.
pub const NAME: &CStr = c"eth0";
/// The instance's address: of the range that is set aside for translators inside hosts (RFC 7335), so
/// that it is nobody else's.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 2);
/// The same for IPv6: unique and local, as a network of one should be.
pub const ADDRESS_V6: Ipv6Addr = Ipv6Addr::new(0xfd6c, 0x616d, 0x7065, 0x6a6f, 0, 0, 0, 2);
/// A header of IPv6 without options.
pub(super) const HEADER_V6_BYTES: usize = 40;
/// The greatest packet. Nothing on the way is smaller, and fewer packets are less work; datagrams that
/// do not fit one are not carried.
pub const MTU: usize = 16_384;
