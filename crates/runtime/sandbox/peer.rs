//! Who is at the other end of a connection on the host's loopback.
//!
//! An instance that shares the host's network finds its Runtime API at a port that everybody on the
//! host can reach. Only its own processes may use it: the kernel's table of connections names the
//! other end's socket, and one of the instance's processes must hold that.

use std::{
    fs, io,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

/// Whether a process of the instance whose first process is `first` holds the socket `peer`, which is
/// connected to `ours`.
pub(super) fn is_of(first: u32, peer: SocketAddr, ours: SocketAddr) -> io::Result<bool> {
    let Some(inode) = inode(peer, ours)? else { return Ok(false) };
    let socket = PathBuf::from(format!("socket:[{inode}]"));
    let world = fs::read_link(format!("/proc/{first}/ns/pid"))?;
    let processes = fs::read_dir("/proc")?.flatten().map(|entry| entry.path());
    Ok(processes
        .filter(|process| fs::read_link(process.join("ns/pid")).is_ok_and(|it| it == world))
        .any(|process| holds(&process, &socket)))
}

fn holds(process: &Path, socket: &Path) -> bool {
    let descriptors = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    descriptors.map(|entry| entry.path()).any(|fd| fs::read_link(fd).is_ok_and(|it| it == socket))
}

/// The inode of one end of a connection, by the addresses of both.
fn inode(peer: SocketAddr, ours: SocketAddr) -> io::Result<Option<u64>> {
    for (table, as_v6) in [("/proc/net/tcp", false), ("/proc/net/tcp6", true)] {
        // A kernel without IPv6 has no such table.
        let text = match fs::read_to_string(table) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if let Some(found) = find(&text, &shown(peer, as_v6), &shown(ours, as_v6)) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// In `sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …`.
fn find(table: &str, local: &str, remote: &str) -> Option<u64> {
    let rows = table.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
    let mut found = rows.filter(|row| row.get(1) == Some(&local) && row.get(2) == Some(&remote));
    found.next()?.get(9)?.parse().ok().filter(|inode| *inode != 0)
}

/// An address as the tables show it: words of four bytes as the machine has them, in hexadecimal.
fn shown(address: SocketAddr, as_v6: bool) -> String {
    let octets = match address.ip() {
        IpAddr::V4(ip) if as_v6 => ip.to_ipv6_mapped().octets().to_vec(),
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let words = octets.chunks_exact(4).map(|it| u32::from_ne_bytes([it[0], it[1], it[2], it[3]]));
    let words: String = words.map(|word| format!("{word:08X}")).collect();
    format!("{words}:{:04X}", address.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn the_other_end_is_ours_only_if_our_processes_hold_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, peer) = listener.accept().unwrap();
        let ours = server.local_addr().unwrap();
        assert!(is_of(std::process::id(), peer, ours).unwrap());
        drop(client);
        assert!(!is_of(std::process::id(), peer, ours).unwrap());
    }

    #[test]
    fn a_row_is_found_by_both_addresses() {
        let peer: SocketAddr = "127.0.0.1:4660".parse().unwrap();
        let ours: SocketAddr = "127.0.0.1:80".parse().unwrap();
        let (local, remote) = (shown(peer, false), shown(ours, false));
        let row = |local: &str, remote: &str, inode: u32| {
            format!(
                "0: {local} {remote} 01 00000000:00000000 00:00000000 00000000 993 0 {inode} 1\n"
            )
        };
        let table = row(&remote, &local, 7) + &row(&local, &remote, 8);
        assert_eq!(find(&table, &local, &remote), Some(8));
        assert_eq!(find(&row(&local, &remote, 0), &local, &remote), None, "nobody's any more");
        assert_eq!(find("", &local, &remote), None);
        assert!(shown(ours, true).ends_with(":0050"));
    }
}
