//! The packet trace of a run: its hashes, and the packets themselves within bounds.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use super::digest::Digest;
use super::run::Watched;
use super::segment::Segment;
use crate::language::Link;
use crate::observe::Nanos;
use crate::observe::wire::{Capture, CapturedPacket};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Digests of a packet trace, hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceHash {
    /// BLAKE3 over (time, source, destination, flags, seq, ack, window, payload) of each packet that entered a link; empty if it was not taken.
    pub packets: String,
    /// BLAKE3 over (time, link, direction, flags, length) alone: tells schedules apart whatever the bytes.
    pub schedule: String,
    /// How many packets.
    pub count: u64,
}

/// Collects packets as they enter links.
#[derive(Debug)]
pub(super) struct Recorder {
    capture: Capture,
    watched: Watched,
    /// By the index of a link: whether its packets are kept.
    keeps: Vec<bool>,
    packets: Digest,
    schedule: Digest,
    count: u64,
    /// Payload bytes kept so far, by flow.
    kept: BTreeMap<(u32, SocketAddrV4, SocketAddrV4), u64>,
}

impl Recorder {
    pub(super) fn new(bound: u64, watched: Watched) -> Self {
        Self {
            capture: Capture { bound, ..Capture::default() },
            watched,
            keeps: Vec::new(),
            packets: Digest::default(),
            schedule: Digest::default(),
            count: 0,
            kept: BTreeMap::new(),
        }
    }

    /// Registers a link and returns its index.
    pub(super) fn link(&mut self, link: Link) -> u32 {
        self.keeps.push(match &self.watched {
            Watched::Everything => true,
            Watched::Links(links) => links
                .iter()
                .any(|watched| *watched == link || (&watched.from, &watched.to) == (&link.to, &link.from)),
        });
        self.capture.links.push(link);
        u32::try_from(self.capture.links.len() - 1).unwrap_or(u32::MAX)
    }

    /// Notes a packet that enters a link.
    pub(super) fn packet(&mut self, at: Nanos, link: u32, forward: bool, segment: &Segment, dropped: bool) {
        self.count += 1;
        let len = u32::try_from(segment.payload.len()).unwrap_or(u32::MAX);
        let mut shape = [0_u8; 18];
        shape[0..8].copy_from_slice(&at.to_le_bytes());
        shape[8..12].copy_from_slice(&link.to_le_bytes());
        shape[12] = u8::from(forward);
        shape[13] = segment.flags.0;
        shape[14..18].copy_from_slice(&len.to_le_bytes());
        self.schedule.update(&shape);
        if self.watched == Watched::Everything {
            self.digest(at, segment, dropped, len);
        }
        if !self.keeps.get(link as usize).is_some_and(|keeps| *keeps) {
            return;
        }
        let payload = self.keep(link, segment);
        self.capture.packets.push(CapturedPacket {
            at,
            link,
            forward,
            src: segment.src,
            dst: segment.dst,
            seq: segment.seq,
            ack: segment.ack,
            flags: segment.flags.0,
            window: segment.window,
            len,
            payload,
            dropped,
        });
    }

    fn digest(&mut self, at: Nanos, segment: &Segment, dropped: bool, len: u32) {
        let mut header = [0_u8; 36];
        header[0..8].copy_from_slice(&at.to_le_bytes());
        header[8..12].copy_from_slice(&segment.src.ip().octets());
        header[12..14].copy_from_slice(&segment.src.port().to_le_bytes());
        header[14..18].copy_from_slice(&segment.dst.ip().octets());
        header[18..20].copy_from_slice(&segment.dst.port().to_le_bytes());
        header[20] = segment.flags.0;
        header[21] = u8::from(dropped);
        header[22..26].copy_from_slice(&segment.seq.to_le_bytes());
        header[26..30].copy_from_slice(&segment.ack.to_le_bytes());
        header[30..32].copy_from_slice(&segment.window.to_le_bytes());
        header[32..36].copy_from_slice(&len.to_le_bytes());
        self.packets.update(&header);
        self.packets.update(&segment.payload);
    }

    /// The payload, if its flow is still within the bound.
    fn keep(&mut self, link: u32, segment: &Segment) -> Bytes {
        if segment.payload.is_empty() {
            return Bytes::new();
        }
        let kept = self.kept.entry((link, segment.src, segment.dst)).or_default();
        *kept += segment.payload.len() as u64;
        if *kept > self.capture.bound { Bytes::new() } else { segment.payload.clone() }
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Ends the recording.
    pub(super) fn finish(self) -> (Capture, TraceHash) {
        let packets = match self.watched {
            Watched::Everything => self.packets.finish(),
            Watched::Links(_) => String::new(),
        };
        let hash = TraceHash { packets, schedule: self.schedule.finish(), count: self.count };
        (self.capture, hash)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::sim::segment::Flags;

    /// One packet over each of two links.
    fn recorded(watched: Watched) -> (Capture, TraceHash) {
        let mut recorder = Recorder::new(100, watched);
        let end = |port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        for (from, to) in [("a", "b"), ("c", "d")] {
            let link = recorder.link(Link { from: from.into(), to: to.into() });
            let (src, dst, payload) = (end(1), end(2), Bytes::from_static(b"x"));
            let flags = Flags(Flags::ACK);
            recorder.packet(
                7,
                link,
                true,
                &Segment { src, dst, seq: 1, ack: 1, flags, window: 9, payload },
                false,
            );
        }
        recorder.finish()
    }

    #[test]
    fn only_what_is_watched_is_kept_and_the_schedule_is_the_same() {
        let (all, whole) = recorded(Watched::Everything);
        assert_eq!((all.packets.len(), whole.count), (2, 2));
        // As whoever opens the connection names it.
        let watched = Link { from: "b".into(), to: "a".into() };
        let (some, lean) = recorded(Watched::Links([watched].into()));
        assert_eq!(some.packets.iter().map(|packet| packet.link).collect::<Vec<_>>(), [0]);
        assert_eq!((lean.count, lean.packets.as_str()), (2, ""));
        assert_eq!(lean.schedule, whole.schedule);
        assert!(!whole.packets.is_empty());
    }
}
