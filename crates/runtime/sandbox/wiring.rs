//! The network that a child furnishes for itself. Runs in the child: see there what it must not do.
//!
//! The child binds what the host is to serve on its loopback and hands the sockets over; with a way
//! out it also makes a TUN interface, whose other end is the host's. Nothing of it is left to the
//! function, which has no right to change a network.

use std::{
    ffi::{CStr, c_char, c_int},
    fs,
    io::{self, IoSlice},
    mem::MaybeUninit,
    net::{Ipv4Addr, SocketAddrV4},
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

use network::{Mode, link};
use rustix::{
    fs::{Mode as Permissions, OFlags},
    io::Errno,
    net::{
        AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags,
        SocketType, ipproto, sockopt,
    },
};

use super::{
    child::last_errno,
    failure::{At, Failure, Step},
    protocol::LISTENERS,
    start::{AWS_ENDPOINT_PORT, RUNTIME_API_PORT, XRAY_PORT},
};

/// Where TUN interfaces come from.
const TUN: &str = "/dev/net/tun";
pub(super) const TUN_PATH: &CStr = c"/dev/net/tun";

/// Connections that may wait to be accepted: more than an instance's clients open at once.
pub(super) const BACKLOG: c_int = 128;
pub(super) const NAMES_PORT: u16 = 53;
/// What a child hands over at most.
pub(super) const MOST_SOCKETS: usize = 7;

/// Why instances can have no way out on this machine, and how to mend it; for the server to ask.
pub(crate) fn lacks_tun() -> Option<String> {
    let opened = fs::OpenOptions::new().read(true).write(true).open(TUN);
    let error = opened.err()?;
    let mend = match error.kind() {
        io::ErrorKind::PermissionDenied => "Let the server's user open it: chmod 0666 /dev/net/tun",
        _ => "Load the kernel's module: modprobe tun; a container needs --device /dev/net/tun",
    };
    Some(format!("functions have no way out of their sandbox: {TUN}: {error}. {mend}"))
}

/// What a child is to furnish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wiring {
    pub(super) mode: Mode,
    /// Whether there is IPv6 outside.
    pub(super) ipv6: bool,
}

impl Wiring {
    /// The server's file, by the server's rights: before the child becomes nobody.
    pub(super) fn open_tun(self) -> Result<Option<OwnedFd>, Failure> {
        if self.mode != Mode::Egress {
            return Ok(None);
        }
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        rustix::fs::open(TUN_PATH, flags, Permissions::empty()).map(Some).at(Step::Tun)
    }

    /// Furnishes the network and hands over what the host serves: Runtime API, AWS endpoint, the
    /// X-Ray daemon by connection and by datagram, names by datagram and by connection, and the way
    /// out, if there is one.
    pub(super) fn furnish(
        self,
        tun: Option<OwnedFd>,
        control: BorrowedFd<'_>,
    ) -> Result<(), Failure> {
        if self.mode == Mode::Host {
            return hand_over(control, &[]).at(Step::Listen);
        }
        let socket = datagrams().at(Step::Loopback)?;
        up(&socket, c"lo").at(Step::Loopback)?;
        if let Some(tun) = &tun {
            attach(tun, &socket).at(Step::Tun)?;
            if self.ipv6 {
                address_v6(&socket).at(Step::Tun)?;
            }
        }
        let api = listen(RUNTIME_API_PORT).at(Step::Listen)?;
        let aws = listen(AWS_ENDPOINT_PORT).at(Step::Listen)?;
        let xray = listen(XRAY_PORT).at(Step::Listen)?;
        let segments = receive(XRAY_PORT).at(Step::Listen)?;
        let names = receive(NAMES_PORT).at(Step::Listen)?;
        let long_names = listen(NAMES_PORT).at(Step::Listen)?;
        let served = [&api, &aws, &xray, &segments, &names, &long_names].map(AsFd::as_fd);
        match &tun {
            None => hand_over(control, &served),
            Some(tun) => {
                let [api, aws, xray, segments, names, long_names] = served;
                let all = [api, aws, xray, segments, names, long_names, tun.as_fd()];
                hand_over(control, &all)
            }
        }
        .at(Step::Listen)
    }
}

fn datagrams() -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None)
}

fn receive(port: u16) -> Result<OwnedFd, Errno> {
    let socket = datagrams()?;
    rustix::net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
    Ok(socket)
}

fn listen(port: u16) -> Result<OwnedFd, Errno> {
    let socket = rustix::net::socket_with(
        AddressFamily::INET,
        SocketType::STREAM,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        Some(ipproto::TCP),
    )?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket)
}

