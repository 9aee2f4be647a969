//! Links of a live world: what happens to bytes between two hosts, and the account of them.
//!
//! The conditions are the simulator's, as far as a relay can bring them about: it delays, cuts, holds, refuses and resets, and what passes is noted
//! as packets, so that the same readers read both worlds. A connection that a dataplane opens to another is accepted by its kernel before the
//! relay can hold it up: there, delays begin with the first byte.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddrV4;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rustix::io::Errno;
use tokio::sync::watch;
use tokio::time::Instant;

use super::addresses::{Addresses, Host};
use super::lane::Lane;
use super::notes::Notes;
use crate::language::{Condition, Direction, Fault, Link, When};
use crate::observe::Nanos;
use crate::observe::wire::Capture;

/// All links of a world.
#[derive(Debug, Clone)]
pub(super) struct Links(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    start: Instant,
    seed: u64,
    state: Mutex<State>,
    /// Counts everything that moves.
    moves: AtomicU64,
}

#[derive(Debug)]
struct State {
    addresses: Addresses,
    links: BTreeMap<(Host, Host), LinkState>,
    notes: Notes,
    /// When the last of what is under way arrives.
    latest: Instant,
    /// Those that have not begun.
    faults: Vec<(Fault, Due)>,
    /// Numbers those that wait for a time.
    timers: u64,
    /// What this process could not do for want of sockets or memory: then the run shows nothing of the dataplane.
    trouble: Option<String>,
}

/// What a fault waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// So many bytes have entered its link.
    Bytes(u64),
    /// Its timer, see [`Links::begin`].
    Timer(u64),
}

#[derive(Debug)]
struct LinkState {
    index: u32,
    forward: Lane,
    back: Lane,
    refuse: bool,
    /// Raised with every change.
    change: watch::Sender<Change>,
}

/// What who relays over a link must heed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Change {
    /// Whether connections are refused.
    pub(super) refuse: bool,
    /// How often all open connections were reset.
    pub(super) resets: u32,
    /// Counts all changes.
    version: u32,
}

/// One connection over a link, seen from its opener.
#[derive(Debug, Clone)]
pub(super) struct Flow {
    key: (Host, Host),
    /// Whether the opener is the host that the link is named from.
    forward: bool,
    index: u32,
    /// The opener, and whom it called.
    ends: (SocketAddrV4, SocketAddrV4),
    pub(super) change: watch::Receiver<Change>,
}

/// How a lane stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gate {
    /// Whether bytes pass at all.
    pub(super) open: bool,
    /// Most bytes of one piece.
    pub(super) most: usize,
    /// Whether pieces are under way for a time.
    pub(super) slow: bool,
}

