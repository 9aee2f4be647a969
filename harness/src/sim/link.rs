//! Links: what happens to a packet between two hosts.
//!
//! A link delays, cuts, holds, swallows or refuses packets; it never reorders the packets of a flow, since the kernel's receiver drops what
//! comes out of order. A lost packet is the delay that its retransmission costs.

use std::collections::BTreeMap;
use std::time::Duration;

use super::random::{Draws, Random};
use super::segment::{Flags, Segment, Tuple};
use super::topology::Kind;
use crate::language::{Condition, Direction, Latency};
use crate::observe::Nanos;

/// Linux's first retransmission timeout, and the bounds of its doubling (tcp(7), RFC 6298 with Linux's minimum).
const RTO: Duration = Duration::from_millis(200);
const RTO_SYN: Duration = Duration::from_secs(1);
const RTO_MAX: Duration = Duration::from_secs(120);
/// IPv4 and TCP headers, which bandwidth carries too.
const HEADERS: u64 = 40;

/// One direction of a link.
#[derive(Debug)]
pub(super) struct Lane {
    base: Latency,
    latency: Option<Latency>,
    bandwidth: Option<u64>,
    segment: Option<u32>,
    loss: Option<u8>,
    hold: bool,
    blackhole: bool,
    refuse: bool,
    delays: Random,
    losses: Random,
    /// When the last packet of each flow arrives.
    last: BTreeMap<Tuple, Nanos>,
    /// When the line is free again (bandwidth).
    free: Nanos,
    held: Vec<(Nanos, Segment)>,
    /// Payload bytes that entered.
    pub(super) bytes: u64,
}

/// What becomes of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// It arrives at this time.
    At(Nanos),
    /// It waits in the lane.
    Held,
    /// It is a SYN that is answered with a RST.
    Refused,
}

impl Lane {
    /// A lane between hosts of these kinds, before any fault: some jitter, so that seeds tell schedules apart.
    pub(super) fn new(seed: u64, name: &str, ends: (Kind, Kind), draws: &Draws) -> Self {
        let ms = Duration::from_millis;
        let base = match ends {
            // Within a machine.
            (Kind::App, Kind::Sidecar) | (Kind::Sidecar, Kind::App) => Latency::Range(ms(0), ms(1)),
            (Kind::World, _) | (_, Kind::World) => Latency::Fixed(ms(0)),
            // Between machines of a zone.
            _ => Latency::Range(ms(1), ms(3)),
        };
        Self {
            base,
            latency: None,
            bandwidth: None,
            segment: None,
            loss: None,
            hold: false,
            blackhole: false,
            refuse: false,
            delays: Random::new(seed, &format!("link/{name}/latency"), draws.clone()),
            losses: Random::new(seed, &format!("link/{name}/loss"), draws.clone()),
            last: BTreeMap::new(),
            free: 0,
            held: Vec::new(),
            bytes: 0,
        }
    }

    /// Sets a condition. `Reset` is an event, not a state: the scheduler's.
    pub(super) fn set(&mut self, condition: &Condition) {
        match condition {
            Condition::Latency(latency) => self.latency = Some(*latency),
            Condition::Bandwidth(bytes) => self.bandwidth = Some(*bytes),
            Condition::Segment(bytes) => self.segment = Some(*bytes),
            Condition::Loss(percent) => self.loss = Some(*percent),
            Condition::Hold => self.hold = true,
            Condition::Blackhole => self.blackhole = true,
            Condition::Refuse => self.refuse = true,
            Condition::Reset => {}
        }
    }

    /// Undoes all conditions; returns held packets with the time they arrive.
    pub(super) fn heal(&mut self, now: Nanos) -> Vec<(Nanos, Segment)> {
        let swallowed = std::mem::take(&mut self.blackhole);
        (self.latency, self.bandwidth, self.segment, self.loss) = (None, None, None, None);
        (self.hold, self.refuse) = (false, false);
        std::mem::take(&mut self.held)
            .into_iter()
            .map(|(sent, segment)| {
                let due = if swallowed { retransmitted(sent, now, segment.flags.opens()) } else { now };
                (self.in_order(&segment, due), segment)
            })
            .collect()
    }

