//! Two independent ends (rustls) make the bytes, and RFC 8448 has some; the expectations are what the ends were told to do.

pub(in crate::observe) mod duet;
mod malformed;
mod rfc8448;
mod sessions;

use bytes::Bytes;

use super::{KeyLog, read};
use crate::observe::flow::Stream;
use crate::observe::wire::{Layer, TlsView};
use duet::Flights;

/// The two directions, cut into pieces of these sizes, in turn.
fn streams(flights: &Flights, sizes: &[usize]) -> (Stream, Stream) {
    let mut streams = (Stream::default(), Stream::default());
    let mut sizes = sizes.iter().cycle();
    let mut stamp = 0;
    for (client, bytes) in flights {
        let mut rest = Bytes::copy_from_slice(bytes);
        while !rest.is_empty() {
            let size = sizes.next().copied().unwrap_or(usize::MAX);
            let piece = rest.split_to(size.clamp(1, rest.len()));
            if *client {
                streams.0.push(stamp, piece)
            } else {
                streams.1.push(stamp, piece)
            }
            stamp += 1;
        }
    }
    streams
}

fn key_log(lines: &[String]) -> KeyLog {
    KeyLog::parse(lines.iter().map(String::as_str))
}

/// What the flights are, cut as TCP might.
fn view(flights: &Flights, lines: &[String]) -> TlsView {
    let (forward, back) = streams(flights, &[1460, 1, 7, 333]);
    match read(&forward, &back, &key_log(lines)) {
        Layer::Tls(view) => *view,
        other => panic!("no TLS: {other:?}"),
    }
}

fn plain(forward: &[u8], back: &[u8]) -> Result<Layer, String> {
    Ok(Layer::Plain { forward: forward.to_vec(), back: back.to_vec() })
}
