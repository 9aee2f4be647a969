//! One connection of a caller: HTTP/1.1, or HTTP/2 with prior knowledge, as its first bytes tell.

use std::error::Error as StdError;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::activity::Activity;
use super::driver::{Driver, Ended};
use super::executor::Streams;
use super::forward;
use super::framing::{Framing, HEAD_BYTES_MAX};
use super::head_clock::HeadClock;
use super::hop::{Caller, Direction, Hop};
use super::metered::Metered;
use super::screen;
use super::watch::{STREAM, Watch};
use super::window;
use crate::lifecycle::Phase;
use crate::plan::HttpVersion;
use crate::telemetry::exchange::{Cause, Event, Exchange, Side};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes read ahead of one HTTP/1.1 connection, and held for a caller that does not read: room for the largest head.
const BUFFER_BYTES: usize = HEAD_BYTES_MAX + 4 * 1024;

/// Requests of one HTTP/2 connection at once; also of those that are taken back before they are looked at. h2's own limit for these, 20, would end a
/// connection that two sidecars share when many callers go away at once.
const STREAMS_MAX: u32 = 1024;

/// Bytes of one answer held for a caller that does not read.
const SEND_BYTES: usize = 64 * 1024;

/// How long a caller may still send after its connection has been answered for the last time. Closed at once, it might lose that answer to a reset
/// (RFC 9112 9.6).
const LINGER: Duration = Duration::from_secs(1);

/// What a caller gets whose head takes too long. It is no request yet, and has no account.
const LATE: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 22\r\ncontent-type: text/plain\r\nserver: envoy\r\n\
    connection: close\r\n\r\nrequest header timeout";

/// Serves a caller's connection until it is over. The stream is the caller's to close: [`Cause::Stopped`] wants it reset.
pub(crate) async fn serve<S>(
    hop: &Arc<Hop>,
    stream: &mut S,
    caller: Option<Caller>,
    exchange: &mut Exchange,
) -> Cause
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let (version, first) = match sniff(hop, stream).await {
        Ok(sniffed) => sniffed,
        Err(cause) => return cause,
    };
    exchange.tell(&Event::Speaks(version));
    exchange.tell(&Event::Read(Side::Downstream, first.len()));
    let caller = caller.map(Arc::new);
    match version {
        HttpVersion::V1 => http1(hop, stream, caller, exchange, first).await,
        HttpVersion::V2 => http2(hop, stream, caller, exchange, first).await,
    }
}

/// Reads until the version is clear.
async fn sniff<S: AsyncRead + Unpin>(hop: &Hop, stream: &mut S) -> Result<(HttpVersion, Bytes), Cause> {
    let mut first = [0; PREFACE.len()];
    let mut read = 0;
    loop {
        let more = tokio::select! {
            biased;
            () = hop.lifecycle.reached(Phase::Stopped) => return Err(Cause::Stopped),
            more = stream.read(&mut first[read..]) => more,
            () = hop.lifecycle.reached(Phase::Draining) => return Err(ENDED_HERE),
        };
        match more {
            Ok(0) => return Err(ENDED_THERE),
            Ok(more) => read += more,
            Err(_) => return Err(BROKEN_THERE),
        }
        let sniffed = &first[..read];
        if sniffed == PREFACE {
            return Ok((HttpVersion::V2, Bytes::copy_from_slice(sniffed)));
        }
        if !PREFACE.starts_with(sniffed) {
            return Ok((HttpVersion::V1, Bytes::copy_from_slice(sniffed)));
        }
    }
}

const ENDED_HERE: Cause = Cause::Finished { first: Side::Upstream };
const ENDED_THERE: Cause = Cause::Finished { first: Side::Downstream };
const BROKEN_THERE: Cause = Cause::Reset { by: Side::Downstream };

