//! The interpreter of scripts: one script over one connection.
//!
//! Actions run one after the other, with one exception. Sends and half-closes in a row, and the `expect`s and `read`s in a row right after
//! them, run at the same time, each side in its own order: `[{send: {size: 64MiB}}, {read: eof}]` against an `echo` would
//! otherwise wait for ever, both ends with full buffers. `send: {until: blocked}` never reads meanwhile.

use std::future::poll_fn;
use std::mem::MaybeUninit;
use std::task::{Poll, ready};

use reference_dp::net::Stream;
use tokio::io::ReadBuf;

use super::cursor::Cursor;
use super::echo::Echo;
use super::line::{Line, Stop};
use super::receive::Reads;
use super::send::{Writes, until_blocked};
use super::tls::Configs;
use crate::language::script::{Action, Script, Send};

/// How a script left its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The script ran to its end and the connection stands: the caller holds or closes it.
    Standing,
    /// The connection is over, and so recorded.
    Over,
}

/// Runs `script` on `line`; `configs` serve its `starttls`. Dropping the future leaves it to the line's `Drop` to record the totals.
pub async fn run<S: Stream>(line: &mut Line<S>, script: &Script, configs: &Configs) -> Outcome {
    match actions(line, script, configs).await {
        Ok(outcome) => outcome,
        Err(Stop::Failed(error)) => {
            line.failed(&error);
            Outcome::Over
        }
        Err(Stop::Recorded) => {
            line.give_up().await;
            Outcome::Over
        }
    }
}

async fn actions<S: Stream>(line: &mut Line<S>, script: &Script, configs: &Configs) -> Result<Outcome, Stop> {
    let mut cursor = Cursor::new(script);
    while let Some(next) = cursor.peek() {
        if Writes::takes(next) || Reads::takes(next) {
            exchange(line, &mut cursor).await?;
            continue;
        }
        cursor.take();
        match next {
            Action::Send(send @ Send { until_blocked: Some(_), .. }) => until_blocked(line, send).await?,
            Action::Echo => {
                let mut echo = Echo::default();
                poll_fn(|cx| echo.poll(cx, line)).await?;
            }
            Action::Close => {
                line.close().await;
                return Ok(Outcome::Over);
            }
            Action::Reset => {
                line.reset();
                return Ok(Outcome::Over);
            }
            Action::Stall => stall(line).await?,
            Action::Pause(time) => tokio::time::sleep(*time).await,
            Action::StartTls(options) => line.start_tls(configs, options).await?,
            // The cursor unrolls repetitions; the others are exchanges.
            Action::Repeat { .. }
            | Action::Send(_)
            | Action::HalfClose
            | Action::Expect(_)
            | Action::Read(_) => {}
        }
    }
    Ok(Outcome::Standing)
}

/// Writes in a row and reads in a row, at the same time.
async fn exchange<'a, S: Stream>(line: &mut Line<S>, cursor: &mut Cursor<'a>) -> Result<(), Stop> {
    let mut writes = Writes::new();
    while let Some(action) = cursor.peek().filter(|action| Writes::takes(action)) {
        writes.push(action);
        cursor.take();
    }
    let mut reads = Reads::new();
    while let Some(action) = cursor.peek().filter(|action| Reads::takes(action)) {
        reads.push(action);
        cursor.take();
    }
    poll_fn(|cx| {
        let read = reads.poll(cx, line)?;
        match writes.poll(cx, line) {
            Poll::Ready(Err(stop)) => {
                // What came before the connection failed is still to be had, and may say more than the failed write.
                let _ = reads.poll(cx, line)?;
                Poll::Ready(Err(stop))
            }
            Poll::Ready(Ok(())) => read.map(Ok),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Holds the connection until the other end is gone. That shows only to one who reads: the first byte is taken, and no more. An end that
/// came before the stall does not end it, so that `[{read: eof}, stall]` keeps a half-closed connection.
async fn stall<S: Stream>(line: &mut Line<S>) -> Result<(), Stop> {
    let mut deaf = line.at_eof();
    poll_fn(|cx| {
        if deaf {
            return Poll::Pending;
        }
        let mut space = [MaybeUninit::uninit(); 1];
        let mut buf = ReadBuf::uninit(&mut space);
        ready!(line.poll_read(cx, &mut buf))?;
        if buf.filled().is_empty() {
            return Poll::Ready(Ok(()));
        }
        deaf = true;
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests;
