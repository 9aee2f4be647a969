//! HTTP/2 towards one endpoint: one connection for all requests, another only when that takes no more.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, Connection, SendRequest};
use http::request::Parts;
use http::{Request, Response};
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};

use super::download::Answer;
use super::link::{Lease, Link, drive};
use super::{Io, MAX_AT_ONCE, Shared, Upload, fault, form, upload};
use crate::lifecycle::{Live, Phase};
use crate::plan::HttpVersion;
use crate::protocol::http::failure::Failure;
use crate::protocol::http::window;
use crate::telemetry::request::{self, RequestEvent, UpstreamCause, UpstreamConnection};

/// Most that the fields of an answer's head may come to.
const HEAD_BYTES: u32 = 96 * 1024;
/// Streams at once before the endpoint's own limit is known: one fewer than the least that it should allow (RFC 9113 6.5.2), to tell the two apart.
const STREAMS_BEFORE_SETTINGS: usize = 99;

/// How long streams that were given up are remembered, as many as there may be at once. Frames that still come for forgotten ones are errors, which h2
/// counts and soon takes for an attack: callers that go away in the middle of large answers would cost all others the connection.
const REMEMBERED: Duration = Duration::from_secs(10);

/// The connections to one endpoint.
pub(super) struct Endpoint {
    shared: Arc<Shared>,
    addr: SocketAddr,
    connections: Mutex<Vec<Shareable>>,
}

/// A connection as requests see it.
struct Shareable {
    link: Arc<Link>,
    status: watch::Receiver<Status>,
}

#[derive(Clone)]
enum Status {
    Dialling,
    Up(SendRequest<Bytes>),
    Over(Failure),
}

/// A request's place on a connection.
struct Place {
    lease: Lease,
    status: watch::Receiver<Status>,
    /// Whether nobody knew yet if the connection would stand.
    fresh: bool,
}

impl Endpoint {
    pub(super) fn new(shared: Arc<Shared>, addr: SocketAddr) -> Arc<Self> {
        Arc::new(Self { shared, addr, connections: Mutex::default() })
    }

    pub(super) async fn send(
        self: &Arc<Self>,
        mut head: Parts,
        body: Upload,
        account: &request::Request,
    ) -> Result<Response<Answer>, Failure> {
        form::for_http2(&mut head).map_err(|_| Failure::ProtocolError)?;
        let room = self.shared.room.clone().try_acquire_owned().map_err(|_| Failure::Overflow)?;
        loop {
            let Place { lease, mut status, fresh } = self.place();
            match sender(&mut status).await {
                Ok(sender) => {
                    let request = Request::from_parts(head, ());
                    return self.ask(sender, request, body, Held { lease, _room: room }, account).await;
                }
                Err(failure) => {
                    lease.link().retire();
                    // It went while it was idle: another one will do.
                    if fresh {
                        return Err(failure);
                    }
                }
            }
        }
    }

    fn connections(&self) -> MutexGuard<'_, Vec<Shareable>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// On the first connection that takes another request; a new one, if there is none.
    fn place(self: &Arc<Self>) -> Place {
        let mut connections = self.connections();
        for Shareable { link, status } in connections.iter() {
            let (limit, fresh) = match &*status.borrow() {
                Status::Dialling => (MAX_AT_ONCE, true),
                Status::Up(sender) => (limit(sender), false),
                Status::Over(_) => continue,
            };
            if let Some(lease) = link.lease(limit) {
                return Place { lease, status: status.clone(), fresh };
            }
        }
        let lease = Link::begin();
        let link = lease.link().clone();
        let (teller, status) = watch::channel(Status::Dialling);
        connections.push(Shareable { link: link.clone(), status: status.clone() });
        let live = self.shared.lifecycle.live();
        self.shared.spawn.spawn(Box::pin(self.clone().run(link, teller, live)));
        Place { lease, status, fresh: true }
    }

    async fn ask(
        &self,
        mut sender: SendRequest<Bytes>,
        request: Request<()>,
        body: Upload,
        mut held: Held,
        account: &request::Request,
    ) -> Result<Response<Answer>, Failure> {
        let whole = http_body::Body::is_end_stream(&body);
        let sent = sender.send_request(request, whole);
        let (response, stream) = sent.map_err(|error| fault::of_http2(&error))?;
        account.tell(&RequestEvent::Sent);
        drop(sender);
        let (caller, gone) = oneshot::channel();
        if !whole {
            let lifecycle = self.shared.lifecycle.clone();
            self.shared.spawn.spawn(Box::pin(upload::carry(body, stream, gone, lifecycle)));
        }
        let response = response.await.map_err(|error| fault::of_http2(&error))?;
        held.lease.answered();
        Ok(Answer::of(response, held, caller))
    }