async fn http1<S>(
    hop: &Arc<Hop>,
    stream: &mut S,
    caller: Option<Arc<Caller>>,
    exchange: &mut Exchange,
    first: Bytes,
) -> Cause
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let activity = Arc::new(Activity::default());
    let watch = Arc::new(Watch::default());
    let service = service_fn(|request| {
        Box::pin(forward::serve(hop.clone(), caller.clone(), request, watch.clone(), activity.begin()))
    });
    let heads = Arc::new(HeadClock::default());
    let mut gone = false;
    let ended = {
        let framing = Some((Framing::default(), heads.clone()));
        let metered = Metered::new(stream, exchange, &activity, first, framing, &mut gone);
        let mut serving = http1::Builder::new()
            .auto_date_header(false)
            .header_read_timeout(None)
            .max_header_size(HEAD_BYTES_MAX)
            .max_buf_size(BUFFER_BYTES)
            .serve_connection(TokioIo::new(metered), service);
        let driver = Driver { hop, activity: &activity };
        let served = driver.drive(
            &mut serving,
            |serving, cx| Pin::new(serving).poll(cx),
            |serving| Pin::new(serving).graceful_shutdown(),
        );
        tokio::select! {
            biased;
            () = watch.cut() => Ended::Cut,
            () = late(&heads, &activity, hop.policy.request_headers_timeout) => Ended::Late,
            ended = served => ended,
        }
    };
    match ended {
        Ended::Stopped => Cause::Stopped,
        Ended::Cut => ENDED_HERE,
        Ended::Late => {
            exchange.tell(&Event::Malformed { status: Some(408) });
            // A caller that is gone needs no answer.
            let _ = timeout(LINGER, stream.write_all(LATE)).await;
            linger(hop, stream).await
        }
        Ended::Over(Ok(())) if gone => ENDED_THERE,
        Ended::Over(Ok(())) => linger(hop, stream).await,
        Ended::Over(Err(error)) if error.is_parse() => {
            let status = if error.is_parse_too_large() { 431 } else { 400 };
            exchange.tell(&Event::Malformed { status: Some(status) });
            linger(hop, stream).await
        }
        Ended::Over(Err(error)) => {
            tracing::debug!(%error, "a caller's connection broke");
            if error.is_user() || error.is_body_write_aborted() { ENDED_HERE } else { BROKEN_THERE }
        }
    }
}

async fn http2<S>(
    hop: &Arc<Hop>,
    stream: &mut S,
    caller: Option<Arc<Caller>>,
    exchange: &mut Exchange,
    first: Bytes,
) -> Cause
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let activity = Arc::new(Activity::default());
    let service = service_fn(|request| {
        let (hop, caller, busy) = (hop.clone(), caller.clone(), activity.begin());
        async move {
            let watch = STREAM.try_with(Arc::clone).unwrap_or_default();
            forward::serve(hop, caller, request, watch, busy).await
        }
    });
    let mut gone = false;
    let ended = {
        let streams = Streams { spawn: hop.spawn.clone(), lifecycle: hop.lifecycle.clone() };
        let metered = Metered::new(stream, exchange, &activity, first, None, &mut gone);
        let mut serving = http2::Builder::new(streams)
            .auto_date_header(false)
            .max_concurrent_streams(STREAMS_MAX)
            .max_pending_accept_reset_streams(STREAMS_MAX as usize)
            .max_header_list_size(codec_head_max(&hop.direction))
            .initial_stream_window_size(window::STREAM)
            .initial_connection_window_size(window::CONNECTION)
            .max_send_buf_size(SEND_BYTES)
            .serve_connection(TokioIo::new(metered), service);
        let driver = Driver { hop, activity: &activity };
        driver
            .drive(
                &mut serving,
                |serving, cx| Pin::new(serving).poll(cx),
                |serving| Pin::new(serving).graceful_shutdown(),
            )
            .await
    };
    match ended {
        Ended::Stopped => Cause::Stopped,
        Ended::Over(Ok(())) if gone => ENDED_THERE,
        Ended::Cut | Ended::Late | Ended::Over(Ok(())) => ENDED_HERE,
        Ended::Over(Err(error)) => {
            tracing::debug!(%error, "a caller's connection broke");
            if !is_io(&error) {
                exchange.tell(&Event::Malformed { status: None });
            }
            BROKEN_THERE
        }
    }
}

/// Largest head of HTTP/2 that the codec takes: it answers what is larger by itself, and no account is kept of that. So it takes twice of what is let
/// through.
fn codec_head_max(direction: &Direction) -> u32 {
    u32::try_from(2 * screen::head_list_max(direction)).unwrap_or(u32::MAX)
}

/// Waits until the head of a request is overdue; of a pipelined one, when the answers before it are given: what is said of it must not land in them.
async fn late(heads: &HeadClock, activity: &Activity, limit: Option<Duration>) {
    loop {
        heads.overdue(limit).await;
        if activity.is_settled() {
            return;
        }
        activity.settled().await;
    }
}

/// Whether the connection broke rather than what was said on it.
fn is_io(error: &hyper::Error) -> bool {
    let mut next = error.source();
    while let Some(error) = next {
        if error.is::<io::Error>() || error.downcast_ref::<h2::Error>().is_some_and(h2::Error::is_io) {
            return true;
        }
        next = error.source();
    }
    false
}

/// Ends a connection so that its last answer arrives: nothing more is said, and what still comes is thrown away for a while.
async fn linger<S: AsyncRead + AsyncWrite + Unpin>(hop: &Hop, stream: &mut S) -> Cause {
    let mut first = ENDED_HERE;
    let gone = async {
        stream.shutdown().await?;
        let mut rest = [0; 4096];
        while stream.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    tokio::select! {
        biased;
        () = hop.lifecycle.reached(Phase::Stopped) => return Cause::Stopped,
        gone = timeout(LINGER, gone) => if gone.is_ok_and(|gone| gone.is_err()) {
            first = BROKEN_THERE;
        },
    }
    first
}

#[cfg(test)]
mod tests;
