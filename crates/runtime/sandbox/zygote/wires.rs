//! The network of a fork: what `wiring` furnishes for a child that executes a program, call by call.

use std::{
    ffi::{CStr, CString, c_char, c_int},
    fs::File,
    io,
    net::{Ipv4Addr, TcpListener, UdpSocket},
    os::fd::{AsFd, OwnedFd},
    thread,
};

use network::{Mode, link};
use rustix::{
    fs::{Mode as Permissions, OFlags},
    process::PidfdGetfdFlags,
    thread::LinkNameSpaceType,
};

use super::{
    super::{
        StartError,
        root::Rights,
        start::{AWS_ENDPOINT_PORT, OwnNetwork, RUNTIME_API_PORT, Sockets, XRAY_PORT},
        wiring::{AddressV6, BACKLOG, NAMES_PORT, RouteV6, TUN_PATH, named, route, socket_address},
    },
    furnish::{Furnishing, Hand},
};

impl Hand<'_> {
    /// Furnishes the network and takes what the host serves.
    pub(super) fn wire(
        &self,
        with: &Furnishing<'_>,
        pidfd: &OwnedFd,
    ) -> Result<(Sockets, OwnNetwork), StartError> {
        let at = StartError::at;
        let socket = self.socket(libc::AF_INET, libc::SOCK_DGRAM).map_err(at("loopback up"))?;
        self.up(socket, c"lo").map_err(at("loopback up"))?;
        let link = match with.wiring.mode {
            Mode::Egress => Some(self.attach(with, socket, pidfd).map_err(at("make the way out"))?),
            Mode::None | Mode::Host => None,
        };
        let bound = |kind, port| self.bind(kind, port, pidfd).map_err(at("listen on loopback"));
        let listen = |port| bound(libc::SOCK_STREAM, port).map(TcpListener::from);
        let receive = |port| bound(libc::SOCK_DGRAM, port).map(UdpSocket::from);
        let listeners = [listen(RUNTIME_API_PORT)?, listen(AWS_ENDPOINT_PORT)?, listen(XRAY_PORT)?];
        let sockets = Sockets { listeners, segments: receive(XRAY_PORT)? };
        let names = (receive(NAMES_PORT)?, listen(NAMES_PORT)?);
        Ok((sockets, OwnNetwork { names, link }))
    }

    fn socket(&self, family: c_int, kind: c_int) -> io::Result<u64> {
        let kind = kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        self.call(libc::SYS_socket, &[family as u64, kind as u64, 0])
    }

    /// Binds a socket on its loopback, for the host.
    fn bind(&self, kind: c_int, port: u16, pidfd: &OwnedFd) -> io::Result<OwnedFd> {
        let socket = self.socket(libc::AF_INET, kind)?;
        // `struct sockaddr_in`.
        let mut address = [0u8; 16];
        address[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
        address[2..4].copy_from_slice(&port.to_be_bytes());
        address[4..8].copy_from_slice(&[127, 0, 0, 1]);
        let [address] = self.lay([&address])?;
        self.call(libc::SYS_bind, &[socket, address, 16])?;
        if kind == libc::SOCK_STREAM {
            self.call(libc::SYS_listen, &[socket, BACKLOG as u64])?;
        }
        take(pidfd, socket)
    }

    fn ioctl<T>(&self, descriptor: u64, request: libc::Ioctl, argument: &T) -> io::Result<u64> {
        let [place] = self.lay([bytes(argument)])?;
        self.call(libc::SYS_ioctl, &[descriptor, request, place])?;
        Ok(place)
    }

    fn up(&self, socket: u64, name: &CStr) -> io::Result<u64> {
        let mut request = named(name);
        request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as _;
        self.ioctl(socket, libc::SIOCSIFFLAGS, &request)
    }

    /// The file of TUN interfaces, opened in the fork's network: whose an interface is is decided then.
    fn open_tun(&self, with: &Furnishing<'_>) -> io::Result<u64> {
        let open =
            |flags| rustix::fs::open(TUN_PATH, flags | OFlags::CLOEXEC, Permissions::empty());
        match with.rights {
            // By the server's rights, which nobody else may have.
            Rights::Root => {
                let network = File::open(format!("/proc/{}/ns/net", self.process.pid()))?;
                let opened = thread::scope(|scope| {
                    let there = || {
                        let kind = Some(LinkNameSpaceType::Network);
                        rustix::thread::move_into_link_name_space(network.as_fd(), kind)?;
                        open(OFlags::RDWR | OFlags::NONBLOCK)
                    };
                    // A thread of its own, which never comes back.
                    scope.spawn(there).join()
                });
                let tun = opened.map_err(|_| io::Error::other("a thread has panicked"))??;
                self.receive(with.socket, with.channel, tun)
            }
            // As the server's own user, which the process is.
            Rights::Rootless => {
                let file = self.receive(with.socket, with.channel, open(OFlags::PATH)?)?;
                let file = CString::new(format!("/proc/self/fd/{file}"))?;
                self.open(&file, libc::O_RDWR | libc::O_NONBLOCK | libc::O_CLOEXEC)
            }
        }
    }

    /// The interface, its addresses, and the ways to everywhere.
    fn attach(&self, with: &Furnishing<'_>, socket: u64, pidfd: &OwnedFd) -> io::Result<OwnedFd> {
        let tun = self.open_tun(with)?;
        let mut request = named(link::NAME);
        request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as _;
        self.ioctl(tun, libc::TUNSETIFF, &request)?;
        self.call(libc::SYS_ioctl, &[tun, libc::TUNSETPERSIST, 1])?;
        request.ifr_ifru.ifru_mtu = link::MTU as c_int;
        self.ioctl(socket, libc::SIOCSIFMTU, &request)?;
        request.ifr_ifru.ifru_addr = socket_address(link::ADDRESS);
        self.ioctl(socket, libc::SIOCSIFADDR, &request)?;
        request.ifr_ifru.ifru_netmask = socket_address(Ipv4Addr::BROADCAST);
        self.ioctl(socket, libc::SIOCSIFNETMASK, &request)?;
        self.up(socket, link::NAME)?;
        // The name is where the route says.
        let route = route(self.page as *const c_char);
        let [_, place] = self.lay([link::NAME.to_bytes_with_nul(), bytes(&route)])?;
        self.call(libc::SYS_ioctl, &[socket, libc::SIOCADDRT, place])?;
        if with.wiring.ipv6 {
            let place = self.ioctl(socket, libc::SIOCGIFINDEX, &named(link::NAME))?;
            // After the name.
            let interface = self.process.read_word(place + libc::IFNAMSIZ as u64)? as c_int;
            let v6 = self.socket(libc::AF_INET6, libc::SOCK_DGRAM)?;
            self.ioctl(v6, libc::SIOCSIFADDR, &AddressV6::of(interface))?;
            self.ioctl(v6, libc::SIOCADDRT, &RouteV6::through(interface))?;
        }
        take(pidfd, tun)
    }
}

/// The host's handle of what it has open.
fn take(pidfd: &OwnedFd, descriptor: u64) -> io::Result<OwnedFd> {
    let flags = PidfdGetfdFlags::empty();
    Ok(rustix::process::pidfd_getfd(pidfd.as_fd(), descriptor as i32, flags)?)
}

/// A structure of the kernel's, as it lies in memory.
fn bytes<T>(of: &T) -> &[u8] {
    // SAFETY: as long as the structure; those that are used here were made of zeros.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(of).cast(), size_of::<T>()) }
}
