//! The event-driven scheduler: decides when each packet arrives, and lets tokio's paused clock jump there.
//!
//! It waits on two things, the work that socket calls raise and the next packet that is due; everything between is empty time and costs
//! nothing. At each instant it yields until no task touches a socket any more, then delivers, then collects what hosts send.
//!
//! It also mends what the kernel leaves out (see `kernel`): a RST for data to a closed socket, the end of orphans, resets.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::sleep_until;

use super::capture::{Recorder, TraceHash};
use super::clock::SimClock;
use super::kernel::{Kernel, Sockets};
use super::link::{self, Fate, Lane, LanePair};
use super::orphans::Orphans;
use super::random::Draws;
use super::run::{Config, Watched};
use super::segment::{Flags, Segment, Tuple};
use super::topology::{HostId, Topology};
use crate::language::{Condition, Direction, Fault, Link, When};
use crate::observe::Nanos;
use crate::observe::wire::Capture;

/// How often the scheduler may go round at one instant before the run counts as a livelock.
const ROUNDS_MAX: u64 = 200_000;

/// Handle on the scheduler, shared with the world that sets faults and waits for quiet.
#[derive(Debug, Clone)]
pub struct Wires(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
    sockets: Arc<Sockets>,
    clock: SimClock,
}

/// Why a run cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("livelock: tasks touched sockets {rounds} times at virtual time {at} ns and never came to rest")]
pub struct Livelock {
    /// When.
    pub at: Nanos,
    /// How often.
    pub rounds: u64,
}

#[derive(Debug)]
struct State {
    kernel: Kernel,
    topology: Arc<Topology>,
    seed: u64,
    draws: Draws,
    links: BTreeMap<(HostId, HostId), LinkState>,
    queue: BTreeMap<(Nanos, u64), Segment>,
    sequence: u64,
    flows: BTreeMap<Tuple, FlowState>,
    orphans: Orphans,
    /// Closed connections to which a bare acknowledgement was delivered: an answering RST is not Linux's (TIME_WAIT).
    absorb: BTreeSet<Tuple>,
    recorder: Recorder,
    egress: Vec<Segment>,
    faults: Vec<PendingFault>,
}

#[derive(Debug)]
struct LinkState {
    index: u32,
    lanes: LanePair,
    /// Connections by opener, with the directions that have seen their FIN.
    open: BTreeMap<Tuple, (bool, bool)>,
}

/// Where the next bytes of a flow stand, for resets made by hand.
#[derive(Debug, Clone, Copy, Default)]
struct FlowState {
    next_seq: u32,
    last_ack: u32,
}

#[derive(Debug)]
struct PendingFault {
    fault: Fault,
    /// Begins at this time, or once so many bytes have entered.
    at: Option<Nanos>,
    bytes: Option<u64>,
}

