//! Links, and what is done to them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A link between two hosts: `A->B` where each is `POD` (the app's host) or `POD.proxy`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// From.
    pub from: String,
    /// To.
    pub to: String,
}

impl std::fmt::Display for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}->{}", self.from, self.to)
    }
}

/// A condition on a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which.
    pub link: Link,
    /// In which direction of the link.
    pub direction: Direction,
    /// What.
    pub condition: Condition,
    /// When it begins.
    pub when: When,
}

/// Direction of a fault, seen from the link's `from`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Both (default).
    Both,
    /// From the first to the second.
    Forward,
    /// Back.
    Back,
}

/// When a fault begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// `now`.
    Now,
    /// `after: 3s` from the step on; the next step does not wait for it.
    After(Duration),
    /// `after_bytes: 1000` have crossed the link in the fault's direction(s), counted from the step on.
    AfterBytes(u64),
}

/// What a link does to its packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// `latency: 5ms`.
    Latency(Latency),
    /// `bandwidth: 1MiB` a second.
    Bandwidth(u64),
    /// `segment: 1`: no packet carries more payload bytes than this.
    Segment(u32),
    /// `loss: 5` percent of the packets with payload, SYN or FIN are lost and sent again: the delay that costs (200 ms, doubling).
    Loss(u8),
    /// `hold: true`: packets wait until the link is healed, then come at once, in order.
    Hold,
    /// `blackhole: true`: packets vanish; senders retransmit with doubling intervals, so that after healing they come, late.
    Blackhole,
    /// `refuse: true`: a SYN is answered with RST; open connections go on.
    Refuse,
    /// `reset: now`: each open connection over the link gets a RST at both ends. Happens once.
    Reset,
}

/// One-way delay of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Latency {
    /// Always the same.
    Fixed(Duration),
    /// `{from: 1ms, to: 9ms}`, uniform, both ends included, whole milliseconds.
    Range(Duration, Duration),
    /// `{tail: {p50: 1ms, p99: 200ms}}`: p50 half the time, up to p99 for 49 of 100, five times p99 for one in 100.
    Tail {
        /// Half of the packets take this long.
        p50: Duration,
        /// 99 of 100 at most this long.
        p99: Duration,
    },
}
