//! How much of bodies may be under way on a connection of HTTP/2, be it a caller's or one to an endpoint.

/// Bytes of one body. Larger than hyper's and h2's own, so that a body of many MiB needs few round trips; a stream that nobody reads holds this much.
pub(super) const STREAM: u32 = 256 * 1024;

/// Bytes of all bodies. Two sidecars share one connection for all their callers: so many that bodies which nobody reads do not hold up the others.
pub(super) const CONNECTION: u32 = 16 * 1024 * 1024;
