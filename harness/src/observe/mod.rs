//! What was seen.
//!
//! * [`observation`] — the one event type between those who do and those who judge.
//! * [`wire`] — packets, and the connections that they are.
//! * [`flow`] — one direction of a connection, in order.
//! * [`tls`] — TLS inside them, read with the sessions' secrets.
//! * [`http`] — requests and answers inside them, from [`http1`] or [`http2`].
//! * [`pcapng`] — packets as a capture file, secrets included.
//! * [`metrics`] — Prometheus text, read strictly.
//! * [`dictionary`] — signals by meaning.

pub mod dictionary;
pub mod flow;
mod hexed;
pub mod http;
pub mod http1;
pub mod http2;
pub mod metrics;
pub mod observation;
pub mod pcapng;
pub mod tls;
pub mod wire;

pub use observation::{Ended, HandshakeFacts, Nanos, Observation, Role, Seen};