impl Wires {
    pub(super) fn new(
        kernel: Kernel,
        topology: Arc<Topology>,
        clock: SimClock,
        seed: u64,
        draws: Draws,
        config: &Config,
    ) -> Self {
        let sockets = kernel.sockets();
        let state = State {
            kernel,
            topology,
            seed,
            draws,
            links: BTreeMap::new(),
            queue: BTreeMap::new(),
            sequence: 0,
            flows: BTreeMap::new(),
            orphans: Orphans::default(),
            absorb: BTreeSet::new(),
            recorder: Recorder::new(config.capture_bound, config.watched.clone()),
            egress: Vec::new(),
            faults: Vec::new(),
        };
        Self(Arc::new(Shared { state: Mutex::new(state), changed: Notify::new(), sockets, clock }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs the network until the run ends.
    ///
    /// # Errors
    /// Tasks never come to rest at one instant.
    pub(super) async fn run(self) -> Result<(), Livelock> {
        let mut rounds = 0;
        let mut instant = 0;
        loop {
            self.settle(&mut rounds).await?;
            let now = self.0.clock.nanos();
            if now != instant {
                (instant, rounds) = (now, 0);
            }
            rounds += 1;
            if rounds > ROUNDS_MAX {
                return Err(Livelock { at: now, rounds });
            }
            let (busy, next) = {
                let mut state = self.state();
                let busy = state.step(now, &self.0.sockets);
                (busy, state.next_event())
            };
            if busy {
                continue;
            }
            let due = next.map(|at| self.0.clock.instant(at));
            tokio::select! {
                biased;
                () = self.0.sockets.work.notified() => {}
                () = self.0.changed.notified() => {}
                () = async { match due { Some(due) => sleep_until(due).await, None => std::future::pending().await } } => {}
            }
        }
    }

    /// Yields until no task touches a socket between two yields.
    async fn settle(&self, rounds: &mut u64) -> Result<(), Livelock> {
        let mut before = self.0.sockets.operations();
        loop {
            tokio::task::yield_now().await;
            let after = self.0.sockets.operations();
            if after == before {
                return Ok(());
            }
            before = after;
            *rounds += 1;
            if *rounds > ROUNDS_MAX {
                return Err(Livelock { at: self.0.clock.nanos(), rounds: *rounds });
            }
        }
    }

    /// Sets a fault, now or when its time comes.
    pub fn set_fault(&self, fault: &Fault) {
        let now = self.0.clock.nanos();
        let mut state = self.state();
        let (at, bytes) = match fault.when {
            When::Now => (Some(now), None),
            When::After(delay) => (Some(now + u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX)), None),
            When::AfterBytes(bytes) => (None, Some(state.entered(&fault.link, fault.direction) + bytes)),
        };
        state.faults.push(PendingFault { fault: fault.clone(), at, bytes });
        drop(state);
        self.0.changed.notify_one();
    }

    /// Undoes all conditions of a link, and faults of it that did not begin.
    pub fn heal(&self, link: &Link) {
        let now = self.0.clock.nanos();
        self.state().heal(link, now);
        self.0.changed.notify_one();
    }

    /// Whether no packet is under way. Packets that a fault holds do not count.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.state().queue.is_empty()
    }

    /// How many socket operations there were.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.0.sockets.operations()
    }

    /// How many packets entered links.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.state().recorder.count()
    }

    /// Sockets of a host, by state; see `netstat`.
    #[must_use]
    pub fn sockets_of(&self, host: HostId) -> BTreeMap<String, u32> {
        self.count_sockets(host, |_, _, _| true)
    }

    /// As [`Self::sockets_of`], but only those that a process holds, and not those at these ports: a closed connection that the kernel still sees to its
    /// end (for as long as its packets vanish) is nobody's leak.
    #[must_use]
    pub fn held_sockets(&self, host: HostId, but: &[u16]) -> BTreeMap<String, u32> {
        self.count_sockets(host, |state, local, remote| {
            let closing = matches!(state, "FIN_WAIT1" | "FIN_WAIT2" | "CLOSING" | "LAST_ACK");
            let held = match (local, remote) {
                (SocketAddr::V4(local), Some(SocketAddr::V4(remote))) => {
                    self.0.sockets.is_live((local, remote))
                }
                _ => true,
            };
            (held || !closing) && !but.contains(&local.port())
        })
    }

    fn count_sockets(
        &self,
        host: HostId,
        counts: impl Fn(&str, SocketAddr, Option<SocketAddr>) -> bool,
    ) -> BTreeMap<String, u32> {
        let mut by_state = BTreeMap::new();
        let state = self.state();
        let Some(address) = state.topology.get(host).addresses.first() else { return by_state };
        for (name, local, remote) in state.kernel.netstat(*address) {
            if counts(name, local, remote) {
                *by_state.entry(name.to_owned()).or_default() += 1;
            }
        }
        by_state
    }

    /// Sockets of a host, a line each, for a report of a leak or a hang.
    #[must_use]
    pub fn describe_sockets(&self, host: HostId) -> Vec<String> {
        let state = self.state();
        let Some(address) = state.topology.get(host).addresses.first() else { return Vec::new() };
        let lines = state.kernel.netstat(*address).into_iter().map(|(name, local, peer)| match peer {
            Some(peer) => format!("{name} {local} <-> {peer}"),
            None => format!("{name} {local}"),
        });
        lines.collect()
    }

    /// Ends the recording and takes it.
    #[must_use]
    pub(super) fn take_capture(&self) -> (Capture, TraceHash) {
        let mut state = self.state();
        std::mem::replace(&mut state.recorder, Recorder::new(0, Watched::Everything)).finish()
    }
}