    async fn run(self: Arc<Self>, link: Arc<Link>, status: watch::Sender<Status>, live: Live) {
        let _live = live;
        let opened = tokio::select! {
            biased;
            () = self.shared.lifecycle.reached(Phase::Stopped) => Err(Failure::Terminated),
            opened = self.open() => opened,
        };
        match opened {
            Ok(open) => self.serve(open, &link, &status).await,
            Err(failure) => {
                link.retire();
                self.leave(&link);
                status.send_replace(Status::Over(failure));
            }
        }
    }

    async fn open(&self) -> Result<Open, Failure> {
        let (io, account) = self.shared.dial(self.addr, HttpVersion::V2).await?;
        let line = io.line();
        let codec = Builder::new()
            .enable_push(false)
            .initial_window_size(window::STREAM)
            .initial_connection_window_size(window::CONNECTION)
            .initial_max_send_streams(STREAMS_BEFORE_SETTINGS)
            .max_header_list_size(HEAD_BYTES)
            .max_concurrent_reset_streams(MAX_AT_ONCE)
            .reset_stream_duration(REMEMBERED)
            .handshake(io);
        let (sender, connection) = codec.await.map_err(|error| fault::of_http2(&error))?;
        Ok(Open { sender, connection, line, account })
    }

    async fn serve(&self, open: Open, link: &Arc<Link>, status: &watch::Sender<Status>) {
        let Open { sender, mut connection, line, mut account } = open;
        status.send_replace(Status::Up(sender.clone()));
        let mut probe = Some(sender);
        let codec = poll_fn(|cx| {
            if link.is_over() {
                // The codec says goodbye once nobody can send any more.
                probe = None;
                status.send_replace(Status::Over(Failure::Terminated));
            }
            if let Poll::Ready(ended) = Pin::new(&mut connection).poll(cx) {
                return Poll::Ready(ended);
            }
            // The endpoint said goodbye, though it may still answer.
            if probe.as_mut().is_some_and(|probe| matches!(probe.poll_ready(cx), Poll::Ready(Err(_)))) {
                probe = None;
                link.retire();
            }
            Poll::Pending
        });
        let codec = async {
            match codec.await {
                Err(error) if error.is_library() => UpstreamCause::ProtocolError,
                _ if line.ended() => UpstreamCause::Remote,
                _ => UpstreamCause::Local,
            }
        };
        let leave = || self.leave(link);
        let cause = drive(codec, link, &line, &self.shared.http, &self.shared.lifecycle, leave).await;
        drop(connection);
        status.send_replace(Status::Over(Failure::Terminated));
        account.end(cause, link.is_busy());
    }

    fn leave(&self, link: &Arc<Link>) {
        self.connections().retain(|connection| !Arc::ptr_eq(&connection.link, link));
    }
}

/// A connection that stands.
struct Open {
    sender: SendRequest<Bytes>,
    connection: Connection<Io, Bytes>,
    line: Arc<super::Line>,
    account: UpstreamConnection,
}

/// What a request keeps until it is over.
pub(super) struct Held {
    lease: Lease,
    _room: OwnedSemaphorePermit,
}

/// How many requests a connection takes at once.
fn limit(sender: &SendRequest<Bytes>) -> usize {
    match sender.current_max_send_streams() {
        STREAMS_BEFORE_SETTINGS => MAX_AT_ONCE,
        limit => limit,
    }
}

/// What requests are given to, once the connection stands and as long as it does.
async fn sender(status: &mut watch::Receiver<Status>) -> Result<SendRequest<Bytes>, Failure> {
    let known = {
        let known = status.wait_for(|status| !matches!(status, Status::Dialling)).await;
        known.map_or(Status::Over(Failure::Terminated), |known| known.clone())
    };
    match known {
        Status::Up(sender) => sender.ready().await.map_err(|error| fault::of_http2(&error)),
        Status::Over(failure) => Err(failure),
        Status::Dialling => Err(Failure::Terminated),
    }
}
