//! Connections over a link, as their packets show them.

use serde::{Deserialize, Serialize};

use super::Nanos;
use crate::scenario::Link;

/// One TCP connection over one link, read from its packets.
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layer {
    /// Not one byte.
    Empty,
    /// Bytes that are no TLS; the first of each direction (at most 4 KiB).
    Plain {
        /// From the opener.
        forward: Vec<u8>,
        /// To the opener.
        back: Vec<u8>,
    },
    /// TLS.
    Tls(Box<TlsView>),
}

/// What a TLS session shows to one who has its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsView {
    /// SNI of the ClientHello.
    pub sni: Option<String>,
    /// Protocols the ClientHello offers.
    pub alpn: Vec<String>,
    /// Version agreed on; `None` when the server never answered.
    pub version: Option<crate::app::tls::TlsVersion>,
    /// The client's certificate, DER, leaf; `None` when none was sent or the secrets are missing.
    pub client_certificate: Option<Vec<u8>>,
    /// The server's certificate.
    pub server_certificate: Option<Vec<u8>>,
    /// Whether a session was resumed (then no certificates are on the wire).
    pub resumed: bool,
    /// What is inside, or why that can't be told (`no secrets`, `cipher suite 0x.... not read`, `capture cut at ..`).
    pub inner: Result<Layer, String>,
    /// Alerts seen in clear or decrypted, in order: (from the opener?, description).
    pub alerts: Vec<(bool, u8)>,
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
    pub src: std::net::SocketAddrV4,
    /// Receiver.
    pub dst: std::net::SocketAddrV4,
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
