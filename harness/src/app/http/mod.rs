//! Well-behaved ends that speak HTTP, over a [`super::line::Line`] as scripts of bytes are.
//!
//! ```text
//! client (requests, connection after connection) -> Session -> h1, h2 -> SharedLine
//! server (one connection)                        -> Router  -> h1, h2 -> SharedLine
//! ```
//!
//! * `h1` — HTTP/1.1 by hand over httparse: a script's fields go out in its order and letter case, and its bytes when it says, which no library
//!   leaves to its user. `h2` — HTTP/2 by hyper.
//! * `shared` — a line that both directions use, and hyper; `exchange` — what is recorded of requests and answers; `fields` — header fields.
//! * `source` — bodies as they are to be sent; `router` — which answer is whose; `client`, `server` — what `Client` and `Server` run.

mod client;
mod exchange;
mod fields;
mod h1;
mod h2;
mod router;
mod server;
mod shared;
mod source;
#[cfg(test)]
mod testing;

pub(super) use client::{Session, run};
pub(super) use router::Router;
pub(super) use server::serve;
