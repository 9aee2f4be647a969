//! The body of a request, which streams through and, while it is small, can be sent again.

use std::error::Error as StdError;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::hop_by_hop;
use super::pool::BodyError;
use super::watch::Watch;

/// Bytes of a body that are kept for another try (seen 1.1: Envoy's default limit of a buffer).
pub(super) const KEPT_BYTES_MAX: usize = 1024 * 1024;

/// Pieces below this many bytes are copied together: each would cost more than it holds, and keep the buffer alive that it was read into.
const SMALL_BYTES: usize = 1024;

/// So many bytes that were copied together are a piece.
const COPIED_BYTES: usize = 16 * 1024;

/// Why a body broke off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Breach {
    /// The caller is gone, or took its request back.
    Gone,
    /// It is not framed as it should be.
    Malformed,
}

/// The body of one request, for one try after the other.
pub(super) struct Replay<B> {
    shared: Arc<Shared<B>>,
}

struct Shared<B> {
    state: Mutex<State<B>>,
    watch: Arc<Watch>,
}

struct State<B> {
    source: Option<B>,
    /// Which try the body is for; older ones get nothing more.
    turn: u64,
    length: Option<u64>,
    keeping: bool,
    kept: Vec<Bytes>,
    /// Small pieces that are no kept piece yet; the try whose turn it is has had them.
    copied: Vec<u8>,
    kept_bytes: usize,
    /// Which of the kept pieces is the next one for the try.
    at: usize,
    end: Option<End>,
}

#[derive(Clone)]
enum End {
    Whole(Option<HeaderMap>),
    Broken(Breach),
}

impl<B> Replay<B>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn StdError + Send + Sync>>> + Unpin,
{
    /// Takes a body over; `keep` it if there may be another try. `watch` hears of what moves, and of the end.
    pub(super) fn new(source: B, keep: bool, watch: Arc<Watch>) -> Self {
        let length = source.size_hint().exact();
        let end = source.is_end_stream().then_some(End::Whole(None));
        if end.is_some() {
            watch.asked();
        }
        let source = end.is_none().then_some(source);
        let (kept, copied) = (Vec::new(), Vec::new());
        let state = State { source, turn: 0, length, keeping: keep, kept, copied, kept_bytes: 0, at: 0, end };
        Self { shared: Arc::new(Shared { state: Mutex::new(state), watch }) }
    }

    /// The body from its beginning, for the next try; older ones break off.
    pub(super) fn again(&self) -> TryBody<B> {
        let mut state = self.shared.state();
        state.turn += 1;
        state.join();
        state.at = 0;
        TryBody { shared: self.shared.clone(), turn: state.turn, sent: 0, trailed: false }
    }

    /// Whether all that came so far is still there.
    pub(super) fn can_be_sent_again(&self) -> bool {
        let state = self.shared.state();
        state.keeping && !matches!(state.end, Some(End::Broken(_)))
    }

    /// Whether the body broke off, and why.
    pub(super) fn breach(&self) -> Option<Breach> {
        match self.shared.state().end {
            Some(End::Broken(breach)) => Some(breach),
            _ => None,
        }
    }

    /// There will be no other try: nothing is kept any more but what this one still lacks.
    pub(super) fn no_other_try(&self) {
        let mut state = self.shared.state();
        state.keeping = false;
        state.let_go();
    }

    /// Nothing more of the body is wanted.
    pub(super) fn abandon(&self) {
        let source = {
            let mut state = self.shared.state();
            state.turn += 1;
            (state.kept, state.copied) = (Vec::new(), Vec::new());
            state.source.take()
        };
        drop(source);
    }
}

impl<B> Shared<B> {
    fn state(&self) -> MutexGuard<'_, State<B>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B> State<B> {
    fn keep(&mut self, data: &Bytes) {
        self.kept_bytes += data.len();
        if self.kept_bytes > KEPT_BYTES_MAX {
            self.keeping = false;
            self.let_go();
        }
        if !self.keeping {
            return;
        }
        if data.len() < SMALL_BYTES {
            self.copied.extend_from_slice(data);
            if self.copied.len() >= COPIED_BYTES {
                self.join();
            }
        } else {
            self.join();
            self.kept.push(data.clone());
        }
        self.at = self.kept.len();
    }

