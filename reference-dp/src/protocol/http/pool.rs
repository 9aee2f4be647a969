//! Connections to a cluster's endpoints, which requests share or reuse.
//!
//! * [`dial`] — the seam to whoever opens connections;
//! * [`line`](mod@line) — the bytes of one connection; [`link`] — its life, its requests, its limits, its end;
//! * [`http1`] and [`http2`] — the connections to one endpoint;
//! * [`form`] — requests in the form of either version; [`upload`] and [`download`] — bodies over an HTTP/2 stream;
//! * [`body`] — bodies as callers see them; [`fault`] — what errors of the codecs mean.

mod body;
mod dial;
mod download;
mod fault;
mod form;
mod http1;
mod http2;
mod line;
mod link;
mod upload;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tokio::sync::Semaphore;

use super::failure::Failure;
use crate::lifecycle::Lifecycle;
use crate::plan::{HttpUpstream, HttpVersion};
use crate::spawn::Spawn;
use crate::telemetry::request::{self, HttpObserver, UpstreamConnection, UpstreamEvent};
use body::Upload;
pub(crate) use body::{AnswerBody, BodyError};
pub(crate) use dial::{Dialler, Dialling, NotConnected, Tell, Transport};
use form::length;
use line::{Io, Line};

/// Most connections of a pool of HTTP/1.1, and most requests at once of one of HTTP/2: what Kuma's `MeshCircuitBreaker` says by default.
const MAX_AT_ONCE: usize = 1024;

/// Connections to a cluster's endpoints.
///
/// HTTP/2: one connection an endpoint, for all requests; followed by a new one when it is gone, has had a `GOAWAY` or its streams are used up.
/// HTTP/1.1: one request at a time each; idle connections are kept and reused, the last one first.
///
/// All of them obey the [`Lifecycle`]: when the sidecar drains, those without requests close, and the others when they have none any more; when it
/// stops, all are reset. Draining waits for them.
pub(crate) struct Pool {
    endpoints: Endpoints,
    next: AtomicUsize,
}

enum Endpoints {
    Http1(Vec<Arc<http1::Endpoint>>),
    Http2(Vec<Arc<http2::Endpoint>>),
}

/// What the connections of a pool share.
struct Shared {
    dialler: Arc<dyn Dialler>,
    http: HttpUpstream,
    observer: Arc<dyn HttpObserver>,
    spawn: Arc<dyn Spawn>,
    lifecycle: Arc<Lifecycle>,
    /// Of [`MAX_AT_ONCE`], what is left.
    room: Arc<Semaphore>,
}

/// The endpoints that one request was sent to so far: a retry goes to another one, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Tried(Vec<usize>);

impl Pool {
    /// A pool without connections.
    pub(crate) fn new(
        dialler: Arc<dyn Dialler>,
        http: HttpUpstream,
        observer: Arc<dyn HttpObserver>,
        spawn: Arc<dyn Spawn>,
        lifecycle: Arc<Lifecycle>,
    ) -> Self {
        let (addrs, version) = (dialler.endpoints().to_vec(), http.version);
        let room = Arc::new(Semaphore::new(MAX_AT_ONCE));
        let shared = Arc::new(Shared { dialler, http, observer, spawn, lifecycle, room });
        let endpoints = match version {
            HttpVersion::V1 => {
                let endpoint = |addr| http1::Endpoint::new(shared.clone(), addr);
                Endpoints::Http1(addrs.into_iter().map(endpoint).collect())
            }
            HttpVersion::V2 => {
                let endpoint = |addr| http2::Endpoint::new(shared.clone(), addr);
                Endpoints::Http2(addrs.into_iter().map(endpoint).collect())
            }
        };
        Self { endpoints, next: AtomicUsize::new(0) }
    }

    /// Whether there is no endpoint.
    pub(crate) const fn is_empty(&self) -> bool {
        match &self.endpoints {
            Endpoints::Http1(endpoints) => endpoints.is_empty(),
            Endpoints::Http2(endpoints) => endpoints.is_empty(),
        }
    }

    /// Gives one request to a connection and waits for the head of its answer; tells the account when a connection took it. There is no time limit
    /// but the connect timeout: callers drop the future to give up (HTTP/2: `RST_STREAM` with `CANCEL`; HTTP/1.1: the connection is closed).
    ///
    /// The request may be in the form of either version: its authority in the target or in `host`, its target absolute or not. Of an HTTP/1.1 request
    /// only those trailers are passed on that its `trailer` field announces.
    ///
    /// # Errors
    /// Whatever [`Failure`] says; the request may have been processed by the endpoint or not.
    pub(crate) async fn send<B>(
        &self,
        request: Request<B>,
        account: &request::Request,
        tried: &mut Tried,
    ) -> Result<Response<AnswerBody>, Failure>
    where
        B: Body<Data = Bytes, Error = BodyError> + Send + 'static,
    {
        let (head, body) = request.into_parts();
        let body = Upload::new(body);
        match &self.endpoints {
            Endpoints::Http1(endpoints) => {
                let endpoint = self.choose(endpoints, tried).ok_or(Failure::NoEndpoint)?;
                Ok(endpoint.send(head, body, account).await?.map(AnswerBody::from))
            }
            Endpoints::Http2(endpoints) => {
                let endpoint = self.choose(endpoints, tried).ok_or(Failure::NoEndpoint)?;
                Ok(endpoint.send(head, body, account).await?.map(AnswerBody::from))
            }
        }
    }

    /// Endpoints in turn, those first that were not tried. `None`: there are none.
    fn choose<'a, E>(&self, endpoints: &'a [E], tried: &mut Tried) -> Option<&'a E> {
        let count = endpoints.len();
        let first = self.next.fetch_add(1, Ordering::Relaxed).checked_rem(count)?;
        let chosen = (first..first + count).map(|turn| turn % count).find(|turn| !tried.0.contains(turn));
        tried.0.extend(chosen);
        endpoints.get(chosen.unwrap_or(first))
    }
}

impl Shared {
    /// Opens a connection, of which an account is kept from here on.
    async fn dial(
        &self,
        addr: SocketAddr,
        version: HttpVersion,
    ) -> Result<(Io, UpstreamConnection), Failure> {
        let mut account = UpstreamConnection::dial(self.observer.clone());
        let mut tell = |handshake| match handshake {
            Ok(session) => account.tell(&UpstreamEvent::Secured(session)),
            Err(fault) => account.tell(&UpstreamEvent::NotSecured(fault)),
        };
        match self.dialler.dial(addr, &mut tell).await {
            Ok(transport) => {
                account.connected(version);
                Ok((Io::new(transport, self.observer.clone()), account))
            }
            Err(NotConnected { timed_out }) => {
                account.failed(timed_out);
                Err(Failure::NotConnected { timed_out })
            }
        }
    }
}

#[cfg(test)]
mod tests;