    /// Cuts a packet into the sizes this lane carries.
    pub(super) fn cut(&self, segment: Segment) -> Pieces {
        let most = self.segment.map_or(usize::MAX, |bytes| bytes.max(1) as usize);
        Pieces { rest: Some(segment), most }
    }

    /// Whether the lane swallows what enters it.
    pub(super) fn swallows(&self) -> bool {
        self.blackhole
    }

    /// Decides about a packet that enters now.
    pub(super) fn fate(&mut self, now: Nanos, segment: &Segment) -> Fate {
        self.bytes += segment.payload.len() as u64;
        if self.refuse && segment.flags.opens() {
            return Fate::Refused;
        }
        if self.hold || self.blackhole {
            self.held.push((now, segment.clone()));
            return Fate::Held;
        }
        let mut due = now + self.serialisation(now, segment) + self.delay();
        let counts = !segment.payload.is_empty() || segment.flags.has(Flags::SYN | Flags::FIN);
        if let Some(percent) = self.loss.filter(|_| counts) {
            let mut rto = if segment.flags.has(Flags::SYN) { RTO_SYN } else { RTO };
            while self.losses.below(100) < u64::from(percent.min(99)) {
                due += nanos(rto);
                rto = (rto * 2).min(RTO_MAX);
            }
        }
        Fate::At(self.in_order(segment, due))
    }

    /// Forgets a flow that is over.
    pub(super) fn forget(&mut self, flow: Tuple) {
        self.last.remove(&flow);
    }

    /// Not before the flow's packet before it, and in whole milliseconds, which is the clock's resolution.
    fn in_order(&mut self, segment: &Segment, due: Nanos) -> Nanos {
        let due = due.div_ceil(1_000_000) * 1_000_000;
        let last = self.last.entry(segment.sender()).or_default();
        *last = due.max(*last);
        *last
    }

    fn serialisation(&mut self, now: Nanos, segment: &Segment) -> Nanos {
        let Some(bandwidth) = self.bandwidth else { return 0 };
        let bytes = segment.payload.len() as u64 + HEADERS;
        self.free = self.free.max(now) + bytes.saturating_mul(1_000_000_000) / bandwidth.max(1);
        self.free - now
    }

    fn delay(&mut self) -> Nanos {
        match self.latency.unwrap_or(self.base) {
            Latency::Fixed(delay) => nanos(delay),
            Latency::Range(from, to) => {
                let steps = u64::try_from(to.saturating_sub(from).as_millis()).unwrap_or(u64::MAX);
                nanos(from) + self.delays.below(steps.saturating_add(1)) * 1_000_000
            }
            Latency::Tail { p50, p99 } => match self.delays.below(100) {
                0..50 => nanos(p50),
                lot @ 50..99 => nanos(p50) + (nanos(p99).saturating_sub(nanos(p50))) / 49 * (lot - 49),
                _ => nanos(p99) * 5,
            },
        }
    }
}

/// A packet being cut. Most are not: nothing is allocated for them.
#[derive(Debug)]
pub(super) struct Pieces {
    rest: Option<Segment>,
    most: usize,
}

impl Iterator for Pieces {
    type Item = Segment;

    fn next(&mut self) -> Option<Segment> {
        let rest = self.rest.as_mut().filter(|rest| rest.payload.len() > self.most);
        let Some(rest) = rest else { return self.rest.take() };
        let payload = rest.payload.split_to(self.most);
        let seq = rest.seq;
        rest.seq = rest.seq.wrapping_add(u32::try_from(self.most).unwrap_or(u32::MAX));
        // FIN rides on the last piece only.
        Some(Segment { seq, payload, flags: Flags(rest.flags.0 & !Flags::FIN), ..rest.clone() })
    }
}

/// Directions that a fault's direction means: (forward, back).
pub(super) fn lanes(direction: Direction) -> (bool, bool) {
    match direction {
        Direction::Both => (true, true),
        Direction::Forward => (true, false),
        Direction::Back => (false, true),
    }
}

/// When a sender whose packet was swallowed at `sent` tries again first after `healed`: intervals double.
fn retransmitted(sent: Nanos, healed: Nanos, syn: bool) -> Nanos {
    let mut rto = if syn { RTO_SYN } else { RTO };
    let mut due = sent;
    while due < healed {
        due += nanos(rto);
        rto = (rto * 2).min(RTO_MAX);
    }
    due
}

