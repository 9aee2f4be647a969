//! A step's requests, on one connection after the other.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use reference_dp::net::{Network, Stream};
use reference_dp::spawn::Spawn;

use super::h1::{self, Broken, Left};
use super::h2::Http2;
use super::shared::SharedLine;
use crate::app::caller::Caller;
use crate::app::line::Line;
use crate::app::record::Recorder;
use crate::language::http::{HttpScript, HttpVersion, Request};

/// A connection that speaks HTTP. Dropping it ends it.
#[derive(Debug)]
pub(in crate::app) struct Session<S: Stream> {
    line: SharedLine<S>,
    /// Number of the next exchange.
    next: u32,
    http2: Option<Http2<S>>,
}

/// Makes the requests of `script`, on `session` and, when that is used up, on new connections of `caller`. What is left of them; nothing, if
/// the last one is over.
pub(in crate::app) async fn run<N: Network>(
    caller: &Caller<N>,
    session: Session<N::Stream>,
    script: &HttpScript,
) -> Option<Session<N::Stream>> {
    let authority = caller.target.to_string();
    let requests = script.requests.iter().flat_map(|r| std::iter::repeat_n(r, r.times as usize));
    if script.at_once && script.version == HttpVersion::V2 {
        let mut session = session.or_new(caller, script.version).await?;
        session.all(requests, &authority).await;
        return Some(session);
    }
    let mut session = Some(session);
    for request in requests {
        let mut current = match session.take() {
            Some(session) => session.or_new(caller, script.version).await?,
            None => Session::open(caller.dial().await?, script.version, caller.spawn()).await?,
        };
        if current.exchange(request, &authority).await? {
            session = Some(current);
        }
    }
    session
}

impl<S: Stream> Session<S> {
    /// Speaks HTTP over `line`; not, if the connection failed.
    pub(in crate::app) async fn open(
        line: Line<S>,
        version: HttpVersion,
        spawn: &Arc<dyn Spawn>,
    ) -> Option<Self> {
        let line = SharedLine::new(line);
        let http2 = match version {
            HttpVersion::V1 => None,
            HttpVersion::V2 => Some(Http2::begin(&line, spawn).await.ok()?),
        };
        Some(Self { line, next: 0, http2 })
    }

    /// The connection's number.
    pub(in crate::app) fn number(&self) -> u32 {
        self.line.lock().number()
    }

    /// Goes on in the name of another step.
    pub(in crate::app) fn adopt(&self, recorder: Recorder) {
        self.line.lock().adopt(recorder);
    }

    /// The script ended and the connection stays.
    pub(in crate::app) fn hold(&self) {
        self.line.lock().hold();
    }

    /// What it speaks.
    pub(in crate::app) fn version(&self) -> HttpVersion {
        if self.http2.is_some() { HttpVersion::V2 } else { HttpVersion::V1 }
    }

    /// Closes the connection; the script is done.
    pub(in crate::app) async fn close(mut self) {
        // The leash is for those who do not close.
        let _leash = match self.http2.take() {
            Some(http2) => Some(http2.end().await),
            None => None,
        };
        self.line.close().await;
    }

    /// This connection, or a new one if the other end has closed this one.
    async fn or_new<N: Network<Stream = S>>(
        mut self,
        caller: &Caller<N>,
        version: HttpVersion,
    ) -> Option<Self> {
        let stands = match &mut self.http2 {
            Some(http2) => http2.is_ready().await,
            // A fresh one is spoken to, come what may.
            None => self.next == 0 || !self.line.is_gone().await,
        };
        if stands {
            return Some(self);
        }
        self.close().await;
        Self::open(caller.dial().await?, version, caller.spawn()).await
    }

    /// Makes one request. Whether the connection may be used again; none, if it failed, which ends the script.
    async fn exchange(&mut self, request: &Request, authority: &str) -> Option<bool> {
        let number = self.next;
        self.next += 1;
        if let Some(http2) = &mut self.http2 {
            let whole = http2.exchange(&self.line, number, request, authority).await;
            // A stream that failed leaves its connection, unless that failed with it.
            if whole || http2.is_ready().await {
                return Some(true);
            }
            self.line.give_up().await;
            return None;
        }
        match h1::exchange(&self.line, number, request, authority).await {
            Left::Standing => Some(true),
            Left::Used => {
                self.line.close().await;
                Some(false)
            }
            Left::Aborted => {
                self.line.leave().await;
                Some(false)
            }
            Left::Failed(Broken::Io(error)) => {
                self.line.lock().failed(&error);
                None
            }
            Left::Failed(_) => {
                self.line.give_up().await;
                None
            }
        }
    }

    /// Makes all requests at once; HTTP/2 only.
    async fn all<'a>(&mut self, requests: impl Iterator<Item = &'a Request>, authority: &str) {
        let Some(http2) = &self.http2 else { return };
        let mut works = Vec::new();
        for request in requests {
            works.push(Box::pin(http2.exchange(&self.line, self.next, request, authority)));
            self.next += 1;
        }
        poll_fn(|cx| {
            works.retain_mut(|work| work.as_mut().poll(cx).is_pending());
            if works.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// The line, for a script of bytes; none, if hyper has its hands on it.
    pub(in crate::app) fn into_line(self) -> Option<Line<S>> {
        if self.http2.is_some() { None } else { self.line.into_line() }
    }
}
