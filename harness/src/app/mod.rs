//! Scripted apps: clients and servers, well-behaved and not. Each records what it saw.

pub mod script;
pub mod tls;

use script::Script;
use tls::TlsOptions;

/// What a client does: a step's verb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientScript {
    /// `tls:` brings the app's own TLS, `tcp:` and `raw:` do not.
    pub tls: Option<TlsOptions>,
    /// What to do on each connection.
    pub script: Script,
    /// How many connections at once; each runs the whole script.
    pub connections: u32,
}

/// What a server does on each connection: a pod's `app`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerScript {
    /// It listens.
    Listen {
        /// `tls:` brings the app's own TLS, `tcp:` and `raw:` do not.
        tls: Option<TlsOptions>,
        /// Scripts of the first, second, .. connection; the last one repeats. Never empty.
        turns: Vec<Script>,
    },
    /// `refuse`: nothing listens at the app's port.
    Refuse,
}
