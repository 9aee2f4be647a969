//! Requests of one HTTP/1.1 connection, answered one after the other.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use reference_dp::net::Stream;
use tokio::time::{sleep, timeout};

use super::Broken;
use super::body::{Incoming, has_body};
use super::message::{self, HTTP_1_1, read_request};
use super::outgoing::{Body, Outgoing};
use crate::app::http::exchange::{BodyRecord, Exchange, Half};
use crate::app::http::fields::{lists, lowered};
use crate::app::http::router::Router;
use crate::app::http::shared::SharedLine;
use crate::app::http::source::Source;
use crate::app::line::PIECE;
use crate::language::http::{Act, Cut, Fields, Framing, Response, ResponseBody};
use crate::observe::observation::{HttpEvent, RequestHead, ResponseHead};

/// Between what was sent and a reset, so that what was sent arrives.
pub(in crate::app::http) const BEFORE_RESET: Duration = Duration::from_millis(1);
/// How long a server that answered early hears the rest of the request, unheeded, lest a reset destroys its answer (RFC 9112, 9.6).
const LINGER: Duration = Duration::from_secs(30);

/// What is left to do after a request.
enum After {
    /// To wait for the next one.
    Next,
    /// To close.
    Close,
    /// To close, but not before the client has.
    Linger,
    /// To die, as the script says.
    Die { reset: bool },
}

/// Answers what comes, until the connection is over.
pub(in crate::app::http) async fn serve<S: Stream>(line: &SharedLine<S>, router: &Router) {
    let mut number = 0;
    while serve_one(line, router, number).await {
        number += 1;
    }
}

/// One request and its answer. Whether the connection stands for another.
async fn serve_one<S: Stream>(line: &SharedLine<S>, router: &Router, number: u32) -> bool {
    let head = match read_request(line).await {
        Ok(Some(head)) => head,
        Ok(None) => {
            line.close().await;
            return false;
        }
        Err(Broken::Io(error)) => {
            line.lock().failed(&error);
            return false;
        }
        Err(broken) => {
            broke(Exchange::new(line, number), &broken);
            end(line, broken).await;
            return false;
        }
    };
    let exchange = Exchange::new(line, number);
    exchange.see(HttpEvent::Request(head.clone()));
    let after = match answer(line, &exchange, &head, router).await {
        Ok(After::Die { reset }) => {
            exchange.failed(if reset { "reset by the script" } else { "closed by the script" });
            After::Die { reset }
        }
        Ok(after) => {
            exchange.done();
            after
        }
        Err(broken) => {
            broke(exchange, &broken);
            end(line, broken).await;
            return false;
        }
    };
    match after {
        After::Next => return true,
        After::Close | After::Die { reset: false } => line.close().await,
        After::Die { reset: true } => line.lock().reset(),
        After::Linger => {
            linger(line).await;
            line.close().await;
        }
    }
    false
}

/// An exchange did not come to its end.
fn broke<S: Stream>(exchange: Exchange<S>, broken: &Broken) {
    match broken {
        Broken::Malformed(what) => exchange.malformed(what),
        other => exchange.failed(other.to_string()),
    }
}

/// The connection cannot go on.
async fn end<S: Stream>(line: &SharedLine<S>, broken: Broken) {
    match broken {
        Broken::Io(error) => line.lock().failed(&error),
        Broken::Malformed(_) => {
            let refusal =
                format!("{HTTP_1_1} 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
            // The connection goes either way.
            let _ = line.write_all(refusal.as_bytes()).await;
            line.give_up().await;
        }
        _ => line.give_up().await,
    }
}

/// Hears what still comes, unheeded.
async fn linger<S: Stream>(line: &SharedLine<S>) {
    let hear = async {
        poll_fn(|cx| line.lock().poll_half_close(cx)).await?;
        while line.read_ahead().await? > 0 {
            line.lock().ahead().clear();
        }
        Ok::<(), std::io::Error>(())
    };
    // However it ends, the connection is closed.
    let _ = timeout(LINGER, hear).await;
}

async fn answer<S: Stream>(
    line: &SharedLine<S>,
    exchange: &Exchange<S>,
    head: &RequestHead,
    router: &Router,
) -> Result<After, Broken> {
    let act = router.act(&head.method, &head.path);
    let mut record = exchange.body(Half::Request);
    let mut incoming = Incoming::of_request(&head.headers)?;
    let early = matches!(&act, Act::Respond(response) if response.early);
    let echoes = matches!(&act, Act::Respond(response) if response.body == ResponseBody::Echo);
    if !early && !incoming.is_over() && lists(&head.headers, "expect", "100-continue") {
        line.write_all(format!("{HTTP_1_1} 100 Continue\r\n\r\n").as_bytes()).await?;
    }
    if incoming.is_over() {
        record.done(Fields::new());
    } else if !early && !echoes {
        hear(line, &mut incoming, &mut record).await?;
    }
    match act {
        Act::Close => Ok(After::Die { reset: false }),
        Act::Reset => Ok(After::Die { reset: true }),
        Act::Stall => attended(line, true, std::future::pending()).await,
        Act::Respond(response) => respond(line, exchange, head, &response, &mut incoming, &mut record).await,
    }
}

/// Reads a request's body.
async fn hear<S: Stream>(
    line: &SharedLine<S>,
    incoming: &mut Incoming,
    record: &mut BodyRecord<S>,
) -> Result<(), Broken> {
    while let Some(data) = poll_fn(|cx| incoming.poll_next(cx, &mut line.lock(), PIECE)).await? {
        record.came(&data);
    }
    record.done(incoming.take_trailers());
    Ok(())
}

/// Works while it looks whether the client is still there; a client that closes its direction has gone, as most servers see it.
async fn attended<S: Stream, T>(
    line: &SharedLine<S>,
    look: bool,
    work: impl Future<Output = Result<T, Broken>>,
) -> Result<T, Broken> {
    let mut work = pin!(work);
    poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(done);
        }
        match look.then(|| line.poll_gone(cx)) {
            Some(Poll::Ready(gone)) => Poll::Ready(Err(gone.map_or_else(Broken::Io, |()| Broken::Gone))),
            _ => Poll::Pending,
        }
    })
    .await
}

