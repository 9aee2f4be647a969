//! All that a play leaves, in a form to keep, to compare and to hand on.

use std::net::SocketAddrV4;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::expect::{Scrape, SocketCount};
use crate::observe::wire::CapturedPacket;
use crate::observe::{Nanos, Observation};
use crate::sim::capture::TraceHash;
use crate::sim::random;
use crate::suite::CaseResult;

/// Payload bytes shown of a packet.
const HEAD: usize = 24;
/// Packets that are kept: a transfer of gigabytes has millions, and plays that part do so early.
const PACKETS_MAX: usize = 1 << 16;

/// All that a play of a case leaves. Two plays with one seed leave the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trail {
    /// The case.
    pub name: String,
    /// The seed.
    pub seed: u64,
    /// Digests of its packets; `None` when the case broke.
    pub hash: Option<TraceHash>,
    /// Links, `A->B`, by index.
    pub links: Vec<String>,
    /// Its first packets; the digests are of all.
    pub packets: Vec<Packet>,
    /// How many random draws there were.
    pub draw_count: u64,
    /// The last of them.
    pub draws: Vec<Draw>,
    /// What was seen.
    pub observations: Vec<Observation>,
    /// What sidecars answered to scrapes.
    pub scrapes: Vec<Scrape>,
    /// Sockets left.
    pub sockets: Vec<SocketCount>,
    /// The verdict as JSON, one member a line.
    pub verdict: String,
}

/// A packet as it entered a link, with a digest for its payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packet {
    /// Virtual time.
    pub at: Nanos,
    /// Index of the link.
    pub link: u32,
    /// Whether it goes from the link's first host to its second.
    pub forward: bool,
    /// Sender.
    pub src: SocketAddrV4,
    /// Receiver.
    pub dst: SocketAddrV4,
    /// TCP's flags.
    pub flags: u8,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// Window.
    pub window: u16,
    /// Payload length.
    pub len: u32,
    /// The first bytes of the payload.
    pub head: Vec<u8>,
    /// The first bytes of the SHA-256 of the payload as far as it was kept, big-endian.
    pub digest: u64,
    /// Whether the link dropped it.
    pub dropped: bool,
}

/// One random draw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draw {
    /// How many draws the run had made before.
    pub index: u64,
    /// The stream.
    pub stream: String,
    /// The bound.
    pub bound: u64,
    /// The value, below the bound.
    pub value: u64,
}

impl Trail {
    /// What a play left.
    #[must_use]
    pub fn of(result: &CaseResult) -> Self {
        // Verdicts are plain data: they always serialise.
        let verdict = serde_json::to_string_pretty(&result.verdict).unwrap_or_else(|error| error.to_string());
        let empty = Self {
            name: result.verdict.name.clone(),
            seed: result.seed,
            hash: None,
            links: Vec::new(),
            packets: Vec::new(),
            draw_count: 0,
            draws: Vec::new(),
            observations: Vec::new(),
            scrapes: Vec::new(),
            sockets: Vec::new(),
            verdict,
        };
        let Some(case) = &result.case else { return empty };
        Self {
            hash: Some(case.hash.clone()),
            links: case.capture.links.iter().map(ToString::to_string).collect(),
            packets: case.capture.packets.iter().take(PACKETS_MAX).map(Packet::of).collect(),
            draw_count: case.draws.0,
            draws: case.draws.1.iter().map(Draw::of).collect(),
            observations: case.run.observations.clone(),
            scrapes: case.run.scrapes.clone(),
            sockets: case.run.sockets.clone(),
            ..empty
        }
    }
}

impl Trail {
    /// A digest of all: trails with the same are the same, packets that were not kept included.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        // Packets are in the trace hash.
        let rest = (
            (&self.name, self.seed, &self.hash, self.draw_count),
            (&self.draws, &self.observations, &self.scrapes, &self.sockets, &self.verdict),
        );
        // Plain data: it always serialises.
        let text = serde_json::to_vec(&rest).unwrap_or_else(|error| error.to_string().into_bytes());
        hex::encode(Sha256::digest(text))
    }
}

impl Packet {
    fn of(packet: &CapturedPacket) -> Self {
        let payload = &packet.payload;
        Self {
            at: packet.at,
            link: packet.link,
            forward: packet.forward,
            src: packet.src,
            dst: packet.dst,
            flags: packet.flags,
            seq: packet.seq,
            ack: packet.ack,
            window: packet.window,
            len: packet.len,
            head: payload[..payload.len().min(HEAD)].to_vec(),
            digest: digest(payload),
            dropped: packet.dropped,
        }
    }

    /// What of it is not as in another, in words.
    pub(super) fn differs_in(&self, other: &Self) -> Vec<&'static str> {
        let parts = [
            ("time", self.at != other.at),
            ("link", self.link != other.link),
            ("direction", self.forward != other.forward),
            ("addresses", (self.src, self.dst) != (other.src, other.dst)),
            ("flags", self.flags != other.flags),
            ("sequence number", self.seq != other.seq),
            ("acknowledgement number", self.ack != other.ack),
            ("window", self.window != other.window),
            ("length", self.len != other.len),
            ("payload", (&self.head, &self.digest) != (&other.head, &other.digest)),
            ("loss", self.dropped != other.dropped),
        ];
        parts.into_iter().filter(|(_, differs)| *differs).map(|(part, _)| part).collect()
    }
}

fn digest(payload: &[u8]) -> u64 {
    let digest: [u8; 32] = Sha256::digest(payload).into();
    let (first, _) = digest.split_at(8);
    first.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

impl Draw {
    fn of(draw: &random::Draw) -> Self {
        Self { index: draw.index, stream: draw.stream.to_string(), bound: draw.bound, value: draw.value }
    }
}