fn hand_over(control: BorrowedFd<'_>, sockets: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_SOCKETS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !sockets.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(sockets)) {
        return Err(Errno::NOBUFS);
    }
    let message = [IoSlice::new(&[LISTENERS])];
    rustix::net::sendmsg(control, &message, &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// The interface, its address, and the way to everywhere.
fn attach(tun: &OwnedFd, socket: &OwnedFd) -> Result<(), Errno> {
    let mut request = named(link::NAME);
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as _;
    ioctl(tun, libc::TUNSETIFF, &request)?;
    // It ends with its namespace, which takes no time of whoever closes the descriptor: else that
    // would wait for all of the kernel's networks, 10 to 30 ms.
    // SAFETY: takes a number.
    if unsafe { libc::syscall(libc::SYS_ioctl, tun.as_raw_fd(), libc::TUNSETPERSIST, 1) } < 0 {
        return Err(last_errno());
    }
    request.ifr_ifru.ifru_mtu = link::MTU as c_int;
    ioctl(socket, libc::SIOCSIFMTU, &request)?;
    request.ifr_ifru.ifru_addr = socket_address(link::ADDRESS);
    ioctl(socket, libc::SIOCSIFADDR, &request)?;
    request.ifr_ifru.ifru_netmask = socket_address(Ipv4Addr::BROADCAST);
    ioctl(socket, libc::SIOCSIFNETMASK, &request)?;
    up(socket, link::NAME)?;
    ioctl(socket, libc::SIOCADDRT, &route(link::NAME.as_ptr()))
}

/// To everywhere through the interface of this name.
pub(super) fn route(name: *const c_char) -> libc::rtentry {
    // SAFETY: `rtentry` is plain old data; all zeros is no route.
    let mut route: libc::rtentry = unsafe { std::mem::zeroed() };
    route.rt_dst = socket_address(Ipv4Addr::UNSPECIFIED);
    route.rt_genmask = socket_address(Ipv4Addr::UNSPECIFIED);
    route.rt_flags = libc::RTF_UP;
    route.rt_dev = name.cast_mut();
    route
}

/// `struct in6_ifreq`.
#[repr(C)]
pub(super) struct AddressV6 {
    address: [u8; 16],
    prefix_bits: u32,
    interface: c_int,
}

impl AddressV6 {
    /// That of an instance's interface, by its number.
    pub(super) fn of(interface: c_int) -> AddressV6 {
        AddressV6 { address: link::ADDRESS_V6.octets(), prefix_bits: 128, interface }
    }
}

fn address_v6(socket: &OwnedFd) -> Result<(), Errno> {
    let mut request = named(link::NAME);
    ioctl_mut(socket, libc::SIOCGIFINDEX, &mut request)?;
    // SAFETY: the kernel has just written this member.
    let interface = unsafe { request.ifr_ifru.ifru_ifindex };
    let flags = SocketFlags::CLOEXEC;
    let v6 = rustix::net::socket_with(AddressFamily::INET6, SocketType::DGRAM, flags, None)?;
    ioctl(&v6, libc::SIOCSIFADDR, &AddressV6::of(interface))?;
    ioctl(&v6, libc::SIOCADDRT, &RouteV6::through(interface))
}

/// `struct in6_rtmsg`. All zeros in the beginning is the way to everywhere.
#[repr(C)]
pub(super) struct RouteV6 {
    to_via_from: [u8; 48],
    kind: u32,
    bits: [u16; 2],
    metric: u32,
    info: libc::c_ulong,
    flags: u32,
    interface: c_int,
}

impl RouteV6 {
    /// To everywhere through an interface, by its number.
    pub(super) fn through(interface: c_int) -> RouteV6 {
        // SAFETY: plain numbers; what lies between them is zero too.
        let mut route: RouteV6 = unsafe { std::mem::zeroed() };
        route.metric = 1;
        route.flags = u32::from(libc::RTF_UP);
        route.interface = interface;
        route
    }
}

fn up(socket: &OwnedFd, name: &CStr) -> Result<(), Errno> {
    let mut request = named(name);
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as _;
    ioctl(socket, libc::SIOCSIFFLAGS, &request)
}

/// A request about one interface.
pub(super) fn named(name: &CStr) -> libc::ifreq {
    // SAFETY: `ifreq` is plain old data.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (place, byte) in request.ifr_name.iter_mut().zip(name.to_bytes()) {
        *place = *byte as _;
    }
    request
}

pub(super) fn socket_address(address: Ipv4Addr) -> libc::sockaddr {
    let [a, b, c, d] = address.octets().map(|byte| byte as _);
    // `struct sockaddr_in`: the port, then the address.
    let sa_data = [0, 0, a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0];
    libc::sockaddr { sa_family: libc::AF_INET as _, sa_data }
}

fn ioctl<T>(descriptor: &OwnedFd, request: libc::Ioctl, argument: &T) -> Result<(), Errno> {
    let argument = std::ptr::from_ref(argument).cast_mut().cast();
    // SAFETY: the callers pair requests that only read with the structures that they read.
    unsafe { raw_ioctl(descriptor, request, argument) }
}

fn ioctl_mut<T>(descriptor: &OwnedFd, request: libc::Ioctl, argument: &mut T) -> Result<(), Errno> {
    // SAFETY: as above, with a structure that is written.
    unsafe { raw_ioctl(descriptor, request, std::ptr::from_mut(argument).cast()) }
}

/// # Safety
/// The argument is what the request takes.
unsafe fn raw_ioctl(
    descriptor: &OwnedFd,
    request: libc::Ioctl,
    argument: *mut libc::c_void,
) -> Result<(), Errno> {
    // SAFETY: as above.
    let done = unsafe { libc::syscall(libc::SYS_ioctl, descriptor.as_raw_fd(), request, argument) };
    if done < 0 { Err(last_errno()) } else { Ok(()) }
}
