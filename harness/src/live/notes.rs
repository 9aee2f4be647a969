//! What passes relays, noted as the packets it would be: SYN, data, FIN, RST, with sequence numbers from 0.
//!
//! The readers of captures, Wireshark among them, then read a live world as they read the simulator's. Nothing is told of acknowledgements and
//! windows: those are the kernel's, and no relay sees them.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use bytes::Bytes;

use crate::language::Link;
use crate::observe::Nanos;
use crate::observe::wire::{Capture, CapturedPacket};

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const PSH: u8 = 8;
const ACK: u8 = 16;

/// The ends of a connection, the opener first.
type Ends = (SocketAddrV4, SocketAddrV4);

/// Packets, as they are noted.
#[derive(Debug)]
pub(super) struct Notes {
    capture: Capture,
    /// Payload bytes of each direction so far: (from the opener, to it).
    passed: BTreeMap<(u32, Ends), (u64, u64)>,
}

impl Notes {
    /// Keeps at most `bound` payload bytes of each direction of a connection.
    pub(super) fn new(bound: u64) -> Self {
        Self { capture: Capture { bound, ..Capture::default() }, passed: BTreeMap::new() }
    }

    /// A new link's index.
    pub(super) fn link(&mut self, link: Link) -> u32 {
        self.capture.links.push(link);
        u32::try_from(self.capture.links.len() - 1).unwrap_or(u32::MAX)
    }

    /// The opener calls. `forward`: in the direction that the link is named in.
    pub(super) fn syn(&mut self, at: Nanos, link: u32, forward: bool, ends: Ends) {
        self.passed.insert((link, ends), (0, 0));
        self.push(CapturedPacket { seq: 0, ..packet(at, link, forward, ends, SYN) });
    }

    /// The other end takes the call.
    pub(super) fn syn_ack(&mut self, at: Nanos, link: u32, opener_is_forward: bool, (opener, other): Ends) {
        let answer = packet(at, link, !opener_is_forward, (other, opener), SYN | ACK);
        self.push(CapturedPacket { ack: 1, ..answer });
    }

    /// Bytes pass.
    pub(super) fn data(
        &mut self,
        at: Nanos,
        link: u32,
        forward: bool,
        ends: Ends,
        from_opener: bool,
        bytes: &Bytes,
    ) {
        let passed = self.passed.entry((link, ends)).or_default();
        let (own, other) = if from_opener { (&mut passed.0, passed.1) } else { (&mut passed.1, passed.0) };
        let seq = sequence(*own);
        *own += bytes.len() as u64;
        let payload = if *own > self.capture.bound { Bytes::new() } else { bytes.clone() };
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let bare = packet(at, link, forward, ordered(ends, from_opener), PSH | ACK);
        self.push(CapturedPacket { seq, ack: sequence(other), len, payload, ..bare });
    }

    /// A direction ends, or the connection is reset.
    pub(super) fn end(
        &mut self,
        at: Nanos,
        link: u32,
        forward: bool,
        ends: Ends,
        from_opener: bool,
        reset: bool,
    ) {
        let (out, back) = self.passed.get(&(link, ends)).copied().unwrap_or_default();
        let (own, other) = if from_opener { (out, back) } else { (back, out) };
        let flags = if reset { RST | ACK } else { FIN | ACK };
        let bare = packet(at, link, forward, ordered(ends, from_opener), flags);
        self.push(CapturedPacket { seq: sequence(own), ack: sequence(other), ..bare });
    }

    fn push(&mut self, packet: CapturedPacket) {
        self.capture.packets.push(packet);
    }

    /// All of it.
    pub(super) fn finish(self) -> Capture {
        self.capture
    }
}

/// The sequence number behind the SYN and so many bytes; it wraps, as on the wire.
fn sequence(passed: u64) -> u32 {
    let [_, _, _, _, a, b, c, d] = passed.wrapping_add(1).to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

fn ordered((opener, other): Ends, from_opener: bool) -> Ends {
    if from_opener { (opener, other) } else { (other, opener) }
}

fn packet(at: Nanos, link: u32, forward: bool, (src, dst): Ends, flags: u8) -> CapturedPacket {
    CapturedPacket {
        at,
        link,
        forward,
        src,
        dst,
        seq: 0,
        ack: 0,
        flags,
        window: u16::MAX,
        len: 0,
        payload: Bytes::new(),
        dropped: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::wire::{self, Layer};

    const ENDS: Ends = (
        SocketAddrV4::new(std::net::Ipv4Addr::new(127, 20, 1, 1), 40000),
        SocketAddrV4::new(std::net::Ipv4Addr::new(127, 20, 2, 1), 10080),
    );

    fn link() -> Link {
        Link { from: "a".into(), to: "b".into() }
    }

    #[test]
    fn what_is_noted_can_be_read_as_a_connection() {
        let mut notes = Notes::new(1 << 20);
        let index = notes.link(link());
        notes.syn(1, index, true, ENDS);
        notes.syn_ack(2, index, true, ENDS);
        notes.data(3, index, true, ENDS, true, &Bytes::from_static(b"ping"));
        notes.data(4, index, false, ENDS, false, &Bytes::from_static(b"pong!"));
        notes.data(5, index, true, ENDS, true, &Bytes::from_static(b"more"));
        notes.end(6, index, true, ENDS, true, false);
        notes.end(7, index, false, ENDS, false, true);
        let connections = wire::read(&notes.finish(), |_| true);
        let [connection] = &connections[..] else { panic!("one connection, not {connections:?}") };
        assert_eq!(connection.link, link());
        assert!(connection.established);
        assert_eq!((connection.syns, connection.bytes, connection.bytes_back), (1, 8, 5));
        let Layer::Plain { forward, back } = &connection.layer else { panic!("{:?}", connection.layer) };
        assert_eq!((&forward[..], &back[..]), (&b"pingmore"[..], &b"pong!"[..]));
    }

    #[test]
    fn a_link_named_from_the_other_end_is_turned() {
        let mut notes = Notes::new(1 << 20);
        let index = notes.link(link());
        notes.syn(1, index, false, ENDS);
        let connections = wire::read(&notes.finish(), |_| true);
        assert_eq!(connections[0].link, Link { from: "b".into(), to: "a".into() });
        assert!(!connections[0].established);
    }
}
