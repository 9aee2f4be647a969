//! What a connection records: its observations in order, and its totals once a step.

use super::record::Recorder;
use super::tap::{Meters, SharedMeters};
use crate::observe::observation::{End, Ended};
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
    /// Sent and received at this instant, not recorded yet: at most one of each, in order of their first bytes.
    pending: Vec<Pending>,
    /// Totals of this step are recorded.
    settled: bool,
}

/// Bytes of one direction at one instant.
#[derive(Debug)]
struct Pending {
    at: Nanos,
    sent: bool,
    bytes: u64,
    head: Vec<u8>,
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
        let at = self.recorder.now();
        if self.pending.iter().any(|pending| pending.at != at) {
            self.record_pending();
        }
        let index = self.pending.iter().position(|pending| pending.sent == sent).unwrap_or_else(|| {
            self.pending.push(Pending { at, sent, bytes: 0, head: Vec::new() });
            self.pending.len() - 1
        });
        let pending = &mut self.pending[index];
        pending.bytes += data.len() as u64;
        let room = SHOWN.saturating_sub(pending.head.len()).min(data.len());
        pending.head.extend_from_slice(&data[..room]);
    }

    /// Records the totals, once a step.
    pub(super) fn totals(&mut self, end: End, done: bool) {
        if std::mem::replace(&mut self.settled, true) {
            return;
        }
        let ended = {
            let wire = self.wire.lock();
            let inside = self.inside.as_ref().unwrap_or(&wire);
            Ended {
                end,
                done,
                wire_sent: wire.sent.flow(),
                wire_received: wire.received.flow(),
                sent: inside.sent.flow(),
                received: inside.received.flow(),
            }
        };
        self.see(Seen::Ended(ended));
    }

    fn record_pending(&mut self) {
        for pending in std::mem::take(&mut self.pending) {
            let Pending { at, sent, bytes, head } = pending;
            let head = String::from_utf8_lossy(&head).into_owned();
            let seen = if sent { Seen::Sent { bytes, head } } else { Seen::Received { bytes, head } };
            self.recorder.see_at(at, Some(self.number), seen);
        }
    }
}
