//! Requests of one HTTP/2 connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use reference_dp::net::Stream;
use reference_dp::spawn::Spawn;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::body::{Content, Cutting, End, Outgoing};
use super::tasks::tasks;
use super::{CONNECTION_WINDOW, HEAD_MAX, HTTP_2, STREAM_WINDOW};
use crate::app::http::exchange::{BodyRecord, Exchange, Half};
use crate::app::http::fields::{map, recorded, text};
use crate::app::http::h1::has_body;
use crate::app::http::router::Router;
use crate::app::http::shared::{HyperLine, SharedLine};
use crate::app::http::source::Source;
use crate::language::http::{Act, Framing, Response as Scripted, ResponseBody};
use crate::observe::observation::{HttpEvent, RequestHead, ResponseHead};

/// What the streams of a connection share.
struct Shared<S> {
    line: SharedLine<S>,
    router: Arc<Router>,
    ends: mpsc::UnboundedSender<End>,
    next: AtomicU32,
}

/// Why a stream is reset rather than answered.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Http(#[from] hyper::Error),
    #[error("the script says: {0}")]
    Unsendable(String),
}

/// Answers what comes, until the connection is over.
pub(in crate::app::http) async fn serve<S: Stream>(
    line: &SharedLine<S>,
    router: &Arc<Router>,
    spawn: &Arc<dyn Spawn>,
) {
    let (tasks, leash) = tasks(spawn, line);
    let (ends, mut ended) = mpsc::unbounded_channel();
    let shared =
        Arc::new(Shared { line: line.clone(), router: router.clone(), ends, next: AtomicU32::new(0) });
    let service = service_fn(move |request| answer(shared.clone(), request));
    let mut builder = http2::Builder::new(tasks);
    builder
        .auto_date_header(false)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEAD_MAX);
    let mut http = Box::pin(builder.serve_connection(HyperLine(line.clone()), service));
    let end = loop {
        tokio::select! {
            biased;
            end = ended.recv() => match end {
                Some(End::Last) => http.as_mut().graceful_shutdown(),
                Some(end) => break Some(end),
                None => break None,
            },
            done = http.as_mut() => break done.is_ok().then_some(End::Close),
        }
    };
    drop(http);
    match end {
        Some(End::Reset) => line.lock().reset(),
        Some(End::Close | End::Last) => line.close().await,
        None => line.give_up().await,
    }
    drop(leash);
}

/// One request and the begin of its answer.
async fn answer<S: Stream>(
    shared: Arc<Shared<S>>,
    request: Request<Incoming>,
) -> Result<Response<Outgoing<S>>, Refused> {
    let exchange = Exchange::in_library(&shared.line, shared.next.fetch_add(1, Ordering::Relaxed));
    let (head, mut incoming) = request.into_parts();
    let head = request_head(&head);
    exchange.see(HttpEvent::Request(head.clone()));
    let mut record = exchange.body(Half::Request);
    let length = http_body::Body::size_hint(&incoming).exact();
    let act = shared.router.act(&head.method, &head.path);
    let early = matches!(&act, Act::Respond(response) if response.early);
    let echoes = matches!(&act, Act::Respond(response) if response.body == ResponseBody::Echo);
    if http_body::Body::is_end_stream(&incoming) {
        record.done(Vec::new());
    } else if !early && !echoes {
        hear(&mut incoming, &mut record).await?;
    }
    let response = match act {
        Act::Respond(response) => response,
        Act::Stall => return std::future::pending().await,
        Act::Close | Act::Reset => {
            let reset = act == Act::Reset;
            exchange.failed(if reset { "reset by the script" } else { "closed by the script" });
            // A connection that is over cannot be ended.
            let _ = shared.ends.send(if reset { End::Reset } else { End::Close });
            return std::future::pending().await;
        }
    };
    sleep(response.delay).await;
    respond(&shared, exchange, &head, &response, length, Content::Echo(incoming, Box::new(record)))
}

/// Reads a request's body.
async fn hear<S: Stream>(incoming: &mut Incoming, record: &mut BodyRecord<S>) -> Result<(), hyper::Error> {
    while let Some(frame) = incoming.frame().await {
        match frame?.into_data() {
            Ok(data) => record.came(&data),
            Err(frame) => record.done(recorded(&frame.into_trailers().unwrap_or_default())),
        }
    }
    record.done(Vec::new());
    Ok(())
}

/// `asked`: the length of the request's body, if that is told; `echo`: that body.
fn respond<S: Stream>(
    shared: &Shared<S>,
    exchange: Exchange<S>,
    request: &RequestHead,
    scripted: &Scripted,
    asked: Option<u64>,
    echo: Content<S>,
) -> Result<Response<Outgoing<S>>, Refused> {
    let has_body = has_body(&request.method, scripted.status);
    let (content, length) = match &scripted.body {
        ResponseBody::Nothing => (Content::Source(Source::nothing()), Some(0)),
        ResponseBody::Send(send) => (Content::Source(Source::new(send)), Some(send.payload.len())),
        ResponseBody::Echo => (echo, asked),
    };
    let content = if has_body { content } else { Content::Source(Source::nothing()) };
    let mut headers = map(&scripted.headers).map_err(Refused::Unsendable)?;
    let tells = scripted.framing == Framing::Length && (has_body || request.method == "HEAD");
    if let Some(length) = length.filter(|_| tells) {
        headers.append(CONTENT_LENGTH, HeaderValue::from(length));
    }
    let trailers =
        if has_body { map(&scripted.trailers).map_err(Refused::Unsendable)? } else { Default::default() };
    let status =
        StatusCode::from_u16(scripted.status).map_err(|error| Refused::Unsendable(error.to_string()))?;
    exchange.see(HttpEvent::Response(ResponseHead {
        protocol: HTTP_2.into(),
        status: scripted.status,
        headers: recorded(&headers),
    }));
    let cut = scripted.cut.map(|cut| Cutting {
        left: cut.after,
        end: if cut.reset { End::Reset } else { End::Close },
        ends: shared.ends.clone(),
        pause: None,
    });
    if scripted.last {
        // A connection that is over cannot be ended.
        let _ = shared.ends.send(End::Last);
    }
    let record = exchange.body(Half::Answer);
    let mut response = Response::new(Outgoing::new(content, trailers, record, Some(exchange), cut));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

fn request_head(head: &http::request::Parts) -> RequestHead {
    let host = || head.headers.get(http::header::HOST).map(|value| text(value.as_bytes()));
    let path = head.uri.path_and_query().map_or_else(|| head.uri.to_string(), ToString::to_string);
    RequestHead {
        protocol: HTTP_2.into(),
        method: head.method.to_string(),
        path,
        authority: head.uri.authority().map(ToString::to_string).or_else(host),
        headers: recorded(&head.headers),
    }
}
