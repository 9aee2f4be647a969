//! How an app speaks TLS.

use serde::{Deserialize, Serialize};

/// How an app speaks TLS, as client or as server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsOptions {
    /// Server name to ask for (client). Also the name the server's certificate must bear.
    pub sni: Option<String>,
    /// Protocols offered or accepted, by preference.
    pub alpn: Vec<String>,
    /// The name on this end's own certificate: the server's, or a client certificate.
    pub certificate: Option<String>,
    /// `require` a client certificate (server).
    pub client_certificate: bool,
    /// Versions spoken: `1.2`, `1.3`; empty means both.
    pub versions: Vec<TlsVersion>,
    /// Client: how many connections one after the other share a session store; the second and later should resume.
    pub resume: bool,
    /// Client: split the ClientHello's record into writes of this many bytes.
    pub hello_chunk: Option<u64>,
}

/// A TLS version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TlsVersion {
    /// TLS 1.2.
    #[serde(rename = "1.2")]
    V1_2,
    /// TLS 1.3.
    #[serde(rename = "1.3")]
    V1_3,
}
