//! Connections over a link, as their packets show them.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use serde::{Deserialize, Serialize};

use super::Nanos;
use super::flow::Reassembly;
use super::hexed;
use super::http::HttpView;
use super::tls::{self, KeyLog};
use crate::language::Link;

/// One TCP connection over one link, read from its packets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WireConnection {
    /// The link, from the host that opened it.
    pub link: Link,
    /// When its first SYN left.
    pub opened: Nanos,
    /// Whether the handshake was answered.
    pub established: bool,
    /// SYNs seen.
    pub syns: u32,
    /// Payload bytes from the opener.
    pub bytes: u64,
    /// Payload bytes to the opener.
    pub bytes_back: u64,
    /// What it carries.
    pub layer: Layer,
}

/// What a byte stream is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// Not one byte.
    Empty,
    /// Bytes that are neither TLS nor HTTP; the first of each direction (at most 4 KiB).
    Plain {
        /// From the opener.
        #[serde(with = "hexed")]
        forward: Vec<u8>,
        /// To the opener.
        #[serde(with = "hexed")]
        back: Vec<u8>,
    },
    /// HTTP: a request line or a connection preface came first.
    Http(HttpView),
    /// TLS.
    Tls(Box<TlsView>),
}

/// What a TLS session shows to one who has its secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsView {
    /// SNI of the ClientHello.
    pub sni: Option<String>,
    /// Protocols the ClientHello offers.
    pub alpn: Vec<String>,
    /// Version agreed on; `None` when the server never answered.
    pub version: Option<crate::language::TlsVersion>,
    /// The client's certificate, DER, leaf; `None` when none was sent or the secrets are missing.
    #[serde(with = "hexed::option")]
    pub client_certificate: Option<Vec<u8>>,
    /// The server's certificate.
    #[serde(with = "hexed::option")]
    pub server_certificate: Option<Vec<u8>>,
    /// Whether a session was resumed (then no certificates are on the wire).
    pub resumed: bool,
    /// What is inside, or why that can't be told (`no secrets`, `cipher suite 0x.... not read`, `capture cut at ..`).
    pub inner: Result<Layer, String>,
    /// Alerts seen in clear or decrypted, in order: (from the opener?, description).
    pub alerts: Vec<(bool, u8)>,
}

impl Layer {
    /// Turns the stamps in it, which are places of packets, into times.
    fn date(&mut self, time: &impl Fn(u64) -> Nanos) {
        match self {
            Self::Http(view) => view.date(time),
            Self::Tls(view) => {
                if let Ok(inner) = &mut view.inner {
                    inner.date(time);
                }
            }
            Self::Empty | Self::Plain { .. } => {}
        }
    }
}

/// A packet of the run, as it entered a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapturedPacket {
    /// Virtual time at which it entered the link.
    pub at: Nanos,
    /// Index of the link (see [`Capture::links`]).
    pub link: u32,
    /// Whether it goes from the link's `from` to its `to`.
    pub forward: bool,
    /// Sender.
    pub src: SocketAddrV4,
    /// Receiver.
    pub dst: SocketAddrV4,
    /// TCP sequence number.
    pub seq: u32,
    /// TCP acknowledgement number.
    pub ack: u32,
    /// `FIN 1, SYN 2, RST 4, PSH 8, ACK 16`, as in the TCP header.
    pub flags: u8,
    /// Window.
    pub window: u16,
    /// Payload length on the wire.
    pub len: u32,
    /// Payload; empty where the bound of the flow was reached (then `len` says more).
    pub payload: bytes::Bytes,
    /// Dropped by the link (it never arrived).
    pub dropped: bool,
}

/// All packets of a run and the TLS secrets to read them.
#[derive(Debug, Clone, Default)]
pub struct Capture {
    /// Links, by index: one for each pair of hosts that spoke, named from the host that came first in the scenario.
    pub links: Vec<Link>,
    /// Packets, in order of time.
    pub packets: Vec<CapturedPacket>,
    /// NSS key log lines of mesh TLS and of the apps' own TLS.
    pub key_log: Vec<String>,
    /// Payload bytes kept a flow and direction.
    pub bound: u64,
}

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

/// Reads the connections of a capture over the links that are asked for, in the order in which they were opened. Decryption costs more than all
/// else that is done here, so that nobody asks for what nobody looks at.
///
/// A connection begins with a SYN; its four-tuple may be used again once it is over. A dropped SYN was still an attempt and counts as one, but
/// nothing else that was dropped is seen. Packets of connections whose SYN is not in the capture are left out.
#[must_use]
pub fn read(capture: &Capture, asked: impl Fn(&Link) -> bool) -> Vec<WireConnection> {
    let keys = KeyLog::parse(capture.key_log.iter().map(String::as_str));
    let connections = connections(capture).into_iter();
    connections.filter_map(|connection| connection.finish(capture, &keys, &asked)).collect()
}