    /// Makes what was copied together a kept piece.
    fn join(&mut self) {
        if !self.copied.is_empty() {
            self.kept.push(Bytes::copy_from_slice(&self.copied));
            self.copied.clear();
        }
    }

    /// Lets go of what nobody can want, once the try has all that was kept.
    fn let_go(&mut self) {
        if !self.keeping {
            self.copied = Vec::new();
        }
        if !self.keeping && self.at >= self.kept.len() {
            (self.kept, self.at) = (Vec::new(), 0);
        }
    }

    fn next_kept(&mut self) -> Option<Bytes> {
        let piece = self.kept.get(self.at).cloned()?;
        self.at += 1;
        self.let_go();
        Some(piece)
    }

    fn finish(&mut self, end: End) {
        self.source = None;
        self.end = Some(end);
    }
}

/// A body as one try sends it.
pub(super) struct TryBody<B> {
    shared: Arc<Shared<B>>,
    turn: u64,
    sent: u64,
    /// Whether the trailers were given out.
    trailed: bool,
}

impl<B> Body for TryBody<B>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn StdError + Send + Sync>>> + Unpin,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let shared = this.shared.clone();
        let mut state = shared.state();
        if state.turn != this.turn {
            return Poll::Ready(Some(Err(BodyError)));
        }
        if let Some(piece) = state.next_kept() {
            this.sent += piece.len() as u64;
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        match &state.end {
            Some(End::Whole(None)) => return Poll::Ready(None),
            Some(End::Whole(Some(trailers))) => {
                let given = std::mem::replace(&mut this.trailed, true);
                return Poll::Ready((!given).then(|| Ok(Frame::trailers(trailers.clone()))));
            }
            Some(End::Broken(_)) => return Poll::Ready(Some(Err(BodyError))),
            None => {}
        }
        let Some(source) = &mut state.source else { return Poll::Ready(Some(Err(BodyError))) };
        let frame = ready!(Pin::new(&mut *source).poll_frame(cx));
        let last = source.is_end_stream();
        let frame = match frame {
            None => {
                state.finish(End::Whole(None));
                None
            }
            Some(Err(error)) => {
                state.finish(End::Broken(breach(&*error.into())));
                return Poll::Ready(Some(Err(BodyError)));
            }
            Some(Ok(frame)) => {
                shared.watch.moved();
                match frame.into_trailers() {
                    Ok(trailers) => {
                        let trailers = hop_by_hop::strip_trailers(trailers);
                        state.finish(End::Whole(trailers.clone()));
                        this.trailed = true;
                        trailers.map(|trailers| Ok(Frame::trailers(trailers)))
                    }
                    Err(frame) => {
                        if let Some(data) = frame.data_ref() {
                            this.sent += data.len() as u64;
                            state.keep(data);
                        }
                        if last {
                            state.finish(End::Whole(None));
                        }
                        Some(Ok(frame))
                    }
                }
            }
        };
        if state.end.is_some() {
            shared.watch.asked();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        let state = self.shared.state();
        state.turn == self.turn && matches!(state.end, Some(End::Whole(None))) && state.at >= state.kept.len()
    }

    fn size_hint(&self) -> SizeHint {
        let length = self.shared.state().length;
        length.map_or_else(SizeHint::default, |length| SizeHint::with_exact(length.saturating_sub(self.sent)))
    }
}

/// An end that came too early is the caller's going; other errors are bytes that are no body.
fn breach(error: &(dyn StdError + 'static)) -> Breach {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>()
            && matches!(io.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)
        {
            return Breach::Malformed;
        }
        next = error.source();
    }
    Breach::Gone
}

#[cfg(test)]
mod tests;
