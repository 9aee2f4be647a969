//! The seam to whoever opens connections to endpoints.

use std::net::SocketAddr;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::telemetry::session::{TlsFault, TlsSession};

/// Opens connections to the endpoints of one cluster.
pub(crate) trait Dialler: Send + Sync {
    /// Where the endpoints are. May be empty.
    fn endpoints(&self) -> &[SocketAddr];

    /// Opens a connection to one of them, TCP and mesh TLS together within the cluster's connect timeout.
    fn dial<'a>(&'a self, endpoint: SocketAddr, tell: Tell<'a>) -> Dialling<'a>;
}

/// Hears how mesh TLS went, if the cluster wants it.
pub(crate) type Tell<'a> = &'a mut (dyn FnMut(Result<TlsSession, TlsFault>) + Send);

/// A connection being opened. Dropped, it is given up.
pub(crate) type Dialling<'a> =
    Pin<Box<dyn Future<Output = Result<Box<dyn Transport>, NotConnected>> + Send + 'a>>;

/// An endpoint could not be connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotConnected {
    /// By time.
    pub(crate) timed_out: bool,
}

/// Bytes to and from an endpoint, without TLS.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Unpin + Send {
    /// Ends the connection with a TCP reset.
    fn reset(self: Box<Self>);
}
