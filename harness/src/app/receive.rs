//! `expect` and `read`: the reading side of a connection, polled so that it can run beside the writing side.

use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Buf;
use reference_dp::net::Stream;
use tokio::io::ReadBuf;
use tokio::time::{Instant, Sleep, sleep_until};

use super::line::{Line, PIECE, Stop};
use crate::language::script::{Action, Read};
use crate::language::value::Payload;
use crate::observe::Seen;

/// Bytes quoted of what was expected and what came.
const QUOTED: usize = 64;
/// Bytes among which a `read: {until}` must find what it looks for.
const UNTIL_MAX: usize = 1 << 20;

/// Reading actions in a row.
pub(super) struct Reads<'a> {
    left: VecDeque<&'a Action>,
    reading: Option<Reading<'a>>,
}

enum Reading<'a> {
    Expect(Expecting<'a>),
    Take(Taking),
    Until(Seeking<'a>),
}

impl<'a> Reads<'a> {
    pub(super) fn new() -> Self {
        Self { left: VecDeque::new(), reading: None }
    }

    /// Whether `action` may stand in such a row.
    pub(super) fn takes(action: &Action) -> bool {
        matches!(action, Action::Expect(_) | Action::Read(_))
    }

    pub(super) fn push(&mut self, action: &'a Action) {
        self.left.push_back(action);
    }

    pub(super) fn poll<S: Stream>(
        &mut self,
        cx: &mut Context<'_>,
        line: &mut Line<S>,
    ) -> Poll<Result<(), Stop>> {
        loop {
            match &mut self.reading {
                Some(Reading::Expect(expecting)) => ready!(expecting.poll(cx, line))?,
                Some(Reading::Take(taking)) => ready!(taking.poll(cx, line))?,
                Some(Reading::Until(seeking)) => ready!(seeking.poll(cx, line))?,
                None => {}
            }
            self.reading = match self.left.pop_front() {
                Some(Action::Expect(payload)) => Some(Reading::Expect(Expecting { payload, came: 0 })),
                Some(Action::Read(Read { until: Some(mark), .. })) => {
                    Some(Reading::Until(Seeking { mark, sought: 0 }))
                }
                Some(Action::Read(read)) => Some(Reading::Take(Taking::new(read))),
                _ => {
                    self.reading = None;
                    return Poll::Ready(Ok(()));
                }
            };
        }
    }
}

/// One `expect` in progress.
struct Expecting<'a> {
    payload: &'a Payload,
    /// Bytes that came, all as expected.
    came: u64,
}

impl Expecting<'_> {
    fn poll<S: Stream>(&mut self, cx: &mut Context<'_>, line: &mut Line<S>) -> Poll<Result<(), Stop>> {
        while self.came < self.payload.len() {
            let mut space = [MaybeUninit::uninit(); PIECE];
            let limit = clamp(self.payload.len() - self.came);
            let mut buf = ReadBuf::uninit(&mut space[..limit]);
            ready!(line.poll_read(cx, &mut buf))?;
            let found = buf.filled();
            let mut expected = [0; PIECE];
            self.payload.fill(self.came, &mut expected[..found.len()]);
            if found.is_empty() {
                line.see(self.too_short());
                return Poll::Ready(Err(Stop::Recorded));
            }
            if let Some(at) = (0..found.len()).find(|&i| found[i] != expected[i]) {
                line.see(self.differs(at, &expected[at..found.len()], &found[at..]));
                return Poll::Ready(Err(Stop::Recorded));
            }
            self.came += found.len() as u64;
        }
        Poll::Ready(Ok(()))
    }

    fn too_short(&self) -> Seen {
        let mut next = [0; QUOTED];
        let n = self.payload.fill(self.came, &mut next);
        Seen::Mismatch {
            expected: format!("{} bytes, next {}", self.payload.len(), quote(&next[..n])),
            found: format!("the end after {} bytes", self.came),
        }
    }

    fn differs(&self, at: usize, expected: &[u8], found: &[u8]) -> Seen {
        let at = self.came + at as u64;
        Seen::Mismatch {
            expected: format!("at byte {at} of {}: {}", self.payload.len(), quote(expected)),
            found: quote(found),
        }
    }
}