async fn respond<S: Stream>(
    line: &SharedLine<S>,
    exchange: &Exchange<S>,
    request: &RequestHead,
    response: &Response,
    incoming: &mut Incoming,
    heard: &mut BodyRecord<S>,
) -> Result<After, Broken> {
    let all_heard = incoming.is_over();
    if !response.delay.is_zero() {
        let delay = async {
            sleep(response.delay).await;
            Ok(())
        };
        attended(line, all_heard, delay).await?;
    }
    let unheard = !all_heard && response.body != ResponseBody::Echo;
    let framed = Framed::new(request, response, incoming.length(), unheard);
    let reason =
        http::StatusCode::from_u16(response.status).ok().and_then(|status| status.canonical_reason());
    let first = format!("{HTTP_1_1} {} {}", response.status, reason.unwrap_or_default());
    let head = message::head(&first, &framed.fields)?;
    exchange.see(HttpEvent::Response(ResponseHead {
        protocol: HTTP_1_1.into(),
        status: response.status,
        headers: lowered(&framed.fields),
    }));
    let mut record = exchange.body(Half::Answer);
    let mut outgoing = Outgoing::new(line, head, framed.chunked);
    let mut body = match &response.body {
        _ if !framed.has_body => Body::Source(Source::nothing()),
        ResponseBody::Nothing => Body::Source(Source::nothing()),
        ResponseBody::Send(send) => Body::Source(Source::new(send)),
        ResponseBody::Echo => Body::Echo(incoming, heard),
    };
    let most = response.cut.map(|cut| cut.after);
    attended(line, all_heard, outgoing.body(&mut body, &mut record, most)).await?;
    if let Some(Cut { reset, .. }) = response.cut {
        outgoing.flush().await?;
        sleep(BEFORE_RESET).await;
        return Ok(After::Die { reset });
    }
    attended(line, all_heard, outgoing.finish(&response.trailers)).await?;
    record.done(lowered(&response.trailers));
    Ok(match framed.closes {
        _ if unheard => After::Linger,
        true => After::Close,
        false => After::Next,
    })
}

/// How an answer is framed.
struct Framed {
    fields: Fields,
    chunked: bool,
    has_body: bool,
    closes: bool,
}

impl Framed {
    /// `asked`: the length of the request's body, if that is told. `unheard`: nobody reads that body, so that the connection must end.
    fn new(request: &RequestHead, response: &Response, asked: Option<u64>, unheard: bool) -> Self {
        let has_body = has_body(&request.method, response.status);
        let may_chunk = request.protocol == HTTP_1_1;
        let length = match &response.body {
            _ if response.framing == Framing::Chunked || !response.trailers.is_empty() => None,
            ResponseBody::Nothing => Some(0),
            ResponseBody::Send(send) => Some(send.payload.len()),
            ResponseBody::Echo => asked,
        };
        let mut fields = response.headers.clone();
        let tells = has_body || request.method == "HEAD";
        match length {
            _ if !tells => {}
            Some(length) => fields.push(("content-length".into(), length.to_string())),
            None if may_chunk => fields.push(("transfer-encoding".into(), "chunked".into())),
            None => {}
        }
        let said = lists(&lowered(&fields), "connection", "close");
        let closes =
            said || response.last || unheard || !may_chunk || lists(&request.headers, "connection", "close");
        if closes && !said {
            fields.push(("connection".into(), "close".into()));
        }
        Self { fields, chunked: has_body && length.is_none() && may_chunk, has_body, closes }
    }
}
