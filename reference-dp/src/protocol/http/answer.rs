//! The body of an answer on its way to the caller, and with it the end of the request's account.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Sleep, sleep};

use super::activity::Busy;
use super::failure::Failure;
use super::hop_by_hop;
use super::pool::AnswerBody;
use super::replay::Replay;
use super::watch::{Overdue, Watch};
use crate::lifecycle::{Lifecycle, Phase};
use crate::telemetry::request::{Request, RequestCause};

/// How long what came of a broken answer may take to go out to its caller.
const GRACE: Duration = Duration::from_millis(10);

/// What lasts as long as a request does.
pub(super) struct Underway {
    pub(super) account: Request,
    pub(super) watch: Arc<Watch>,
    pub(super) lifecycle: Arc<Lifecycle>,
    pub(super) _busy: Busy,
}

/// The body of an answer. Dropped before its end, the request was cut short: by its caller, unless a clock or the sidecar did it.
pub(super) struct Answer {
    body: Source,
    /// The request, of which the endpoint may not have taken everything yet.
    request: Option<Replay<Incoming>>,
    /// Bytes that are still owed, if that is known. hyper asks for nothing more when they are there.
    owed: Option<u64>,
    /// Came right behind the last byte.
    trailers: Option<HeaderMap>,
    /// The endpoint broke off.
    broken: Option<Breach>,
    underway: Underway,
}

/// An answer that broke off, of which the codec may still hold the beginning: it throws that away when it hears of the end.
struct Breach {
    failure: Failure,
    due: Pin<Box<Sleep>>,
}

enum Source {
    Own(Option<Bytes>),
    Endpoint(AnswerBody),
    Done,
}

impl Answer {
    /// An answer of the sidecar's own.
    pub(super) fn own(response: Response<Bytes>, method: &Method, mut underway: Underway) -> Response<Self> {
        underway.account.answers(response.status().as_u16());
        underway.watch.end();
        response.map(|body| {
            let body = (method != Method::HEAD && !body.is_empty()).then_some(body);
            let owed = Some(body.as_ref().map_or(0, |body| body.len() as u64));
            Self { body: Source::Own(body), request: None, owed, trailers: None, broken: None, underway }
        })
    }

    /// An endpoint's answer.
    pub(super) fn of_endpoint(
        response: Response<AnswerBody>,
        method: &Method,
        request: Replay<Incoming>,
        mut underway: Underway,
    ) -> Response<Self> {
        let status = response.status();
        underway.account.answers(status.as_u16());
        underway.watch.answering();
        let owed = if is_bodyless(method, status) { Some(0) } else { content_length(response.headers()) };
        response.map(|body| Self {
            body: Source::Endpoint(body),
            request: Some(request),
            owed,
            trailers: None,
            broken: None,
            underway,
        })
    }

    fn is_whole(&self) -> bool {
        let ended = match &self.body {
            Source::Own(body) => body.is_none(),
            Source::Endpoint(body) => body.is_end_stream(),
            Source::Done => true,
        };
        self.broken.is_none() && (ended || self.owed == Some(0))
    }

    fn endpoint_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let Source::Endpoint(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(poll_stripped(body, cx));
        match &frame {
            Some(Ok(frame)) => {
                self.underway.watch.moved();
                let data = frame.data_ref().map_or(0, |data| data.len() as u64);
                self.owed = self.owed.map(|owed| owed.saturating_sub(data));
                if frame.is_data() && self.owed == Some(0) && !body.is_end_stream() {
                    // Seen to its end now, so that what is whole is not cancelled.
                    match poll_stripped(body, cx) {
                        Poll::Ready(Some(Ok(last))) => self.trailers = last.into_trailers().ok(),
                        Poll::Ready(None) => self.body = Source::Done,
                        Poll::Ready(Some(Err(_))) | Poll::Pending => {}
                    }
                }
            }
            Some(Err(failure)) => {
                self.broken = Some(Breach { failure: *failure, due: Box::pin(sleep(GRACE)) });
                return self.breach(cx);
            }
            None => self.body = Source::Done,
        }
        Poll::Ready(frame)
    }

    /// Tells of the breach once what came before it had time to go out.
    fn breach(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let Some(breach) = &mut self.broken else { return Poll::Ready(None) };
        ready!(breach.due.as_mut().poll(cx));
        Poll::Ready(Some(Err(breach.failure)))
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let this = self.get_mut();
        if this.broken.is_some() {
            return this.breach(cx);
        }
        if let Some(trailers) = this.trailers.take() {
            this.body = Source::Done;
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        match &mut this.body {
            Source::Own(body) => {
                this.owed = Some(0);
                Poll::Ready(body.take().map(|body| Ok(Frame::data(body))))
            }
            Source::Endpoint(_) => this.endpoint_frame(cx),
            Source::Done => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            Source::Own(body) => body.is_none(),
            Source::Endpoint(body) => {
                self.broken.is_none() && self.trailers.is_none() && body.is_end_stream()
            }
            Source::Done => self.trailers.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Source::Own(body) => SizeHint::with_exact(body.as_ref().map_or(0, |body| body.len() as u64)),
            Source::Endpoint(body) => body.size_hint(),
            Source::Done => SizeHint::with_exact(0),
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let cause = if self.is_whole() {
            RequestCause::Answered
        } else if self.broken.is_some() {
            RequestCause::UpstreamBroke
        } else if self.underway.lifecycle.has_reached(Phase::Stopped) {
            RequestCause::Stopped
        } else {
            match self.underway.watch.ran_out() {
                Some(Overdue::Idle) => RequestCause::Idle,
                Some(Overdue::Request | Overdue::Duration) => RequestCause::TimedOut,
                None => RequestCause::CallerGone,
            }
        };
        if let Some(request) = &self.request {
            request.abandon();
        }
        self.underway.watch.end();
        self.underway.account.end(cause);
    }
}

/// What comes next, without the trailers that are meant for the endpoint's connection.
fn poll_stripped(body: &mut AnswerBody, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
    let polled = ready!(Pin::new(body).poll_frame(cx));
    Poll::Ready(match polled.map(|frame| frame.map(Frame::into_trailers)) {
        Some(Ok(Ok(trailers))) => hop_by_hop::strip_trailers(trailers).map(|left| Ok(Frame::trailers(left))),
        Some(Ok(Err(frame))) => Some(Ok(frame)),
        Some(Err(failure)) => Some(Err(failure)),
        None => None,
    })
}

/// Whether an answer has no body whatever its head says (RFC 9110 6.4.1).
fn is_bodyless(method: &Method, status: StatusCode) -> bool {
    *method == Method::HEAD || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
