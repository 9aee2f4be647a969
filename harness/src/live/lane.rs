//! One direction of a link: what becomes of what enters it.

use std::time::Duration;

use tokio::time::Instant;

use crate::language::{Condition, Latency};
use crate::sim::random::{Draws, Random};

/// What a lost packet costs: Linux's least retransmission timeout.
const RTO: Duration = Duration::from_millis(200);

/// One direction of a link.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) latency: Option<Latency>,
    pub(super) bandwidth: Option<u64>,
    pub(super) segment: Option<u32>,
    pub(super) loss: Option<u8>,
    /// `hold` or `blackhole`.
    pub(super) shut: bool,
    chance: Random,
    /// When the line is free again (bandwidth).
    free: Instant,
    pub(super) bytes: u64,
}

impl Lane {
    pub(super) fn new(seed: u64, name: &str) -> Self {
        Self {
            latency: None,
            bandwidth: None,
            segment: None,
            loss: None,
            shut: false,
            chance: Random::new(seed, name, Draws::default()),
            free: Instant::now(),
            bytes: 0,
        }
    }

    pub(super) fn set(&mut self, condition: &Condition) {
        match condition {
            Condition::Latency(latency) => self.latency = Some(*latency),
            Condition::Bandwidth(bytes) => self.bandwidth = Some(*bytes),
            Condition::Segment(bytes) => self.segment = Some(*bytes),
            Condition::Loss(percent) => self.loss = Some(*percent),
            Condition::Hold | Condition::Blackhole => self.shut = true,
            // Of the link as a whole.
            Condition::Refuse | Condition::Reset => {}
        }
    }

    pub(super) fn heal(&mut self) {
        (self.latency, self.bandwidth, self.segment, self.loss) = (None, None, None, None);
        self.shut = false;
    }

    /// When a piece that enters now arrives. In what order pieces of one connection do is the relay's business.
    pub(super) fn due(&mut self, bytes: usize) -> Instant {
        let now = Instant::now();
        let mut due = now;
        if let Some(bandwidth) = self.bandwidth {
            let nanos = (bytes as u64).saturating_mul(1_000_000_000) / bandwidth.max(1);
            self.free = self.free.max(now) + Duration::from_nanos(nanos);
            due = self.free;
        }
        if let Some(latency) = self.latency {
            due += self.delay(latency);
        }
        if let Some(percent) = self.loss {
            let mut rto = RTO;
            while self.chance.below(100) < u64::from(percent.min(99)) {
                due += rto;
                rto *= 2;
            }
        }
        due
    }

    fn delay(&mut self, latency: Latency) -> Duration {
        match latency {
            Latency::Fixed(delay) => delay,
            Latency::Range(from, to) => {
                let steps = u64::try_from(to.saturating_sub(from).as_millis()).unwrap_or(u64::MAX);
                from + Duration::from_millis(self.chance.below(steps.saturating_add(1)))
            }
            Latency::Tail { p50, p99 } => match self.chance.below(100) {
                0..50 => p50,
                50..99 => p99,
                _ => p99 * 5,
            },
        }
    }
}
