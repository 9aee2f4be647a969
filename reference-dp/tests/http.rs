//! Two sidecars in one process, over loopback sockets: requests as raw bytes, asked by a client and answered by an app that know no more of HTTP
//! than what is written here.

#[path = "http/carry.rs"]
mod carry;
mod common;
#[path = "http/ends.rs"]
mod ends;
#[path = "http/peer.rs"]
mod peer;
#[path = "http/refusals.rs"]
mod refusals;