impl State {
    /// One round at one instant; `true` when something happened that tasks may react to at once.
    fn step(&mut self, now: Nanos, sockets: &Sockets) -> bool {
        self.begin_faults(now);
        self.note_orphans(now, sockets);
        let delivered = self.deliver_due(now, sockets);
        self.collect(now, sockets);
        delivered || self.queue.first_key_value().is_some_and(|((due, _), _)| *due <= now)
    }

    /// When something happens next by itself.
    fn next_event(&self) -> Option<Nanos> {
        let packet = self.queue.first_key_value().map(|((due, _), _)| *due);
        let fault = self.faults.iter().filter_map(|fault| fault.at).min();
        [packet, fault, self.orphans.next()].into_iter().flatten().min()
    }

    fn deliver_due(&mut self, now: Nanos, sockets: &Sockets) -> bool {
        let mut any = false;
        while let Some(entry) = self.queue.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let segment = entry.remove();
            self.deliver(segment, now, sockets);
            any = true;
        }
        any
    }

    fn deliver(&mut self, segment: Segment, now: Nanos, sockets: &Sockets) {
        let tuple = segment.receiver();
        if segment.flags.has(Flags::RST) {
            sockets.rescue(tuple);
            self.orphans.remove(tuple);
        } else if self.orphans.contains(tuple) && !sockets.is_live(tuple) {
            if !segment.payload.is_empty() {
                // Linux: data for a socket that nobody holds any more is answered with RST, and that is the end of both.
                self.orphans.remove(tuple);
                let flow = self.flows.get(&tuple).copied().unwrap_or_default();
                self.kernel.deliver(Segment::reset(segment.sender(), segment.seq, segment.ack));
                self.enter(Segment::reset(tuple, segment.ack.max(flow.next_seq), flow.last_ack), now);
                return;
            }
            self.absorb.insert(tuple);
        } else if segment.flags.has(Flags::FIN) {
            sockets.note_fin(tuple);
        }
        self.kernel.deliver(segment);
    }

    /// Takes what hosts want to send, and the resets they asked for, onto the links.
    fn collect(&mut self, now: Nanos, sockets: &Sockets) {
        let mut egress = std::mem::take(&mut self.egress);
        self.kernel.egress(&mut egress);
        for segment in egress.drain(..) {
            let answers_absorbed = segment.flags.has(Flags::RST) && !segment.flags.has(Flags::ACK);
            if answers_absorbed && self.absorb.contains(&segment.sender()) {
                continue;
            }
            self.enter(segment, now);
        }
        self.absorb.clear();
        for reset in sockets.take_resets() {
            let tuple = reset.tuple;
            let flow = self.flows.get(&tuple).copied().unwrap_or_default();
            reset.finish(&self.kernel);
            self.enter(Segment::reset(tuple, flow.next_seq, flow.last_ack), now);
        }
        self.egress = egress;
    }

    /// A packet enters the link between its hosts.
    fn enter(&mut self, segment: Segment, now: Nanos) {
        let Some((key, forward)) = self.route(&segment) else { return };
        let tuple = segment.sender();
        let length = u32::try_from(segment.payload.len()).unwrap_or(u32::MAX)
            + u32::from(segment.flags.has(Flags::SYN))
            + u32::from(segment.flags.has(Flags::FIN));
        self.flows
            .insert(tuple, FlowState { next_seq: segment.seq.wrapping_add(length), last_ack: segment.ack });
        if segment.flags.has(Flags::RST) {
            self.flows.remove(&tuple);
            self.flows.remove(&segment.receiver());
        }
        let Some(link) = self.links.get_mut(&key) else { return };
        link.follow(&segment);
        let lane = &mut link.lanes[link::lane(forward)];
        let mut refused = None;
        for piece in lane.cut(segment) {
            self.recorder.packet(now, link.index, forward, &piece, lane.swallows());
            match lane.fate(now, &piece) {
                Fate::At(due) => {
                    self.queue.insert((due, self.sequence), piece);
                    self.sequence += 1;
                }
                Fate::Held => {}
                Fate::Refused => {
                    refused = Some(Segment::reset(piece.receiver(), 0, piece.seq.wrapping_add(1)))
                }
            }
        }
        if let Some(answer) = refused {
            self.enter(answer, now);
        }
        self.check_byte_faults(now);
    }

    /// The link of a packet, made on first use; `true` if the packet goes from its first host to its second.
    fn route(&mut self, segment: &Segment) -> Option<((HostId, HostId), bool)> {
        let src = self.topology.owner(*segment.src.ip())?;
        // Unknown addresses swallow packets, as the Internet does.
        let dst = self.topology.owner(*segment.dst.ip())?;
        let key = (src.min(dst), src.max(dst));
        self.ensure_link(key);
        Some((key, src == key.0))
    }

    fn ensure_link(&mut self, key: (HostId, HostId)) -> &mut LinkState {
        let (topology, seed, draws, recorder) = (&self.topology, self.seed, &self.draws, &mut self.recorder);
        self.links.entry(key).or_insert_with(|| {
            let (link, _) = topology.link(key.0, key.1);
            let ends = (topology.get(key.0).kind, topology.get(key.1).kind);
            let there = Lane::new(seed, &format!("{}->{}", link.from, link.to), ends, draws);
            let back = Lane::new(seed, &format!("{}->{}", link.to, link.from), ends, draws);
            LinkState { index: recorder.link(link), lanes: [there, back], open: BTreeMap::new() }
        })
    }

    /// The link that a scenario names, and whether it names it from its first host.
    fn named(&mut self, link: &Link) -> Option<((HostId, HostId), bool)> {
        let (from, to) = (self.topology.host(&link.from)?, self.topology.host(&link.to)?);
        let key = (from.min(to), from.max(to));
        self.ensure_link(key);
        Some((key, from == key.0))
    }

    /// Payload bytes that entered a link so far.
    fn entered(&mut self, link: &Link, direction: Direction) -> u64 {
        let Some((key, forward)) = self.named(link) else { return 0 };
        let (there, back) = link::lanes(direction);
        let state = self.ensure_link(key);
        let bytes = |wanted: bool, forward| if wanted { state.lanes[link::lane(forward)].bytes } else { 0 };
        bytes(there, forward) + bytes(back, !forward)
    }

    fn begin_faults(&mut self, now: Nanos) {
        let due: Vec<_> = self.faults.extract_if(.., |fault| fault.at.is_some_and(|at| at <= now)).collect();
        for pending in due {
            self.apply(&pending.fault, now);
        }
    }

    fn check_byte_faults(&mut self, now: Nanos) {
        if self.faults.iter().all(|fault| fault.bytes.is_none()) {
            return;
        }
        for mut pending in std::mem::take(&mut self.faults) {
            match pending.bytes {
                Some(bytes) if self.entered(&pending.fault.link, pending.fault.direction) >= bytes => {
                    // From the next round on, as any fault: the packet that was one too many still passes.
                    pending.at = Some(now);
                    pending.bytes = None;
                    self.faults.push(pending);
                }
                _ => self.faults.push(pending),
            }
        }
    }

    fn apply(&mut self, fault: &Fault, now: Nanos) {
        let Some((key, forward)) = self.named(&fault.link) else { return };
        if fault.condition == Condition::Reset {
            self.reset_link(key, now);
            return;
        }
        let (there, back) = link::lanes(fault.direction);
        let state = self.ensure_link(key);
        for (wanted, forward) in [(there, forward), (back, !forward)] {
            if wanted {
                state.lanes[link::lane(forward)].set(&fault.condition);
            }
        }
    }

    /// Both ends of each open connection over a link get a RST, as from a middlebox that lost its state.
    fn reset_link(&mut self, key: (HostId, HostId), now: Nanos) {
        let Some(link) = self.links.get_mut(&key) else { return };
        let open = std::mem::take(&mut link.open);
        let index = link.index;
        for tuple in open.into_keys() {
            for (src, dst) in [tuple, (tuple.1, tuple.0)] {
                let flow = self.flows.remove(&(src, dst)).unwrap_or_default();
                let reset = Segment::reset((src, dst), flow.next_seq, flow.last_ack);
                let forward = self.topology.owner(*src.ip()) == Some(key.0);
                self.recorder.packet(now, index, forward, &reset, false);
                self.queue.insert((now, self.sequence), reset);
                self.sequence += 1;
            }
        }
    }

    fn heal(&mut self, link: &Link, now: Nanos) {
        let Some((key, _)) = self.named(link) else { return };
        let (from, to) = (link.from.clone(), link.to.clone());
        self.faults.retain(|pending| {
            let ends = (&pending.fault.link.from, &pending.fault.link.to);
            ends != (&from, &to) && ends != (&to, &from)
        });
        let Some(state) = self.links.get_mut(&key) else { return };
        for lane in &mut state.lanes {
            for (due, segment) in lane.heal(now) {
                self.queue.insert((due, self.sequence), segment);
                self.sequence += 1;
            }
        }
    }

    /// Remembers connections whose owners are gone, and gives up those that waited long enough.
    fn note_orphans(&mut self, now: Nanos, sockets: &Sockets) {
        for tuple in sockets.take_orphans() {
            self.orphans.begin(tuple, now);
        }
        while let Some(tuple) = self.orphans.pop_over(now) {
            if self.still_sending(tuple) {
                self.orphans.begin(tuple, now);
                continue;
            }
            self.flows.remove(&tuple);
            for link in self.links.values_mut() {
                link.open.remove(&tuple);
                link.lanes.iter_mut().for_each(|lane| lane.forget(tuple));
            }
            if !sockets.is_live(tuple) {
                self.kernel.deliver(Segment::reset((tuple.1, tuple.0), 0, 0));
            }
        }
    }

    /// Whether a closed connection has bytes or a FIN that were not acknowledged: only what waits for the other end's FIN is given up.
    fn still_sending(&self, (local, remote): Tuple) -> bool {
        let Some(owner) = self.topology.owner(*local.ip()) else { return false };
        let Some(address) = self.topology.get(owner).addresses.first() else { return false };
        self.kernel.netstat(*address).into_iter().any(|(state, l, r)| {
            l == local.into()
                && r == Some(remote.into())
                && matches!(state, "FIN_WAIT1" | "LAST_ACK" | "CLOSING")
        })
    }
}

impl LinkState {
    /// Keeps track of which connections are open.
    fn follow(&mut self, segment: &Segment) {
        let (from, to) = (segment.sender(), segment.receiver());
        if segment.flags.opens() {
            self.open.insert(from, (false, false));
        } else if segment.flags.has(Flags::RST) {
            self.open.remove(&from);
            self.open.remove(&to);
        } else if segment.flags.has(Flags::FIN) {
            let opener = if self.open.contains_key(&from) { from } else { to };
            let Some(fins) = self.open.get_mut(&opener) else { return };
            if opener == from {
                fins.0 = true;
            } else {
                fins.1 = true;
            }
            if *fins == (true, true) {
                self.open.remove(&opener);
            }
        }
    }
}
