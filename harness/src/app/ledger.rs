//! What a connection records: its observations in order, and its totals once a step.
//!
//! What passes in pieces (bytes, body data) is recorded once an instant, when the next instant begins.

use super::record::Recorder;
use super::tap::{Meters, SharedMeters};
use crate::observe::observation::{End, Ended, HttpEvent};
use crate::observe::{Nanos, Seen};

/// Bytes shown of a `Sent` or `Received`.
const SHOWN: usize = 64;

/// The records of one connection.
#[derive(Debug)]
pub(super) struct Ledger {
    recorder: Recorder,
    number: u32,
    /// At the socket.
    wire: SharedMeters,
    /// Inside TLS; `None` while that is the same as `wire`.
    inside: Option<Meters>,
    /// What passed at this instant, not recorded yet: at most one of each kind, in order of their first bytes.
    pending: Vec<Pending>,
    /// Totals of this step are recorded.
    settled: bool,
}

/// What passed at one instant.
#[derive(Debug)]
struct Pending {
    at: Nanos,
    kind: Kind,
    bytes: u64,
    head: Vec<u8>,
}

/// What can pass in pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sent,
    Received,
    /// Body data that came in this exchange.
    Body(u32),
}

impl Ledger {
    pub(super) fn new(recorder: Recorder, number: u32) -> Self {
        let wire = SharedMeters::default();
        Self { recorder, number, wire, inside: None, pending: Vec::new(), settled: false }
    }

    /// The connection's number within pod, role and step.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// The account that the tap keeps.
    pub(super) fn wire(&self) -> SharedMeters {
        self.wire.clone()
    }

    /// From here on what passes inside is not what passes at the socket.
    pub(super) fn tls_begins(&mut self) {
        self.record_pending();
        if self.inside.is_none() {
            self.inside = Some(self.wire.lock().clone());
        }
    }

    /// Goes on in the name of another step, with fresh totals inside TLS.
    pub(super) fn adopt(&mut self, recorder: Recorder) {
        self.recorder = recorder;
        self.inside = Some(Meters::default());
        self.settled = false;
    }

    /// Records something, after what passed before it.
    pub(super) fn see(&mut self, seen: Seen) {
        self.record_pending();
        self.recorder.see(Some(self.number), seen);
    }

    /// Takes bytes of the script into account.
    pub(super) fn passed(&mut self, sent: bool, data: &[u8]) {
        if let Some(meters) = &mut self.inside {
            let meter = if sent { &mut meters.sent } else { &mut meters.received };
            meter.count(data);
        }
        let kind = if sent { Kind::Sent } else { Kind::Received };
        self.add(kind, data.len() as u64, data);
    }

    /// Takes body data of an exchange into account, that came.
    pub(super) fn came(&mut self, exchange: u32, bytes: u64) {
        self.add(Kind::Body(exchange), bytes, &[]);
    }

    fn add(&mut self, kind: Kind, bytes: u64, shown: &[u8]) {
        let at = self.recorder.now();
        self.record_older(at);
        let index = self.pending.iter().position(|pending| pending.kind == kind).unwrap_or_else(|| {
            self.pending.push(Pending { at, kind, bytes: 0, head: Vec::new() });
            self.pending.len() - 1
        });
        let pending = &mut self.pending[index];
        pending.bytes += bytes;
        let room = SHOWN.saturating_sub(pending.head.len()).min(shown.len());
        pending.head.extend_from_slice(&shown[..room]);
    }

    /// Records an event of an exchange, after the body data of it that came before. Bytes of this instant stay together: an exchange would
    /// tear them into one record for each event.
    pub(super) fn see_exchange(&mut self, exchange: u32, event: HttpEvent) {
        self.record_older(self.recorder.now());
        if let Some(index) = self.pending.iter().position(|pending| pending.kind == Kind::Body(exchange)) {
            let pending = self.pending.remove(index);
            self.record(pending);
        }
        self.recorder.see(Some(self.number), Seen::Http { exchange, event });
    }

    /// Records the totals, once a step.
    pub(super) fn totals(&mut self, end: End, done: bool) {
        if std::mem::replace(&mut self.settled, true) {
            return;
        }
        let ended = {
            let wire = self.wire.lock();
            let (wire_sent, wire_received) = (wire.sent.flow(), wire.received.flow());
            let (sent, received) = match &self.inside {
                Some(inside) => (inside.sent.flow(), inside.received.flow()),
                None => (wire_sent.clone(), wire_received.clone()),
            };
            Ended { end, done, wire_sent, wire_received, sent, received }
        };
        self.see(Seen::Ended(ended));
    }

    /// Records what passed before this instant.
    fn record_older(&mut self, now: Nanos) {
        if self.pending.iter().any(|pending| pending.at != now) {
            self.record_pending();
        }
    }

    fn record_pending(&mut self) {
        for pending in std::mem::take(&mut self.pending) {
            self.record(pending);
        }
    }

    fn record(&self, pending: Pending) {
        let Pending { at, kind, bytes, head } = pending;
        let head = String::from_utf8_lossy(&head).into_owned();
        let seen = match kind {
            Kind::Sent => Seen::Sent { bytes, head },
            Kind::Received => Seen::Received { bytes, head },
            Kind::Body(exchange) => Seen::Http { exchange, event: HttpEvent::Piece { bytes } },
        };
        self.recorder.see_at(at, Some(self.number), seen);
    }
}
