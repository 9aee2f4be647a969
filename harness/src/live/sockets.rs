//! Sockets that sidecars hold, from /proc.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use super::group;

/// One look at what sidecars hold: the kernel's table of connections is long, and is the same for all of them.
#[derive(Debug)]
pub(super) struct Look {
    /// Numbers of the sockets that each group of processes has open, or why they are not shown.
    held: BTreeMap<u32, Result<BTreeSet<u64>, String>>,
    /// Sockets that somebody holds, or why they are not shown.
    table: Result<Vec<Socket>, String>,
}

impl Look {
    /// Looks at groups of processes of one network.
    pub(super) fn at(groups: &[u32]) -> Self {
        let mut held: BTreeMap<_, _> = groups.iter().map(|group| (*group, Ok(BTreeSet::new()))).collect();
        let members = group::members(groups);
        for (group, process) in &members {
            match (held.get_mut(group), inodes(*process)) {
                (Some(Ok(known)), Ok(numbers)) => known.extend(numbers),
                (Some(known), Err(why)) => *known = Err(why),
                (Some(Err(_)) | None, _) => {}
            }
        }
        Self { held, table: table(members.iter().map(|(_, process)| *process)) }
    }

    /// Sockets of a group, by state, of whose own ends `counts` approves. Those of processes that are gone are none.
    ///
    /// # Errors
    /// The system does not show them, in words: the program runs as another user, or has capabilities of its own.
    pub(super) fn count(
        &self,
        group: u32,
        counts: impl Fn(SocketAddrV4) -> bool,
    ) -> Result<BTreeMap<String, u32>, String> {
        let mut by_state = BTreeMap::new();
        let Some(held) = self.held.get(&group) else { return Ok(by_state) };
        let held = held.as_ref().map_err(String::clone)?;
        if held.is_empty() {
            return Ok(by_state);
        }
        for socket in self.table.as_ref().map_err(String::clone)? {
            if held.contains(&socket.inode) && counts(socket.local) {
                *by_state.entry(socket.state.to_owned()).or_default() += 1;
            }
        }
        Ok(by_state)
    }
}

/// The sockets of the network in which these processes are, as the first of them that still runs sees them; none if all have ended.
fn table(processes: impl Iterator<Item = u32>) -> Result<Vec<Socket>, String> {
    for process in processes {
        let path = format!("/proc/{process}/net/tcp");
        match fs::read_to_string(&path) {
            Ok(table) => return Ok(table.lines().skip(1).filter_map(Socket::parse).collect()),
            // It is gone, or has ended and nobody has asked how.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("its sockets cannot be counted: {path}: {error}")),
        }
    }
    Ok(Vec::new())
}

/// Numbers of the sockets that a process has open.
fn inodes(process: u32) -> Result<BTreeSet<u64>, String> {
    let folder = format!("/proc/{process}/fd");
    let files = match fs::read_dir(&folder) {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Err(format!("its sockets cannot be counted: {folder}: {error}"));
        }
        Err(_) => return Ok(BTreeSet::new()),
    };
    let targets = files.flatten().filter_map(|file| fs::read_link(file.path()).ok());
    let number = |target: std::path::PathBuf| {
        target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    };
    Ok(targets.filter_map(number).collect())
}

/// A line of /proc/net/tcp.
#[derive(Debug, PartialEq, Eq)]
struct Socket {
    local: SocketAddrV4,
    state: &'static str,
    inode: u64,
}

impl Socket {
    /// `sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode ..`; `None` of those that nobody holds any more, most of a busy
    /// machine's.
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let local = fields.next()?;
        let state = match fields.nth(1)? {
            "01" => "ESTABLISHED",
            "02" => "SYN_SENT",
            "03" => "SYN_RECEIVED",
            "04" => "FIN_WAIT1",
            "05" => "FIN_WAIT2",
            "06" => return None,
            "07" => "CLOSED",
            "08" => "CLOSE_WAIT",
            "09" => "LAST_ACK",
            "0A" => "LISTEN",
            "0B" => "CLOSING",
            _ => "UNKNOWN",
        };
        Some(Self { local: address(local)?, state, inode: fields.nth(5)?.parse().ok()? })
    }
}

/// `0100007F:1F90`: the address in the machine's byte order, the port as a number.
fn address(text: &str) -> Option<SocketAddrV4> {
    let (ip, port) = text.split_once(':')?;
    let ip = Ipv4Addr::from(u32::from_str_radix(ip, 16).ok()?.to_ne_bytes());
    Some(SocketAddrV4::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_kernels_table_are_read() {
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1 0 100 0 0 10 0";
        let socket = Socket::parse(line).expect("a socket");
        assert_eq!(socket.local.to_string(), "127.0.0.1:8080");
        assert_eq!((socket.state, socket.inode), ("LISTEN", 4242));
        assert_eq!(Socket::parse("sl local_address"), None);
        assert_eq!(Socket::parse(&line.replace(" 0A ", " 06 ")), None, "TIME_WAIT");
    }

    #[test]
    fn the_sockets_of_this_process_are_found() {
        let own = rustix::process::getpgrp().as_raw_nonzero().get().unsigned_abs();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a socket");
        let address = listener.local_addr().expect("an address");
        let listeners = || {
            let is_it = |end: SocketAddrV4| std::net::SocketAddr::V4(end) == address;
            let found = Look::at(&[own, u32::MAX]).count(own, is_it).expect("its own");
            found.get("LISTEN").copied().unwrap_or(0)
        };
        assert_eq!(listeners(), 1);
        drop(listener);
        assert_eq!(listeners(), 0);
        assert_eq!(Look::at(&[u32::MAX]).count(u32::MAX, |_| true), Ok(BTreeMap::new()));
        assert_eq!(Look::at(&[]).count(own, |_| true), Ok(BTreeMap::new()));
    }

    #[test]
    fn what_is_not_shown_is_told_of_whoever_holds_something() {
        let held = BTreeMap::from([(1, Ok(BTreeSet::from([4242]))), (2, Ok(BTreeSet::new()))]);
        let look = Look { held, table: Err("not shown".to_owned()) };
        assert_eq!(look.count(1, |_| true), Err("not shown".to_owned()));
        assert_eq!(look.count(2, |_| true), Ok(BTreeMap::new()));
    }

    #[test]
    fn who_ended_unasked_is_passed_over() {
        use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

        let mut child = std::process::Command::new("true").spawn().expect("a process");
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(Pid::from_child(&child)), ended).expect("its end");
        assert_eq!(table([child.id()].into_iter()), Ok(Vec::new()));
        let _listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a socket");
        let both = table([child.id(), std::process::id()].into_iter()).expect("its own");
        child.wait().expect("its status");
        assert!(!both.is_empty());
    }
}
