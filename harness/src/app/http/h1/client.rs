//! One request over HTTP/1.1 and its answer.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use reference_dp::net::Stream;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::Broken;
use super::body::Incoming;
use super::message::{self, HTTP_1_1, read_response};
use super::outgoing::{Body, Outgoing};
use crate::app::http::exchange::{Exchange, Half};
use crate::app::http::fields::{lists, lowered};
use crate::app::http::shared::SharedLine;
use crate::app::http::source::Source;
use crate::app::line::PIECE;
use crate::app::receive::Rate;
use crate::language::http::{Abort, Framing, Request};
use crate::observe::observation::{HttpEvent, RequestHead};

/// How long a client that expects `100 Continue` waits for it before it sends its body all the same (RFC 9110, 10.1.1).
const CONTINUE_PATIENCE: Duration = Duration::from_secs(1);

/// How an exchange left its connection.
#[derive(Debug)]
pub(in crate::app::http) enum Left {
    /// The next request may go on it.
    Standing,
    /// It has served its purpose: a whole answer came, and either end closes it.
    Used,
    /// The script goes away in the middle.
    Aborted,
    /// It failed.
    Failed(Broken),
}

/// Makes `request`, exchange number `number` of the connection.
pub(in crate::app::http) async fn exchange<S: Stream>(
    line: &SharedLine<S>,
    number: u32,
    request: &Request,
    authority: &str,
) -> Left {
    let exchange = Exchange::new(line, number);
    match attempt(line, &exchange, request, authority).await {
        Ok(reusable) => {
            exchange.done();
            if reusable { Left::Standing } else { Left::Used }
        }
        Err(broken) => {
            exchange.failed(broken.to_string());
            if matches!(broken, Broken::Aborted) { Left::Aborted } else { Left::Failed(broken) }
        }
    }
}

/// Sends and receives at the same time, until the answer is whole. Whether the connection may be used again.
async fn attempt<S: Stream>(
    line: &SharedLine<S>,
    exchange: &Exchange<S>,
    request: &Request,
    authority: &str,
) -> Result<bool, Broken> {
    let (head, recorded) = head(request, authority)?;
    let expects = request.body.is_some() && lists(&recorded.headers, "expect", "100-continue");
    let closes = lists(&recorded.headers, "connection", "close");
    exchange.see(HttpEvent::Request(recorded));
    let may_go_on = Notify::new();
    let wait = expects.then_some(&may_go_on);
    let mut sending = Some(Box::pin(send(line, exchange, request, head, wait)));
    let mut receiving = pin!(receive(line, exchange, request, &may_go_on));
    let mut abort = match request.abort {
        Some(Abort::After(time)) => Some(Box::pin(sleep(time))),
        _ => None,
    };
    let mut sent = false;
    let reusable = poll_fn(|cx| {
        if let Some(Poll::Ready(result)) = sending.as_mut().map(|sending| sending.as_mut().poll(cx)) {
            // What came before a write failed is still to be had, and says more.
            sent = result.is_ok();
            sending = None;
        }
        if let Poll::Ready(answer) = receiving.as_mut().poll(cx) {
            return Poll::Ready(answer);
        }
        match abort.as_mut().map(|abort| abort.as_mut().poll(cx)) {
            Some(Poll::Ready(())) => Poll::Ready(Err(Broken::Aborted)),
            _ => Poll::Pending,
        }
    })
    .await?;
    // An answer that came before the request's end: the rest of the request is not sent (RFC 9112, 9.5).
    Ok(reusable && sent && !closes)
}

/// The request's head as it goes out, and as it is recorded.
fn head(request: &Request, authority: &str) -> Result<(Vec<u8>, RequestHead), Broken> {
    let Request { method, path, .. } = request;
    if [method, path].into_iter().any(|part| part.is_empty() || part.contains([' ', '\r', '\n'])) {
        return Err(Broken::Unsendable(format!("`{method} {path}` cannot be sent")));
    }
    let authority = request.authority.as_deref().unwrap_or(authority);
    let mut fields = vec![("host".to_owned(), authority.to_owned())];
    fields.extend(request.headers.iter().cloned());
    if is_chunked(request) {
        fields.push(("transfer-encoding".into(), "chunked".into()));
    } else if let Some(body) = &request.body {
        fields.push(("content-length".into(), body.payload.len().to_string()));
    }
    let head = message::head(&format!("{method} {path} {HTTP_1_1}"), &fields)?;
    let recorded = RequestHead {
        protocol: HTTP_1_1.into(),
        method: method.clone(),
        path: path.clone(),
        authority: Some(authority.to_owned()),
        headers: lowered(&fields[1..]),
    };
    Ok((head, recorded))
}

/// Only chunks can have trailers after them.
fn is_chunked(request: &Request) -> bool {
    (request.body.is_some() && request.framing == Framing::Chunked) || !request.trailers.is_empty()
}

async fn send<S: Stream>(
    line: &SharedLine<S>,
    exchange: &Exchange<S>,
    request: &Request,
    head: Vec<u8>,
    wait: Option<&Notify>,
) -> Result<(), Broken> {
    let mut record = exchange.body(Half::Request);
    let mut outgoing = Outgoing::new(line, head, is_chunked(request));
    if let Some(may_go_on) = wait {
        outgoing.flush().await?;
        // Not told to go on: it goes on.
        let _ = timeout(CONTINUE_PATIENCE, may_go_on.notified()).await;
    }
    let source = request.body.as_ref().map_or_else(Source::nothing, Source::new);
    outgoing.body(&mut Body::Source(source), &mut record, None).await?;
    outgoing.finish(&request.trailers).await?;
    record.done(lowered(&request.trailers));
    Ok(())
}

/// Reads the answer. Whether it leaves the connection standing.
async fn receive<S: Stream>(
    line: &SharedLine<S>,
    exchange: &Exchange<S>,
    request: &Request,
    may_go_on: &Notify,
) -> Result<bool, Broken> {
    let head = loop {
        let head = read_response(line).await?;
        // Who switches protocols says nothing more in this one.
        if !(100..200).contains(&head.status) || head.status == 101 {
            break head;
        }
        exchange.see(HttpEvent::Interim { status: head.status });
        may_go_on.notify_one();
    };
    let incoming = Incoming::of_response(&request.method, head.status, &head.headers);
    let closes =
        head.protocol != HTTP_1_1 || head.status == 101 || lists(&head.headers, "connection", "close");
    exchange.see(HttpEvent::Response(head));
    let mut record = exchange.body(Half::Answer);
    let mut incoming = incoming?;
    let closes = closes || incoming.is_to_end();
    let mut rate = request.read.rate.map(Rate::new);
    let enough = match request.abort {
        Some(Abort::AfterBytes(bytes)) => bytes,
        _ => u64::MAX,
    };
    loop {
        if record.bytes() >= enough {
            return Err(Broken::Aborted);
        }
        let limit = rate.as_ref().map_or(PIECE, Rate::helping);
        if let Some(rate) = &mut rate {
            poll_fn(|cx| rate.poll(cx)).await;
        }
        let next = poll_fn(|cx| incoming.poll_next(cx, &mut line.lock(), limit)).await?;
        let Some(data) = next else { break };
        record.came(&data);
        if let Some(rate) = &mut rate {
            rate.took(data.len() as u64);
        }
    }
    record.done(incoming.take_trailers());
    Ok(!closes)
}
