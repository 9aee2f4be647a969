//! Scripted apps: clients and servers, well-behaved and not. Each records what it saw.
//!
//! ```text
//! Client, Server -> run (the interpreter) -> Line (one connection and its records) -> Conn: socket, [mesh TLS], Tap, [app TLS]
//! ```
//!
//! * [`run`] — the interpreter of [`crate::language::script`], over `send`, `receive` and `echo`.
//! * `http` — requests and answers, over the same lines.
//! * [`client`], [`server`] — many connections over a [`reference_dp::net::Network`]; `caller` — one more; [`kit`] — what they are given.
//! * [`mod@line`] — one connection, over its `ledger` of records and totals; [`record`] — where observations go.
//! * [`conn`], [`tap`] — the layers of a connection; what passes at the socket.
//! * [`tls`] — apps that bring their own TLS; [`mesh`] — pods that speak mesh TLS themselves.

mod caller;
pub mod client;
pub mod conn;
mod cursor;
mod echo;
mod failure;
mod http;
pub mod kit;
mod ledger;
pub mod line;
pub mod mesh;
mod receive;
pub mod record;
pub mod run;
mod send;
pub mod server;
pub mod tap;
#[cfg(test)]
mod testing;
pub mod tls;

pub(crate) use receive::{quote, quote_up_to};

pub use client::{Client, Held};
pub use kit::Kit;
pub use record::{Recorder, Watch};
pub use server::Server;
