//! What was seen.
//!
//! * [`observation`] — the one event type between those who do and those who judge.
//! * [`wire`] — packets, and the connections that they are.
//! * [`dictionary`] — signals by meaning.

pub mod dictionary;
pub mod observation;
pub mod wire;

pub use observation::{Ended, HandshakeFacts, Nanos, Observation, Role, Seen};
