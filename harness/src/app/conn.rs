//! The layers of a connection: socket, then mesh TLS (of pods that speak it themselves), then the tap, then the app's own TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use reference_dp::net::Stream;
use rustls::CommonState;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::{client, server};

use super::tap::Tap;

/// What the tap sits on.
#[derive(Debug)]
pub enum Base<S> {
    /// The socket itself.
    Raw(S),
    /// Mesh TLS, as client.
    MeshClient(Box<client::TlsStream<S>>),
    /// Mesh TLS, as server.
    MeshServer(Box<server::TlsStream<S>>),
}

/// What a script reads and writes.
#[derive(Debug)]
pub enum Conn<S> {
    /// No TLS of the app's own.
    Plain(Tap<Base<S>>),
    /// The app's own TLS, as client.
    Client(Box<client::TlsStream<Tap<Base<S>>>>),
    /// The app's own TLS, as server.
    Server(Box<server::TlsStream<Tap<Base<S>>>>),
}

impl<S> Base<S> {
    /// The socket, without the layers above it.
    pub fn into_socket(self) -> S {
        match self {
            Self::Raw(socket) => socket,
            Self::MeshClient(tls) => tls.into_inner().0,
            Self::MeshServer(tls) => tls.into_inner().0,
        }
    }
}

impl<S> Conn<S> {
    /// The socket, without the layers above it; nothing is sent.
    pub fn into_socket(self) -> S {
        let tap = match self {
            Self::Plain(tap) => tap,
            Self::Client(tls) => tls.into_inner().0,
            Self::Server(tls) => tls.into_inner().0,
        };
        tap.into_inner().into_socket()
    }

    /// Whether the app's own TLS is on.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        !matches!(self, Self::Plain(_))
    }

    /// The TLS session of the app's own, with the server name asked for (server).
    #[must_use]
    pub fn session(&self) -> Option<(&CommonState, Option<&str>)> {
        match self {
            Self::Plain(_) => None,
            Self::Client(tls) => Some((tls.get_ref().1, None)),
            Self::Server(tls) => Some((tls.get_ref().1, tls.get_ref().1.server_name())),
        }
    }
}

impl<S: Stream> Base<S> {
    fn stream(&mut self) -> Pin<&mut dyn ReadWrite> {
        match self {
            Self::Raw(socket) => Pin::new(socket),
            Self::MeshClient(tls) => Pin::new(tls.as_mut()),
            Self::MeshServer(tls) => Pin::new(tls.as_mut()),
        }
    }
}

impl<S: Stream> Conn<S> {
    fn stream(&mut self) -> Pin<&mut dyn ReadWrite> {
        match self {
            Self::Plain(tap) => Pin::new(tap),
            Self::Client(tls) => Pin::new(tls.as_mut()),
            Self::Server(tls) => Pin::new(tls.as_mut()),
        }
    }
}

/// Both halves in one object.
trait ReadWrite: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> ReadWrite for T {}

macro_rules! delegate {
    ($layer:ident) => {
        impl<S: Stream> AsyncRead for $layer<S> {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                self.get_mut().stream().poll_read(cx, buf)
            }
        }

        impl<S: Stream> AsyncWrite for $layer<S> {
            fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
                self.get_mut().stream().poll_write(cx, buf)
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.get_mut().stream().poll_flush(cx)
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.get_mut().stream().poll_shutdown(cx)
            }
        }
    };
}

delegate!(Base);
delegate!(Conn);