/// One `read: {until}` in progress.
struct Seeking<'a> {
    mark: &'a [u8],
    /// Bytes of those read ahead where the mark does not begin.
    sought: usize,
}

impl Seeking<'_> {
    fn poll<S: Stream>(&mut self, cx: &mut Context<'_>, line: &mut Line<S>) -> Poll<Result<(), Stop>> {
        loop {
            if let Some(end) = self.find(line.ahead()) {
                // What came after it is the next action's.
                line.ahead().advance(end);
                return Poll::Ready(Ok(()));
            }
            let came = line.ahead().len();
            let found = if came >= UNTIL_MAX {
                format!("none in {came} bytes")
            } else if ready!(line.poll_ahead(cx, PIECE))? == 0 {
                format!("the end after {came} bytes")
            } else {
                continue;
            };
            line.see(Seen::Mismatch { expected: quote(self.mark), found });
            return Poll::Ready(Err(Stop::Recorded));
        }
    }

    /// Where the mark ends.
    fn find(&mut self, bytes: &[u8]) -> Option<usize> {
        if self.mark.is_empty() {
            return Some(0);
        }
        let at = bytes[self.sought..].windows(self.mark.len()).position(|window| window == self.mark);
        let found = at.map(|at| self.sought + at + self.mark.len());
        self.sought = self.sought.max((bytes.len() + 1).saturating_sub(self.mark.len()));
        found
    }
}

/// One `read` in progress.
struct Taking {
    /// Bytes still to take; `None`: to the end.
    left: Option<u64>,
    rate: Option<Rate>,
}

/// A slow reader.
pub(super) struct Rate {
    per_second: u64,
    began: Instant,
    taken: u64,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Taking {
    fn new(read: &Read) -> Self {
        Self { left: read.bytes, rate: read.rate.map(Rate::new) }
    }

    fn poll<S: Stream>(&mut self, cx: &mut Context<'_>, line: &mut Line<S>) -> Poll<Result<(), Stop>> {
        while self.left != Some(0) {
            let mut limit = clamp(self.left.unwrap_or(u64::MAX));
            if let Some(rate) = &mut self.rate {
                ready!(rate.poll(cx));
                limit = limit.min(rate.helping());
            }
            let mut space = [MaybeUninit::uninit(); PIECE];
            let mut buf = ReadBuf::uninit(&mut space[..limit]);
            ready!(line.poll_read(cx, &mut buf))?;
            let n = buf.filled().len() as u64;
            if n == 0 {
                break;
            }
            self.left = self.left.map(|left| left - n);
            if let Some(rate) = &mut self.rate {
                rate.took(n);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Rate {
    pub(super) fn new(per_second: u64) -> Self {
        Self { per_second: per_second.max(1), began: Instant::now(), taken: 0, pause: None }
    }

    /// Bytes to take at once. Ten helpings a second: a smooth reader rather than one that gulps.
    pub(super) fn helping(&self) -> usize {
        clamp((self.per_second / 10).max(1))
    }

    /// Until the next helping may be taken.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        Poll::Ready(())
    }

    /// Waits until all that was taken since the begin is within the rate, so that no rounding adds up.
    pub(super) fn took(&mut self, n: u64) {
        self.taken += n;
        let nanos = u128::from(self.taken) * 1_000_000_000 / u128::from(self.per_second);
        let due = self.began + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.pause = Some(Box::pin(sleep_until(due)));
    }
}

/// At most one piece.
fn clamp(n: u64) -> usize {
    usize::try_from(n).unwrap_or(PIECE).min(PIECE)
}

/// Bytes in words: quoted text with escapes, cut where it gets long.
pub(crate) fn quote(bytes: &[u8]) -> String {
    quote_up_to(QUOTED, bytes)
}

/// As [`quote`], cut after `most` bytes.
pub(crate) fn quote_up_to(most: usize, bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(most)];
    let more = if bytes.len() > most { "…" } else { "" };
    format!("\"{}{more}\"", shown.escape_ascii())
}
