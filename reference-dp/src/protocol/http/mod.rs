//! HTTP requests, one by one.
//!
//! A request's way through a sidecar:
//!
//! * [`connection`] — a caller's connection; [`driver`] brings it to its end, [`activity`] knows what goes on in it, [`metered`] counts its bytes,
//!   [`framing`] finds where its requests begin and end, [`head_clock`] limits their heads, [`executor`] gives streams of HTTP/2 their tasks;
//! * [`screen`] — what is refused;
//! * [`request_head`] — the head as it goes on, with [`path`] and [`hop_by_hop`];
//! * [`forward`] — one request from its head to the head of its answer: tries and waits between them ([`retry`]), a body that can be sent again
//!   ([`replay`]), clocks ([`watch`]);
//! * [`pool`] — connections to a cluster's endpoints, which requests share or reuse; [`failure`] is why a try brought no answer;
//! * [`answer_head`], [`answer`] — the answer's head, and its body up to the end of the account; [`grpc`] — the sidecar's own answers
//!   as callers of gRPC understand them.
//!
//! [`hop`] is what the requests of one listener share; [`window`] bounds what is under way on connections of HTTP/2.

mod activity;
mod answer;
mod answer_head;
pub(crate) mod connection;
mod driver;
mod executor;
pub(crate) mod failure;
mod forward;
mod framing;
mod grpc;
mod head_clock;
pub(crate) mod hop;
mod hop_by_hop;
mod metered;
mod path;
pub(crate) mod pool;
mod replay;
mod request_head;
mod retry;
mod screen;
#[cfg(test)]
mod testing;
mod watch;
mod window;