/// A connection while its packets are read.
struct Connection {
    /// Index of the link.
    link: u32,
    opener: SocketAddrV4,
    /// Whether the opener is the host that the link is named from.
    named_from_opener: bool,
    opened: Nanos,
    /// Sequence number of the opener's SYN.
    isn: u32,
    syns: u32,
    forward: Reassembly,
    /// Of the answering direction, once it was answered.
    back: Option<Reassembly>,
    /// Directions that were closed: the opener's, the other.
    closed: (bool, bool),
    reset: bool,
}

/// Packets sorted into connections.
fn connections(capture: &Capture) -> Vec<Connection> {
    let mut all: Vec<Connection> = Vec::new();
    // The latest connection of each link and pair of ends, whoever opened it.
    let mut latest: BTreeMap<(u32, SocketAddrV4, SocketAddrV4), usize> = BTreeMap::new();
    for (packet, stamp) in capture.packets.iter().zip(0..) {
        let key = (packet.link, packet.src.min(packet.dst), packet.src.max(packet.dst));
        let known = latest.get(&key).copied();
        if packet.flags & (SYN | ACK) == SYN {
            match known.and_then(|index| all.get_mut(index)).filter(|connection| connection.is_again(packet))
            {
                Some(connection) => connection.syns += 1,
                None => {
                    latest.insert(key, all.len());
                    all.push(Connection::new(packet));
                }
            }
        }
        if let Some(connection) = latest.get(&key).and_then(|index| all.get_mut(*index))
            && !packet.dropped
        {
            connection.packet(packet, stamp);
        }
    }
    all
}

impl Connection {
    fn new(syn: &CapturedPacket) -> Self {
        Self {
            link: syn.link,
            opener: syn.src,
            named_from_opener: syn.forward,
            opened: syn.at,
            isn: syn.seq,
            syns: 1,
            forward: Reassembly::new(syn.seq),
            back: None,
            closed: (false, false),
            reset: false,
        }
    }

    /// Whether a SYN is one of this connection's, sent again.
    fn is_again(&self, syn: &CapturedPacket) -> bool {
        let over = self.reset || self.closed == (true, true);
        !over && syn.src == self.opener && syn.seq == self.isn && self.forward.total() == 0
    }

    fn packet(&mut self, packet: &CapturedPacket, stamp: u64) {
        self.reset |= packet.flags & RST != 0;
        let forward = packet.src == self.opener;
        if packet.flags & FIN != 0 {
            let closed = if forward { &mut self.closed.0 } else { &mut self.closed.1 };
            *closed = true;
        }
        if !forward && packet.flags & (SYN | ACK) == SYN | ACK {
            self.back.get_or_insert_with(|| Reassembly::new(packet.seq));
        }
        // A SYN takes the sequence number before that of its first byte.
        let seq = packet.seq.wrapping_add(u32::from(packet.flags & SYN != 0));
        let direction = if forward { Some(&mut self.forward) } else { self.back.as_mut() };
        if let Some(direction) = direction {
            direction.push(stamp, seq, packet.len, &packet.payload);
        }
    }

    fn finish(
        self,
        capture: &Capture,
        keys: &KeyLog,
        asked: impl Fn(&Link) -> bool,
    ) -> Option<WireConnection> {
        let link = Some(oriented(capture, self.link, self.named_from_opener)).filter(asked)?;
        let established = self.back.is_some();
        let back = self.back.unwrap_or_else(|| Reassembly::new(0));
        let (bytes, bytes_back) = (self.forward.total(), back.total());
        let mut layer = tls::read(&self.forward.finish(), &back.finish(), keys);
        layer.date(&|stamp| {
            let packet = usize::try_from(stamp).ok().and_then(|index| capture.packets.get(index));
            packet.map_or(0, |packet| packet.at)
        });
        Some(WireConnection {
            link,
            opened: self.opened,
            established,
            syns: self.syns,
            bytes,
            bytes_back,
            layer,
        })
    }
}

/// A link, from its other end if not `as_named`.
fn oriented(capture: &Capture, link: u32, as_named: bool) -> Link {
    let named = usize::try_from(link).ok().and_then(|index| capture.links.get(index));
    match named {
        Some(link) if as_named => link.clone(),
        Some(link) => Link { from: link.to.clone(), to: link.from.clone() },
        None => Link { from: String::new(), to: String::new() },
    }
}

#[cfg(test)]
mod tests;
