//! `echo`: sends back what comes until the other end closes its direction, then closes its own.

use std::mem::MaybeUninit;
use std::task::{Context, Poll, ready};

use reference_dp::net::Stream;
use tokio::io::ReadBuf;

use super::line::{Line, PIECE, Stop};

/// An `echo` in progress.
#[derive(Default)]
pub(super) struct Echo {
    /// What came and could not be sent back yet; allocated only then.
    left: Vec<u8>,
    gone: usize,
}

impl Echo {
    pub(super) fn poll<S: Stream>(
        &mut self,
        cx: &mut Context<'_>,
        line: &mut Line<S>,
    ) -> Poll<Result<(), Stop>> {
        loop {
            while self.gone < self.left.len() {
                self.gone += ready!(line.poll_write(cx, &self.left[self.gone..]))?;
            }
            *self = Self::default();

            let mut space = [MaybeUninit::uninit(); PIECE];
            let mut buf = ReadBuf::uninit(&mut space);
            let Poll::Ready(read) = line.poll_read(cx, &mut buf) else {
                // TLS may still hold some of what was written.
                let _ = line.poll_flush(cx)?;
                return Poll::Pending;
            };
            read?;
            if buf.filled().is_empty() {
                return line.poll_half_close(cx).map_err(Stop::Failed);
            }
            self.send_back(cx, line, buf.filled())?;
        }
    }

    /// Sends back what goes at once, and keeps the rest.
    fn send_back<S: Stream>(
        &mut self,
        cx: &mut Context<'_>,
        line: &mut Line<S>,
        data: &[u8],
    ) -> Result<(), Stop> {
        let mut gone = 0;
        while gone < data.len() {
            match line.poll_write(cx, &data[gone..]) {
                Poll::Ready(n) => gone += n?,
                Poll::Pending => {
                    self.left = data[gone..].to_vec();
                    break;
                }
            }
        }
        Ok(())
    }
}
