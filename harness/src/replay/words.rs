//! Packets, draws and the rest, as lines of text.

use serde::Serialize;

use super::{Draw, Packet, Trail};
use crate::expect::Scrape;

/// What stands where one of two has no more.
pub(super) const NOTHING: &str = "(no more)";

/// TCP's flags by their bits.
const FLAGS: [(u8, &str); 5] = [(2, "SYN"), (1, "FIN"), (4, "RST"), (8, "PSH"), (16, "ACK")];

pub(super) fn who(trail: &Trail) -> String {
    format!("{} seed {}", trail.name, trail.seed)
}

pub(super) fn hash(trail: &Trail) -> String {
    trail.hash.as_ref().map_or_else(
        || "none: the case broke".to_owned(),
        |hash| format!("{} packets {}, schedule {}", hash.count, hash.packets, hash.schedule),
    )
}

/// `0.012000000 s  web.proxy->backend.proxy  10.0.0.1:40000 > 10.0.0.2:15006  PSH ACK seq 1 ack 2 window 65535 len 5  68656c6c6f`.
pub(super) fn packet(trail: &Trail, packet: Option<&Packet>) -> String {
    let Some(packet) = packet else { return NOTHING.to_owned() };
    let link = usize::try_from(packet.link).ok().and_then(|index| trail.links.get(index));
    let link = link.map_or("?", String::as_str);
    let Packet { src, dst, seq, ack, window, len, .. } = packet;
    let time = format!("{}.{:09} s", packet.at / 1_000_000_000, packet.at % 1_000_000_000);
    let direction = if packet.forward { "" } else { " (back)" };
    let flags: Vec<_> =
        FLAGS.iter().filter(|(bit, _)| packet.flags & bit != 0).map(|(_, name)| *name).collect();
    let flags = flags.join(" ");
    let payload = payload(packet);
    let lost = if packet.dropped { "  lost" } else { "" };
    format!(
        "{time}  {link}{direction}  {src} > {dst}  {flags} seq {seq} ack {ack} window {window} len {len}{payload}{lost}"
    )
}

/// The first bytes, and a digest that tells the others.
fn payload(packet: &Packet) -> String {
    if packet.head.is_empty() {
        return String::new();
    }
    let whole = packet.head.len() == usize::try_from(packet.len).unwrap_or(usize::MAX);
    let rest = if whole { "" } else { ".." };
    format!("  {}{rest}  sha256 {:016x}..", hex::encode(&packet.head), packet.digest)
}

/// `#17  link/a->b/latency: 3 below 10`.
pub(super) fn draw(draw: Option<&Draw>) -> String {
    let Some(Draw { index, stream, bound, value }) = draw else { return NOTHING.to_owned() };
    format!("#{index}  {stream}: {value} below {bound}")
}

pub(super) fn json<T: Serialize>(thing: Option<&T>) -> String {
    thing.map_or_else(
        || NOTHING.to_owned(),
        |thing| serde_json::to_string(thing).unwrap_or_else(|error| error.to_string()),
    )
}

/// A scrape as text whose first line says when and where.
pub(super) fn scrape(scrape: Option<&Scrape>) -> String {
    let Some(Scrape { at, step, host, body }) = scrape else { return NOTHING.to_owned() };
    let (Ok(body) | Err(body)) = body;
    format!("{at} ns {host} {}\n{body}", step.as_deref().unwrap_or("at the bottom"))
}
