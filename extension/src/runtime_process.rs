//! Finds the runtime's process by its connection. It must never return another process: if unsure,
//! it finds none.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

use rustix::process::{Pid, PidfdFlags, Signal, getuid, kill_process, pidfd_open, pidfd_send_signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::TcpStream;

/// A process that held the other end of a connection when it was found.
#[derive(Debug)]
pub struct RuntimeProcess {
    pid: Pid,
    /// Refers to this process even if its process id is reused. Kernels before 5.3 have no such
    /// handle.
    handle: Option<OwnedFd>,
}

impl RuntimeProcess {
    /// The process of the same user that holds the other end of `stream`; if several do (a parent
    /// and children that inherited it), the parent.
    pub async fn find(stream: &TcpStream) -> Option<Self> {
        let (near, far) = (stream.local_addr().ok()?, stream.peer_addr().ok()?);
        // Reads every descriptor of every process, so not on the thread that serves.
        tokio::task::spawn_blocking(move || Self::search(near, far)).await.ok()?
    }

    fn search(near: SocketAddr, far: SocketAddr) -> Option<Self> {
        let inode = ["/proc/self/net/tcp", "/proc/self/net/tcp6"]
            .iter()
            .find_map(|table| fs::read_to_string(table).ok().and_then(|table| inode_of(&table, far, near)))?;
        let socket = format!("socket:[{inode}]");
        let number = holder(&socket)?;
        let pid = Pid::from_raw(i32::try_from(number).ok()?)?;
        let handle = pidfd_open(pid, PidfdFlags::empty()).ok();
        // It may have ended, and its process id been reused, before the handle was opened.
        holds(number, &socket).then_some(Self { pid, handle })
    }

    /// Its process id.
    pub fn number(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Kills it at once (SIGKILL); false if it had already ended.
    pub fn kill(&self) -> bool {
        let sent = match &self.handle {
            Some(handle) => pidfd_send_signal(handle, Signal::KILL),
            None => kill_process(self.pid, Signal::KILL),
        };
        sent.is_ok()
    }

    /// Completes when the process has ended; never if the kernel cannot report that.
    pub async fn ended(&self) {
        if let Some(handle) = &self.handle {
            #[expect(
                deprecated,
                reason = "its successor is unsafe because a descriptor could be closed while registered; a borrowed one cannot"
            )]
            let watched = AsyncFd::with_interest(handle.as_fd(), Interest::READABLE);
            if let Ok(watched) = watched
                && watched.readable().await.is_ok()
            {
                return;
            }
        }
        std::future::pending().await
    }
}

/// The socket at `near` that is connected to `far`, in a table of `/proc/net`. Source: the kernel's `Documentation/networking/proc_net_tcp.rst`.
fn inode_of(table: &str, near: SocketAddr, far: SocketAddr) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let mut columns = line.split_ascii_whitespace().skip(1);
        let found = (address(columns.next()?)?, address(columns.next()?)?);
        let inode = columns.nth(6)?.parse().ok()?;
        (found == (plain(near), plain(far)) && inode != 0).then_some(inode)
    })
}

/// A runtime may use an IPv6 socket for an IPv4 address (Java does).
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// An address as the kernel writes it: each 32 bits in the machine's own order.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let part = |at: usize| u32::from_str_radix(ip.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    let ip = match ip.len() {
        8 => IpAddr::V4(Ipv4Addr::from(part(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for (to, at) in bytes.chunks_exact_mut(4).zip([0, 8, 16, 24]) {
                to.copy_from_slice(&part(at)?);
            }
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some(plain(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?)))
}

/// The process of the same user, other than the extension, that holds a socket and whose parent does not.
fn holder(socket: &str) -> Option<u32> {
    let same_user = |number: &u32| fs::metadata(format!("/proc/{number}")).is_ok_and(|found| found.uid() == getuid().as_raw());
    let holders: BTreeSet<u32> =
        processes().filter(|number| *number != std::process::id()).filter(same_user).filter(|number| holds(*number, socket)).collect();
    holders.iter().copied().find(|number| parent(*number).is_none_or(|parent| !holders.contains(&parent)))
}

fn holds(number: u32, socket: &str) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{number}/fd")) else { return false };
    descriptors.flatten().any(|entry| fs::read_link(entry.path()).is_ok_and(|target| target.as_os_str() == socket))
}

/// The ids of all visible processes.
pub fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The parent of a process.
pub fn parent(number: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
    // The name is in parentheses and may itself contain parentheses.
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
        0: 0100007F:2694 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 41 1 0\n   \
        1: 0100007F:8C3E 0100007F:2694 01 00000000:00000000 00:00000000 00000000     0        0 42 1 0\n   \
        2: 0000000000000000FFFF00000100007F:8C3F 0000000000000000FFFF00000100007F:2694 01 00000000:00000000 00:00000000 00000000     0        0 43 1 0\n   \
        3: 0100007F:8C40 0100007F:2694 06 00000000:00000000 03:00001770 00000000     0        0 0 3 0\n nonsense\n";

    #[test]
    #[cfg(target_endian = "little")]
    fn a_socket_is_found_by_its_two_ends() {
        let near = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        for (port, inode) in [(0x8C3E, Some(42)), (0x8C3F, Some(43)), (0x8C40, None), (0x2694, None)] {
            assert_eq!(inode_of(TABLE, near(port), near(0x2694)), inode, "{port:x}");
        }
    }

    #[tokio::test]
    async fn a_connection_of_this_process_belongs_to_no_runtime() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        assert!(RuntimeProcess::find(&server).await.is_none());
        drop(client);
    }

    #[test]
    fn every_process_but_the_first_has_a_parent() {
        let own = std::process::id();
        assert!(processes().any(|number| number == own));
        assert!(parent(own).is_some());
    }
}
