//! HTTP/2 by hyper: `tasks` — where hyper's tasks run; `body` — bodies that go; `client` and `server` — one connection each.

mod body;
mod client;
mod server;
mod tasks;
#[cfg(test)]
mod tests;

pub(super) use client::Http2;
pub(super) use server::serve;

/// Flow-control windows: RFC 9113's own for a stream, so that a slow reader is felt; room for many streams on a connection.
const STREAM_WINDOW: u32 = 65_535;
const CONNECTION_WINDOW: u32 = 1 << 20;
/// Heads up to this size are taken, beyond what any dataplane lets pass.
const HEAD_MAX: u32 = 256 * 1024;

/// What is recorded as the protocol.
const HTTP_2: &str = "HTTP/2";

/// An error with its causes.
fn words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}