fn nanos(duration: Duration) -> Nanos {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Which of a link's two lanes: (forward, back), stored by direction.
pub(super) type LanePair = [Lane; 2];

/// The index of a direction in a [`LanePair`].
pub(super) fn lane(forward: bool) -> usize {
    usize::from(!forward)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddrV4;

    use bytes::Bytes;

    use super::*;

    fn segment(flags: u8, payload: &'static [u8]) -> Segment {
        let at = |ip| SocketAddrV4::new([10, 0, 0, ip].into(), 1000);
        let payload = Bytes::from_static(payload);
        Segment { src: at(1), dst: at(2), seq: 7, ack: 0, flags: Flags(flags), window: 0, payload }
    }

    fn new() -> Lane {
        Lane::new(0, "test", (Kind::Sidecar, Kind::Sidecar), &Draws::default())
    }

    const MS: u64 = 1_000_000;

    #[test]
    fn a_flow_is_never_reordered_whatever_the_latency() {
        let mut lane = new();
        lane.set(&Condition::Latency(Latency::Range(Duration::ZERO, Duration::from_millis(50))));
        let mut last = 0;
        for i in 0..200 {
            let Fate::At(due) = lane.fate(i * MS, &segment(Flags::ACK, b"x")) else { panic!("not sent") };
            assert!(due >= last && due >= i * MS);
            last = due;
        }
    }

    #[test]
    fn bandwidth_spaces_packets_by_their_size() {
        let mut lane = new();
        lane.set(&Condition::Latency(Latency::Fixed(Duration::ZERO)));
        lane.set(&Condition::Bandwidth(50_000));
        let due: Vec<_> = (0..3).map(|_| lane.fate(0, &segment(Flags::ACK, &[0; 460]))).collect();
        // 460 bytes and 40 of headers at 50,000 bytes a second are 10 ms.
        assert_eq!(due, [Fate::At(10 * MS), Fate::At(20 * MS), Fate::At(30 * MS)]);
    }

    #[test]
    fn a_cut_packet_keeps_bytes_and_sequence() {
        let mut lane = new();
        lane.set(&Condition::Segment(2));
        let pieces = lane.cut(segment(Flags::ACK | Flags::PSH, b"hello"));
        let pieces: Vec<_> = pieces.map(|s| (s.seq, s.payload)).collect();
        assert_eq!(pieces, [(7, "he".into()), (9, "ll".into()), (11, Bytes::from("o"))]);
    }

    #[test]
    fn held_packets_come_at_once_swallowed_ones_when_they_are_sent_again() {
        for (condition, expected) in [(Condition::Hold, 1000), (Condition::Blackhole, 1400)] {
            let mut lane = new();
            lane.set(&condition);
            assert_eq!(lane.fate(0, &segment(Flags::ACK, b"x")), Fate::Held);
            // Sent at 0, again at 200, 600, 1400 ms; healed at 1000 ms.
            let healed = lane.heal(1000 * MS);
            assert_eq!(healed.into_iter().map(|(due, _)| due / MS).collect::<Vec<_>>(), [expected]);
        }
    }

    #[test]
    fn loss_costs_a_doubling_timeout_and_spares_bare_acknowledgements() {
        let mut lane = new();
        lane.set(&Condition::Latency(Latency::Fixed(Duration::ZERO)));
        lane.set(&Condition::Loss(60));
        let mut seen = std::collections::BTreeSet::new();
        for i in 0..100 {
            let mut other = segment(Flags::ACK, b"x");
            other.src.set_port(i);
            let Fate::At(due) = lane.fate(0, &other) else { panic!("not sent") };
            seen.insert(due / MS);
        }
        assert!([0, 200, 600, 1400].iter().all(|ms| seen.contains(ms)), "{seen:?}");
        let mut ack = segment(Flags::ACK, b"");
        ack.src.set_port(5000);
        assert_eq!(lane.fate(0, &ack), Fate::At(0));
    }

    #[test]
    fn a_refusing_lane_refuses_syns_alone() {
        let mut lane = new();
        lane.set(&Condition::Refuse);
        assert_eq!(lane.fate(0, &segment(Flags::SYN, b"")), Fate::Refused);
        assert!(matches!(lane.fate(0, &segment(Flags::ACK, b"x")), Fate::At(_)));
    }
}
