//! HTTP/1.1 towards one endpoint: one request at a time a connection, idle connections kept.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;

use super::link::{Lease, Link, drive};
use super::{BodyError, Io, Line, Shared, Upload, fault, form, length};
use crate::plan::HttpVersion;
use crate::protocol::http::failure::Failure;
use crate::telemetry::request::{self, RequestEvent, UpstreamCause};

/// Most fields in the head of an answer.
const MAX_FIELDS: usize = 128;
/// Most bytes that the head of an answer may have.
const BUFFER_BYTES: usize = 128 * 1024;

type Sender = SendRequest<Tracked>;

/// The connections to one endpoint.
pub(super) struct Endpoint {
    shared: Arc<Shared>,
    addr: SocketAddr,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    sender: Sender,
    link: Arc<Link>,
}

/// A connection with a request on it. Dropped, it is closed; [`Busy::done`] keeps it.
struct Busy {
    sender: Sender,
    lease: Lease,
    endpoint: Arc<Endpoint>,
    /// Whether the request was read to its end.
    asked: Arc<AtomicBool>,
}

impl Endpoint {
    pub(super) fn new(shared: Arc<Shared>, addr: SocketAddr) -> Arc<Self> {
        Arc::new(Self { shared, addr, idle: Mutex::default() })
    }

    pub(super) async fn send(
        self: &Arc<Self>,
        mut head: Parts,
        body: Upload,
        account: &request::Request,
    ) -> Result<Response<Answer>, Failure> {
        form::for_http1(&mut head).map_err(|_| Failure::ProtocolError)?;
        if !body.is_end_stream() && !head.headers.contains_key(CONTENT_LENGTH) {
            // Said here because hyper takes a GET without a length for one without a body.
            head.headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        let asked = Arc::new(AtomicBool::new(body.is_end_stream()));
        let left = length(&head.headers);
        let mut request = Request::from_parts(head, Tracked { body, left, asked: asked.clone() });
        loop {
            let (mut busy, fresh) = match self.take_idle(&asked) {
                Some(busy) => (busy, None),
                None => self.connect(&asked).await.map(|(busy, line)| (busy, Some(line)))?,
            };
            if busy.sender.ready().await.is_ok() {
                account.tell(&RequestEvent::Sent);
                match busy.sender.try_send_request(request).await {
                    Ok(response) => return busy.answer(response),
                    Err(mut error) => match error.take_message() {
                        Some(unwritten) => request = unwritten,
                        None => return Err(fault::of_http1(error.error())),
                    },
                }
            }
            // It was over before a byte was written: another one will do, but only if that is not what a new one does, too.
            match fresh {
                Some(line) if line.heard() => return Err(Failure::ProtocolError),
                Some(_) => return Err(Failure::Terminated),
                None => {}
            }
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection that was given back last.
    fn take_idle(self: &Arc<Self>, asked: &Arc<AtomicBool>) -> Option<Busy> {
        let mut idle = self.idle();
        while let Some(Idle { sender, link }) = idle.pop() {
            if let Some(lease) = link.lease(1) {
                return Some(self.busy(sender, lease, asked));
            }
        }
        None
    }

    fn busy(self: &Arc<Self>, sender: Sender, lease: Lease, asked: &Arc<AtomicBool>) -> Busy {
        Busy { sender, lease: lease.alone(), endpoint: self.clone(), asked: asked.clone() }
    }

    async fn connect(self: &Arc<Self>, asked: &Arc<AtomicBool>) -> Result<(Busy, Arc<Line>), Failure> {
        let shared = &self.shared;
        let room = shared.room.clone().try_acquire_owned().map_err(|_| Failure::Overflow)?;
        // Counted from here on, so that a drain in between waits for it.
        let live = shared.lifecycle.live();
        let (io, mut connection_account) = shared.dial(self.addr, HttpVersion::V1).await?;
        let line = io.line();
        let codec =
            Builder::new().max_headers(MAX_FIELDS).max_buf_size(BUFFER_BYTES).handshake(TokioIo::new(io));
        let (sender, connection) = codec.await.map_err(|error| fault::of_http1(&error))?;
        let lease = Link::begin();
        let (endpoint, link, its_line) = (self.clone(), lease.link().clone(), line.clone());
        shared.spawn.spawn(Box::pin(async move {
            let (_room, _live) = (room, live);
            let cause = endpoint.run(connection, &link, &its_line).await;
            connection_account.end(cause, link.is_busy());
        }));
        Ok((self.busy(sender, lease, asked), line))
    }

    async fn run(
        &self,
        connection: Connection<TokioIo<Io>, Tracked>,
        link: &Arc<Link>,
        line: &Line,
    ) -> UpstreamCause {
        let codec = async {
            if let Err(error) = connection.await {
                tracing::debug!(endpoint = %self.addr, %error, "a connection broke");
            }
            if line.ended() {
                UpstreamCause::Remote
            } else if link.owes_an_answer() {
                UpstreamCause::ProtocolError
            } else {
                UpstreamCause::Local
            }
        };
        let leave = || self.idle().retain(|idle| !Arc::ptr_eq(&idle.link, link));
        drive(codec, link, line, &self.shared.http, &self.shared.lifecycle, leave).await
    }
}

impl Busy {
    fn answer(mut self, response: Response<Incoming>) -> Result<Response<Answer>, Failure> {
        // Nobody asked to change the protocol.
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Err(Failure::ProtocolError);
        }
        self.lease.answered();
        Ok(response.map(|body| {
            let mut answer = Answer { body, busy: Some(self) };
            answer.look_for_end();
            answer
        }))
    }

    /// The answer is whole: the connection can be used again, if the request is whole, too.
    fn done(self) {
        let Self { sender, lease, endpoint, asked } = self;
        if !asked.load(Ordering::Relaxed) {
            return;
        }
        let link = lease.link().clone();
        lease.give_back();
        let mut idle = endpoint.idle();
        if !link.is_retired() {
            idle.push(Idle { sender, link });
        }
    }
}

/// The body of a request, with a note of whether it was read to its end.
pub(super) struct Tracked {
    body: Upload,
    /// What its length leaves: the codec asks for no more, not even for the end.
    left: Option<u64>,
    asked: Arc<AtomicBool>,
}

impl Body for Tracked {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let last = match &polled {
            None => true,
            Some(Ok(frame)) => {
                let read = frame.data_ref().map_or(0, |data| data.len() as u64);
                self.left = self.left.map(|left| left.saturating_sub(read));
                frame.is_trailers() || self.left == Some(0) || self.body.is_end_stream()
            }
            Some(Err(BodyError)) => false,
        };
        if last {
            self.asked.store(true, Ordering::Relaxed);
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer.
pub(super) struct Answer {
    body: Incoming,
    /// `None` once it is whole, or broke off.
    busy: Option<Busy>,
}

impl Answer {
    fn look_for_end(&mut self) {
        if self.body.is_end_stream() {
            self.whole();
        }
    }

    fn whole(&mut self) {
        if let Some(busy) = self.busy.take() {
            busy.done();
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let polled = ready!(Pin::new(&mut self.body).poll_frame(cx));
        Poll::Ready(match polled {
            Some(Ok(frame)) => {
                self.look_for_end();
                Some(Ok(frame))
            }
            Some(Err(error)) => {
                self.busy = None;
                Some(Err(fault::of_http1(&error)))
            }
            None => {
                self.whole();
                None
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
