//! Bodies that go over HTTP/2.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};
use hyper::body::Incoming;
use reference_dp::net::Stream;
use tokio::sync::mpsc;
use tokio::time::{Sleep, sleep};

use crate::app::http::exchange::{BodyRecord, Exchange};
use crate::app::http::fields::recorded;
use crate::app::http::h1::BEFORE_RESET;
use crate::app::http::source::Source;

/// How an app ends its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Closes it.
    Close,
    /// Resets it.
    Reset,
    /// Takes no more requests, and closes it when all are answered.
    Last,
}

/// A body in progress, with its records.
pub(super) struct Outgoing<S> {
    pub(super) content: Content<S>,
    pub(super) trailers: HeaderMap,
    pub(super) record: BodyRecord<S>,
    /// The exchange, if it ends with this body.
    pub(super) exchange: Option<Exchange<S>>,
    pub(super) cut: Option<Cutting>,
    over: bool,
}

/// What it is made of.
pub(super) enum Content<S> {
    /// What a script says.
    Source(Source),
    /// What comes in another body, with that one's record (which is large).
    Echo(Incoming, Box<BodyRecord<S>>),
}

/// An end in the middle.
pub(super) struct Cutting {
    pub(super) left: u64,
    pub(super) end: End,
    pub(super) ends: mpsc::UnboundedSender<End>,
    pub(super) pause: Option<Pin<Box<Sleep>>>,
}

impl<S: Stream> Outgoing<S> {
    pub(super) fn new(
        content: Content<S>,
        trailers: HeaderMap,
        record: BodyRecord<S>,
        exchange: Option<Exchange<S>>,
        cut: Option<Cutting>,
    ) -> Self {
        let mut body = Self { content, trailers, record, exchange, cut, over: false };
        body.end_if_last();
        body
    }

    /// The end goes with the last data, if nothing else is to come.
    fn end_if_last(&mut self) {
        let last = matches!(&self.content, Content::Source(source) if source.is_over());
        if last && self.trailers.is_empty() && self.cut.is_none() {
            self.end();
        }
    }

    fn end(&mut self) {
        self.over = true;
        self.record.done(recorded(&self.trailers));
        if let Some(exchange) = self.exchange.take() {
            exchange.done();
        }
    }

    /// The app dies here, if the script says so.
    fn poll_cut(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(cut) = self.cut.as_mut().filter(|cut| cut.left == 0) else { return Poll::Ready(()) };
        let pause = cut.pause.get_or_insert_with(|| Box::pin(sleep(BEFORE_RESET)));
        if self.over {
            return Poll::Pending;
        }
        ready!(pause.as_mut().poll(cx));
        self.over = true;
        if let Some(exchange) = self.exchange.take() {
            exchange.failed(if cut.end == End::Reset {
                "reset by the script"
            } else {
                "closed by the script"
            });
        }
        // A connection that is over cannot be ended.
        let _ = cut.ends.send(cut.end);
        Poll::Pending
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, hyper::Error>>> {
        let (incoming, record) = match &mut self.content {
            Content::Source(source) => return source.poll_next(cx).map(|data| data.map(Ok)),
            Content::Echo(incoming, record) => (incoming, record),
        };
        loop {
            let Some(frame) = ready!(Pin::new(&mut *incoming).poll_frame(cx)?) else {
                record.done(Vec::new());
                return Poll::Ready(None);
            };
            match frame.into_data() {
                Ok(data) => {
                    record.came(&data);
                    return Poll::Ready(Some(Ok(data)));
                }
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    record.done(recorded(&trailers));
                }
            }
        }
    }
}

impl<S: Stream> Body for Outgoing<S> {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        ready!(this.poll_cut(cx));
        if this.over {
            return Poll::Ready(None);
        }
        let Some(mut data) = ready!(this.poll_data(cx)?) else {
            this.end();
            let trailers = std::mem::take(&mut this.trailers);
            return Poll::Ready((!trailers.is_empty()).then(|| Ok(Frame::trailers(trailers))));
        };
        if let Some(cut) = &mut this.cut {
            data.truncate(usize::try_from(cut.left).unwrap_or(usize::MAX));
            cut.left -= data.len() as u64;
        }
        this.record.sent(&data);
        this.end_if_last();
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.over && self.cut.is_none()
    }
}
