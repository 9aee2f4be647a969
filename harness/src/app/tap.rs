//! What passes at the socket: counted, digested and its beginning kept, in both directions.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use crate::observe::observation::Flow;

/// Bytes kept of the beginning of a flow.
pub const HEAD: usize = 4096;

/// Between the pieces of a first flight that is sent in pieces; without, the kernel would join them again.
const PIECE_PAUSE: Duration = Duration::from_millis(1);

/// A running account of one direction.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    bytes: u64,
    digest: blake3::Hasher,
    head: Vec<u8>,
}

impl Meter {
    /// Takes `data` into account.
    pub fn count(&mut self, data: &[u8]) {
        self.bytes += data.len() as u64;
        self.digest.update(data);
        let room = HEAD.saturating_sub(self.head.len()).min(data.len());
        self.head.extend_from_slice(&data[..room]);
    }

    /// How many bytes passed.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The account so far.
    #[must_use]
    pub fn flow(&self) -> Flow {
        if self.bytes == 0 {
            return Flow::default();
        }
        Flow {
            bytes: self.bytes,
            blake3: hexadecimal(self.digest.finalize().as_bytes()),
            head: hexadecimal(&self.head),
        }
    }
}

/// In one go: `hex::encode` adds character by character, which shows where thousands of connections end.
fn hexadecimal(bytes: &[u8]) -> String {
    let mut digits = vec![0; 2 * bytes.len()];
    // There is room for exactly these digits, all of them ASCII.
    let _ = hex::encode_to_slice(bytes, &mut digits);
    String::from_utf8(digits).unwrap_or_default()
}

/// Both directions of a connection.
#[derive(Debug, Clone, Default)]
pub struct Meters {
    /// What this end wrote.
    pub sent: Meter,
    /// What this end read.
    pub received: Meter,
}

/// The account of a [`Tap`], still readable when the tap is inside TLS, or gone.
#[derive(Debug, Clone, Default)]
pub struct SharedMeters(Arc<Mutex<Meters>>);

impl SharedMeters {
    /// The account, for a moment.
    pub fn lock(&self) -> MutexGuard<'_, Meters> {
        // Counting cannot panic half-way, so a poisoned account is still right.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream that is measured.
#[derive(Debug)]
pub struct Tap<S> {
    io: S,
    meters: SharedMeters,
    pieces: Option<Pieces>,
}

/// The first flight goes out in pieces.
#[derive(Debug)]
struct Pieces {
    bytes: usize,
    pause: Option<Pin<Box<Sleep>>>,
}

impl<S> Tap<S> {
    /// Measures `io` into `meters`.
    pub fn new(io: S, meters: SharedMeters) -> Self {
        Self { io, meters, pieces: None }
    }

    /// Until the other end answers, writes at most `bytes` at a time, 1 ms apart.
    pub fn split_first_flight(&mut self, bytes: u64) {
        let bytes = usize::try_from(bytes.max(1)).unwrap_or(usize::MAX);
        self.pieces = Some(Pieces { bytes, pause: None });
    }

    /// The stream below.
    pub fn get_ref(&self) -> &S {
        &self.io
    }

    /// Ends measuring.
    pub fn into_inner(self) -> S {
        self.io
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
        let came = &buf.filled()[before..];
        if !came.is_empty() {
            this.meters.lock().received.count(came);
            this.pieces = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let mut limit = buf.len();
        if let Some(pieces) = &mut this.pieces {
            if let Some(pause) = &mut pieces.pause {
                ready!(pause.as_mut().poll(cx));
                pieces.pause = None;
            }
            limit = limit.min(pieces.bytes);
        }
        let n = ready!(Pin::new(&mut this.io).poll_write(cx, &buf[..limit]))?;
        this.meters.lock().sent.count(&buf[..n]);
        if let Some(pieces) = &mut this.pieces {
            pieces.pause = Some(Box::pin(tokio::time::sleep(PIECE_PAUSE)));
        }
        Poll::Ready(Ok(n))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    // FIPS 180-2, appendix B.1.
    const BLAKE3_ABC: &str = "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85";

    #[tokio::test]
    async fn counts_digests_and_keeps_the_head_of_both_directions() {
        let (here, mut there) = tokio::io::duplex(10_000);
        let meters = SharedMeters::default();
        let mut tap = Tap::new(here, meters.clone());
        tap.write_all(b"a").await.unwrap();
        tap.write_all(b"bc").await.unwrap();
        there.write_all(&[7; HEAD + 1]).await.unwrap();
        let mut got = vec![0; HEAD + 1];
        tap.read_exact(&mut got).await.unwrap();

        let sent = meters.lock().sent.flow();
        assert_eq!(sent, Flow { bytes: 3, blake3: BLAKE3_ABC.into(), head: "616263".into() });
        let received = meters.lock().received.flow();
        assert_eq!(received.bytes, HEAD as u64 + 1);
        assert_eq!(received.head, "07".repeat(HEAD));
    }

    #[test]
    fn nothing_has_no_digest() {
        assert_eq!(Meter::default().flow(), Flow::default());
    }

    #[tokio::test(start_paused = true)]
    async fn a_first_flight_in_pieces_takes_a_millisecond_a_piece() {
        let (here, mut there) = tokio::io::duplex(100);
        let mut tap = Tap::new(here, SharedMeters::default());
        tap.split_first_flight(2);
        let began = tokio::time::Instant::now();
        tap.write_all(b"hello").await.unwrap();
        assert_eq!(began.elapsed(), 2 * PIECE_PAUSE);

        there.write_all(b"x").await.unwrap();
        tap.read_u8().await.unwrap();
        let answered = tokio::time::Instant::now();
        tap.write_all(b"hello").await.unwrap();
        assert_eq!(answered.elapsed(), Duration::ZERO);
    }
}
