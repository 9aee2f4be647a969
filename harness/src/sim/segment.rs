//! TCP segments as the scheduler and the capture see them.

use std::net::SocketAddrV4;

use bytes::Bytes;

/// Both ends of a connection as one of them sees it: its own address first.
pub(super) type Tuple = (SocketAddrV4, SocketAddrV4);

/// A TCP segment in flight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) src: SocketAddrV4,
    pub(super) dst: SocketAddrV4,
    pub(super) seq: u32,
    pub(super) ack: u32,
    pub(super) flags: Flags,
    pub(super) window: u16,
    pub(super) payload: Bytes,
}

/// Control bits, as in the TCP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Flags(pub(super) u8);

impl Flags {
    pub(super) const FIN: u8 = 1;
    pub(super) const SYN: u8 = 2;
    pub(super) const RST: u8 = 4;
    pub(super) const PSH: u8 = 8;
    pub(super) const ACK: u8 = 16;

    pub(super) fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    /// The first packet of a connection.
    pub(super) fn opens(self) -> bool {
        self.has(Self::SYN) && !self.has(Self::ACK)
    }
}

impl Segment {
    /// A reset of the connection `from` sees.
    pub(super) fn reset(from: Tuple, seq: u32, ack: u32) -> Self {
        let flags = Flags(Flags::RST | Flags::ACK);
        Self { src: from.0, dst: from.1, seq, ack, flags, window: 0, payload: Bytes::new() }
    }

    /// The connection as the receiver sees it.
    pub(super) fn receiver(&self) -> Tuple {
        (self.dst, self.src)
    }

    /// The connection as the sender sees it.
    pub(super) fn sender(&self) -> Tuple {
        (self.src, self.dst)
    }
}
