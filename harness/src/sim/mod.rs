//! The deterministic network simulator: same scenario, same seed, same packets.
//!
//! * [`run`] — one run: a thread, a runtime with a paused clock, a kernel; nothing survives it.
//! * [`topology`] — hosts and addresses: a pod is two hosts.
//! * [`network`] — the sockets of one host, with disturbances.
//! * [`host`] — tasks belong to a host, and end when it crashes.
//! * [`scheduler`] — decides when each packet arrives; faults.
//! * `link` — latency, bandwidth, loss, segmentation, hold, blackhole, refuse.
//! * [`capture`] — packets and their `digest`s.
//! * [`clock`], [`crypto`], [`random`] — virtual time, seeded TLS, named random streams.
//! * `orphans` — closed connections, until the kernel forgets them.
//! * `segment` — TCP segments.
//! * `kernel` — the TCP kernel, and what it takes to make it behave as Linux does.

pub mod capture;
pub mod clock;
pub mod crypto;
mod digest;
pub mod host;
mod kernel;
mod link;
pub mod network;
mod orphans;
mod panic;
pub mod random;
pub mod run;
pub mod scheduler;
mod segment;
pub mod topology;