impl Links {
    pub(super) fn new(addresses: Addresses, seed: u64, capture_bound: u64) -> Self {
        let start = Instant::now();
        let state = State {
            addresses,
            links: BTreeMap::new(),
            notes: Notes::new(capture_bound),
            latest: start,
            faults: Vec::new(),
            timers: 0,
            trouble: None,
        };
        Self(Arc::new(Shared { start, seed, state: Mutex::new(state), moves: AtomicU64::new(0) }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nanoseconds since the world began.
    pub(super) fn now(&self) -> Nanos {
        u64::try_from(self.0.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Something moved.
    pub(super) fn moved(&self) {
        self.0.moves.fetch_add(1, Ordering::Relaxed);
    }

    /// How much moved so far, and whether something is under way that will arrive by itself.
    pub(super) fn moves(&self) -> (u64, bool) {
        (self.0.moves.load(Ordering::Relaxed), self.state().latest > Instant::now())
    }

    /// A connection that `opener` opens to `other`; noted as such.
    pub(super) fn open(&self, opener: Host, other: Host, ends: (SocketAddrV4, SocketAddrV4)) -> Flow {
        self.moved();
        let key = (opener.min(other), opener.max(other));
        let forward = opener == key.0;
        let mut state = self.state();
        let link = state.link(key, self.0.seed);
        let (index, change) = (link.index, link.change.subscribe());
        let flow = Flow { key, forward, index, ends, change };
        state.notes.syn(self.now(), index, forward, ends);
        flow
    }

    /// Watches a link over which nothing is open yet.
    pub(super) fn watch(&self, opener: Host, other: Host) -> watch::Receiver<Change> {
        let key = (opener.min(other), opener.max(other));
        self.state().link(key, self.0.seed).change.subscribe()
    }

    /// The other end took the connection.
    pub(super) fn established(&self, flow: &Flow) {
        self.moved();
        self.state().notes.syn_ack(self.now(), flow.index, flow.forward, flow.ends);
    }

    /// How the lane from the opener (or back to it) stands.
    pub(super) fn gate(&self, flow: &Flow, from_opener: bool) -> Gate {
        let mut state = self.state();
        let lane = state.lane(flow, from_opener, self.0.seed);
        Gate {
            open: !lane.shut,
            most: lane.segment.map_or(usize::MAX, |bytes| bytes.max(1) as usize),
            slow: lane.latency.is_some() || lane.bandwidth.is_some() || lane.loss.is_some(),
        }
    }

    /// Bytes enter the link; when they arrive.
    pub(super) fn enter(&self, flow: &Flow, from_opener: bool, bytes: &Bytes) -> Instant {
        self.moved();
        let at = self.now();
        let mut state = self.state();
        state.notes.data(at, flow.index, flow.forward == from_opener, flow.ends, from_opener, bytes);
        let due = state.lane(flow, from_opener, self.0.seed).due(bytes.len());
        state.latest = state.latest.max(due);
        state.count(flow, from_opener, bytes.len(), self.0.seed);
        due
    }

    /// Something without bytes enters the link, such as a call; when it arrives.
    pub(super) fn cross(&self, flow: &Flow, from_opener: bool) -> Instant {
        let mut state = self.state();
        let due = state.lane(flow, from_opener, self.0.seed).due(0);
        state.latest = state.latest.max(due);
        due
    }

    /// A connection's end (or its reset) enters the link; when it arrives.
    pub(super) fn end(&self, flow: &Flow, from_opener: bool, reset: bool) -> Instant {
        self.moved();
        let at = self.now();
        let mut state = self.state();
        state.notes.end(at, flow.index, flow.forward == from_opener, flow.ends, from_opener, reset);
        let due = state.lane(flow, from_opener, self.0.seed).due(0);
        state.latest = state.latest.max(due);
        due
    }

    /// Sets a fault. One that begins after a time is to be begun then, by the number that is returned.
    pub(super) fn fault(&self, fault: &Fault) -> Option<(Duration, u64)> {
        let mut state = self.state();
        match fault.when {
            When::Now => {
                state.set(fault, self.0.seed);
                None
            }
            When::AfterBytes(bytes) => {
                let passed = state.passed(&fault.link, fault.direction, self.0.seed);
                state.faults.push((fault.clone(), Due::Bytes(passed + bytes)));
                None
            }
            When::After(delay) => {
                state.timers += 1;
                let timer = state.timers;
                state.faults.push((fault.clone(), Due::Timer(timer)));
                Some((delay, timer))
            }
        }
    }

    /// The time of a fault has come. One that was healed before does not begin.
    pub(super) fn begin(&self, timer: u64) {
        let mut state = self.state();
        let at = state.faults.iter().position(|(_, due)| *due == Due::Timer(timer));
        if let Some(at) = at {
            let (fault, _) = state.faults.remove(at);
            state.set(&fault, self.0.seed);
        }
    }

    /// Something of this process' own failed: `doing` what, and how. What the other end does to a connection is no trouble.
    pub(super) fn trouble(&self, doing: &str, error: &io::Error) {
        if is_ours(error) {
            self.state().trouble.get_or_insert_with(|| format!("{doing}: {error}"));
        }
    }

    /// The first trouble, in words.
    pub(super) fn troubled(&self) -> Option<String> {
        self.state().trouble.clone()
    }

    /// Undoes all conditions of a link, and faults of it that did not begin.
    pub(super) fn heal(&self, link: &Link) {
        let mut state = self.state();
        state.faults.retain(|(fault, _)| !same(&fault.link, link));
        let (key, _) = state.key(link);
        let link = state.link(key, self.0.seed);
        link.forward.heal();
        link.back.heal();
        link.refuse = false;
        link.changed(|change| change.refuse = false);
    }

    /// Ends the account and takes it.
    pub(super) fn take_capture(&self) -> Capture {
        let mut state = self.state();
        std::mem::replace(&mut state.notes, Notes::new(0)).finish()
    }
}

impl State {
    /// The hosts of a link, in order, and whether the link is named in that order.
    fn key(&self, link: &Link) -> ((Host, Host), bool) {
        let (from, to) = (self.addresses.host(&link.from), self.addresses.host(&link.to));
        ((from.min(to), from.max(to)), from <= to)
    }

    fn link(&mut self, key: (Host, Host), seed: u64) -> &mut LinkState {
        let Self { links, notes, addresses, .. } = self;
        links.entry(key).or_insert_with(|| {
            let link = Link { from: addresses.name(key.0), to: addresses.name(key.1) };
            let lane = |way: &str| Lane::new(seed, &format!("{link} {way}"));
            let (forward, back) = (lane("forward"), lane("back"));
            let index = notes.link(link);
            LinkState { index, forward, back, refuse: false, change: watch::Sender::default() }
        })
    }

    fn lane(&mut self, flow: &Flow, from_opener: bool, seed: u64) -> &mut Lane {
        let link = self.link(flow.key, seed);
        if flow.forward == from_opener { &mut link.forward } else { &mut link.back }
    }

    fn set(&mut self, fault: &Fault, seed: u64) {
        let (key, as_named) = self.key(&fault.link);
        let (from_first, from_second) = lanes(fault.direction, as_named);
        let link = self.link(key, seed);
        match fault.condition {
            Condition::Refuse => {
                link.refuse = true;
                link.changed(|change| change.refuse = true);
            }
            Condition::Reset => link.changed(|change| change.resets += 1),
            _ => {
                for (lane, wanted) in [(&mut link.forward, from_first), (&mut link.back, from_second)] {
                    if wanted {
                        lane.set(&fault.condition);
                    }
                }
                link.changed(|_| ());
            }
        }
    }

    /// Bytes that have entered a link in these directions.
    fn passed(&mut self, link: &Link, direction: Direction, seed: u64) -> u64 {
        let (key, as_named) = self.key(link);
        let (from_first, from_second) = lanes(direction, as_named);
        let link = self.link(key, seed);
        u64::from(from_first) * link.forward.bytes + u64::from(from_second) * link.back.bytes
    }

    /// Counts bytes, and begins the faults that waited for them.
    fn count(&mut self, flow: &Flow, from_opener: bool, bytes: usize, seed: u64) {
        self.lane(flow, from_opener, seed).bytes += bytes as u64;
        let faults = std::mem::take(&mut self.faults);
        for (fault, due) in faults {
            match due {
                Due::Bytes(at) if self.passed(&fault.link, fault.direction, seed) >= at => {
                    self.set(&fault, seed);
                }
                due => self.faults.push((fault, due)),
            }
        }
    }
}

impl LinkState {
    fn changed(&self, how: impl FnOnce(&mut Change)) {
        self.change.send_modify(|change| {
            how(change);
            change.version += 1;
        });
    }
}

/// Which lanes a direction means, by the order of the hosts: (from the first, from the second).
fn lanes(direction: Direction, as_named: bool) -> (bool, bool) {
    match direction {
        Direction::Both => (true, true),
        Direction::Forward => (as_named, !as_named),
        Direction::Back => (!as_named, as_named),
    }
}

/// Whether an error tells of a want of this machine: sockets, ports, memory.
fn is_ours(error: &io::Error) -> bool {
    let wants = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable)
        || Errno::from_io_error(error).is_some_and(|errno| wants.contains(&errno))
}

fn same(one: &Link, other: &Link) -> bool {
    one == other || (one.from == other.to && one.to == other.from)
}
