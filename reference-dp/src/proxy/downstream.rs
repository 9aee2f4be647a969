//! Callers of an inbound: mesh TLS, and whether they may.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio_rustls::{TlsAcceptor, TlsStream};

use super::wire::{TLS_BUFFER_BYTES, Wire};
use crate::net::Stream;
use crate::plan::Permissions;
use crate::telemetry::exchange::{Event, Exchange, Side};
use crate::telemetry::session::{TlsFault, TlsSession};
use crate::tls;

/// What a caller must show.
pub(super) enum Gate {
    /// Nothing.
    Open,
    /// Mesh TLS and a permission.
    Strict(Box<Strict>),
}

/// Mesh TLS and a permission.
pub(super) struct Strict {
    pub(super) config: Arc<ServerConfig>,
    pub(super) identity: Arc<tls::Identity>,
    pub(super) permissions: Permissions,
    /// For the handshake; `None`: for ever.
    pub(super) handshake_timeout: Option<Duration>,
}

impl Gate {
    /// Lets the caller in, or closes its connection without a byte of data. `None` when it was turned away, which the
    /// exchange has been told.
    pub(super) async fn admit<S: Stream>(&self, stream: S, exchange: &mut Exchange) -> Option<Wire<S>> {
        match self {
            Self::Open => Some(Wire::Plain(stream)),
            Self::Strict(strict) => strict.admit(stream, exchange).await,
        }
    }
}

impl Strict {
    async fn admit<S: Stream>(&self, stream: S, exchange: &mut Exchange) -> Option<Wire<S>> {
        let limit =
            |connection: &mut rustls::ServerConnection| connection.set_buffer_limit(Some(TLS_BUFFER_BYTES));
        let handshake = TlsAcceptor::from(self.config.clone()).accept_with(stream, limit);
        let Some(outcome) = within(self.handshake_timeout, handshake).await else {
            exchange.tell(&Event::HandshakeTimedOut);
            return None;
        };
        let secured = match outcome {
            Ok(secured) => secured,
            Err(error) => {
                tracing::debug!(%error, "mesh TLS failed");
                exchange.tell(&Event::NotSecured(Side::Downstream, TlsFault::of(&error)));
                return None;
            }
        };
        exchange.tell(&Event::Secured(Side::Downstream, TlsSession::of(secured.get_ref().1)));
        let allowed = self.may(secured.get_ref().1);
        exchange.tell(&Event::Judged { allowed });
        let wire = Wire::Tls(Box::new(TlsStream::Server(secured)));
        if allowed {
            return Some(wire);
        }
        wire.close().await;
        None
    }

    fn may(&self, connection: &rustls::ServerConnection) -> bool {
        let Some(certificate) = connection.peer_certificates().and_then(<[_]>::first) else { return false };
        let caller = tls::uri_names(certificate);
        let allowed = !self.identity.is_expired(certificate) && self.permissions.allows(&caller);
        if !allowed {
            tracing::debug!(?caller, "not permitted");
        }
        allowed
    }
}

async fn within<F: Future>(limit: Option<Duration>, future: F) -> Option<F::Output> {
    match limit {
        Some(limit) => tokio::time::timeout(limit, future).await.ok(),
        None => Some(future.await),
    }
}
