//! The seam to the network. A dataplane is generic over [`Network`]; [`real`] is the operating system's.
//!
//! Everything a dataplane does with bytes passes these three traits, so that a simulator can stand in for the kernel.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncRead, AsyncWrite};

pub mod real;

/// A network stack: where a dataplane listens and connects.
pub trait Network: Clone + Send + Sync + 'static {
    /// A connection.
    type Stream: Stream;
    /// A listening socket.
    type Listener: Listener<Stream = Self::Stream>;

    /// Listens at `addr`; port 0 lets the network choose.
    ///
    /// # Errors
    /// The address is taken or not local.
    fn bind(&self, addr: SocketAddr) -> impl Future<Output = io::Result<Self::Listener>> + Send;

    /// Opens a connection. Dropping the future gives the attempt up. There is no time limit of its own:
    /// callers set one.
    ///
    /// # Errors
    /// `ConnectionRefused`, `ConnectionReset`, `TimedOut` (the kernel's own), `HostUnreachable`.
    fn connect(&self, to: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Addresses of a name; a literal address resolves to itself.
    ///
    /// # Errors
    /// The name is unknown.
    fn resolve(&self, name: &str) -> impl Future<Output = io::Result<Vec<IpAddr>>> + Send;
}

/// A listening socket; dropping it closes it and resets connections nobody accepted.
pub trait Listener: Send + Sync + 'static {
    /// A connection.
    type Stream: Stream;

    /// Waits for the next connection. Cancel-safe.
    ///
    /// # Errors
    /// Of this one connection or of the process (out of files); callers log it and go on.
    fn accept(&mut self) -> impl Future<Output = io::Result<Accepted<Self::Stream>>> + Send;

    /// Where it listens, with the port that was chosen.
    ///
    /// # Errors
    /// The socket is gone.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// A connection that came in.
#[derive(Debug)]
pub struct Accepted<S> {
    /// The connection.
    pub stream: S,
    /// Who called.
    pub peer: SocketAddr,
    /// Whom the caller dialled (differs from the listener's address behind a redirect).
    pub original_destination: SocketAddr,
}

/// A connection. Dropping it closes it as the kernel would: FIN, or RST when data was left unread.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Ends the connection with a reset (zero linger): what was not sent yet is discarded.
    fn reset(self);

    /// This end.
    ///
    /// # Errors
    /// The socket is gone.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// The other end.
    ///
    /// # Errors
    /// The socket is gone.
    fn peer_addr(&self) -> io::Result<SocketAddr>;
}
