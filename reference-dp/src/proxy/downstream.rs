//! Callers of an inbound: mesh TLS, and whether they may.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::ServerConfig;
use tokio_rustls::{TlsAcceptor, TlsStream};

use super::wire::{TLS_BUFFER_BYTES, Wire};
use crate::net::Stream;
use crate::plan::Permissions;
use crate::protocol::http::hop::Caller;
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

/// A caller whose connection stands.
pub(super) struct Admitted<S> {
    pub(super) wire: Wire<S>,
    /// `None`: nobody was asked.
    pub(super) caller: Option<Caller>,
}

impl Gate {
    /// Takes the caller's connection in, or closes it without a byte of data. `None` when it was turned away, which the exchange has been told.
    /// Whether the caller may call is another question: [`Admitted::permitted`], or that of each request.
    pub(super) async fn admit<S: Stream>(&self, stream: S, exchange: &mut Exchange) -> Option<Admitted<S>> {
        match self {
            Self::Open => Some(Admitted { wire: Wire::Plain(stream), caller: None }),
            Self::Strict(strict) => strict.admit(stream, exchange).await,
        }
    }
}

impl<S: Stream> Admitted<S> {
    /// Lets the caller through, or closes its connection without a byte of data; the exchange is told.
    pub(super) async fn permitted(self, exchange: &mut Exchange) -> Option<Wire<S>> {
        let Some(caller) = self.caller else { return Some(self.wire) };
        exchange.tell(&Event::Judged { allowed: caller.allowed });
        if caller.allowed {
            return Some(self.wire);
        }
        tracing::debug!(caller = ?caller.uris, "not permitted");
        self.wire.close().await;
        None
    }
}

impl Strict {
    async fn admit<S: Stream>(&self, stream: S, exchange: &mut Exchange) -> Option<Admitted<S>> {
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
        let caller = self.caller(secured.get_ref().1);
        let wire = Wire::Tls(Box::new(TlsStream::Server(secured)));
        match caller {
            Some(caller) => Some(Admitted { wire, caller: Some(caller) }),
            None => {
                exchange.tell(&Event::Judged { allowed: false });
                wire.close().await;
                None
            }
        }
    }

    /// Who calls; nobody, if the certificate is past its validity: a resumed session brings one that was verified long ago.
    fn caller(&self, connection: &rustls::ServerConnection) -> Option<Caller> {
        let certificate = connection.peer_certificates().and_then(<[_]>::first)?;
        if self.identity.is_expired(certificate) {
            tracing::debug!("the caller's certificate has expired");
            return None;
        }
        let uris = tls::uri_names(certificate);
        let allowed = self.permissions.allows(&uris);
        Some(Caller { uris, fingerprint: tls::fingerprint(certificate), allowed, told: OnceLock::new() })
    }
}

async fn within<F: Future>(limit: Option<Duration>, future: F) -> Option<F::Output> {
    match limit {
        Some(limit) => tokio::time::timeout(limit, future).await.ok(),
        None => Some(future.await),
    }
}
