//! The body of a request on its way over an HTTP/2 stream.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use h2::{Reason, SendStream};
use http_body_util::BodyExt;
use tokio::sync::oneshot;

use super::Upload;
use crate::lifecycle::{Lifecycle, Phase};

/// Carries a body until it is whole, the endpoint wants no more of it, or nobody wants the answer any more: `gone` ends, or the body breaks off. Then
/// the stream is cancelled.
pub(super) async fn carry(
    body: Upload,
    mut stream: SendStream<Bytes>,
    gone: oneshot::Receiver<()>,
    lifecycle: Arc<Lifecycle>,
) {
    let carried = tokio::select! {
        biased;
        () = lifecycle.reached(Phase::Stopped) => return,
        _ = gone => Err(Broken),
        carried = pump(body, &mut stream) => carried,
    };
    if carried.is_err() {
        stream.send_reset(Reason::CANCEL);
    }
}

/// The body broke off, the stream takes no more of it, or nobody wants it any more.
struct Broken;

async fn pump(mut body: Upload, stream: &mut SendStream<Bytes>) -> Result<(), Broken> {
    loop {
        let frame = tokio::select! {
            biased;
            _ = poll_fn(|cx| stream.poll_reset(cx)) => return Ok(()),
            frame = body.frame() => frame,
        };
        let Some(frame) = frame else {
            return stream.send_data(Bytes::new(), true).map_err(|_| Broken);
        };
        match frame.map_err(|_| Broken)?.into_data() {
            Ok(data) => {
                let last = http_body::Body::is_end_stream(&body);
                if !data.is_empty() || last {
                    send(data, last, stream).await?;
                    if last {
                        return Ok(());
                    }
                }
            }
            Err(frame) => {
                if let Ok(trailers) = frame.into_trailers() {
                    // Refused ones would leave the stream open, and its answer owing, for ever.
                    return stream.send_trailers(trailers).map_err(|_| Broken);
                }
            }
        }
    }
}

/// Sends as the endpoint's window allows.
async fn send(mut data: Bytes, last: bool, stream: &mut SendStream<Bytes>) -> Result<(), Broken> {
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        while stream.capacity() == 0 {
            if !matches!(poll_fn(|cx| stream.poll_capacity(cx)).await, Some(Ok(_))) {
                return Err(Broken);
            }
        }
        let piece = data.split_to(stream.capacity().min(data.len()));
        stream.send_data(piece, last && data.is_empty()).map_err(|_| Broken)?;
        if data.is_empty() {
            return Ok(());
        }
    }
    // Only an empty last piece is left to send.
    if last { stream.send_data(data, true).map_err(|_| Broken) } else { Ok(()) }
}
