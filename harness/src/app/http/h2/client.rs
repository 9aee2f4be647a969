//! Requests over one HTTP/2 connection.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_LENGTH;
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderValue, Method, Uri};
use http_body_util::BodyExt;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::rt::Executor;
use reference_dp::net::Stream;
use reference_dp::spawn::Spawn;
use tokio::time::{sleep, timeout};

use super::body::{Content, Outgoing};
use super::tasks::{Leash, tasks};
use super::{CONNECTION_WINDOW, HEAD_MAX, HTTP_2, STREAM_WINDOW, words};
use crate::app::http::exchange::{Exchange, Half};
use crate::app::http::fields::{map, recorded};
use crate::app::http::shared::{HyperLine, SharedLine};
use crate::app::http::source::Source;
use crate::app::receive::Rate;
use crate::language::http::{Abort, Framing, Request};
use crate::observe::observation::{HttpEvent, RequestHead, ResponseHead};

/// How long a goodbye may take; a peer that takes no bytes is left without.
const GOODBYE: Duration = Duration::from_secs(5);

/// A connection, as client. Dropping it ends hyper's tasks.
#[derive(Debug)]
pub(in crate::app::http) struct Http2<S> {
    sender: SendRequest<Outgoing<S>>,
    leash: Leash<S>,
}

impl<S: Stream> Http2<S> {
    /// Speaks HTTP/2 over `line` with prior knowledge.
    ///
    /// # Errors
    /// The connection failed, and that is recorded.
    pub(in crate::app::http) async fn begin(
        line: &SharedLine<S>,
        spawn: &Arc<dyn Spawn>,
    ) -> Result<Self, hyper::Error> {
        let (tasks, leash) = tasks(spawn, line);
        let mut builder = http2::Builder::new(tasks.clone());
        builder
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(HEAD_MAX);
        let (sender, connection) = builder.handshake(HyperLine(line.clone())).await?;
        tasks.execute(async move {
            // What goes wrong shows in each exchange, and on the line.
            let _ = connection.await;
        });
        Ok(Self { sender, leash })
    }

    /// Waits until a request may go. Whether one may, or never will.
    pub(in crate::app::http) async fn is_ready(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    /// Makes `request`, exchange number `number` of the connection. Whether its answer came whole.
    pub(in crate::app::http) fn exchange(
        &self,
        line: &SharedLine<S>,
        number: u32,
        request: &Request,
        authority: &str,
    ) -> impl Future<Output = bool> + Send {
        let sender = self.sender.clone();
        async move {
            let exchange = Exchange::new(line, number);
            let gone = async {
                match request.abort {
                    Some(Abort::After(time)) => sleep(time).await,
                    _ => std::future::pending().await,
                }
            };
            let done = tokio::select! {
                biased;
                done = attempt(sender, &exchange, request, authority) => done,
                () = gone => Err("aborted by the script".into()),
            };
            let whole = done.is_ok();
            match done {
                Ok(()) => exchange.done(),
                Err(error) => exchange.failed(error),
            }
            whole
        }
    }

    /// Says goodbye: `GOAWAY`, and the end of what this end sends. The connection stands until the leash is dropped.
    pub(in crate::app::http) async fn end(self) -> Leash<S> {
        let Self { sender, mut leash } = self;
        drop(sender);
        // A peer that takes nothing more gets no goodbye.
        let _ = timeout(GOODBYE, leash.ended()).await;
        leash
    }
}

async fn attempt<S: Stream>(
    mut sender: SendRequest<Outgoing<S>>,
    exchange: &Exchange<S>,
    request: &Request,
    authority: &str,
) -> Result<(), String> {
    let (message, recorded) = message(request, authority)?;
    let trailers = map(&request.trailers)?;
    sender.ready().await.map_err(|error| words(&error))?;
    exchange.see(HttpEvent::Request(recorded));
    let source = request.body.as_ref().map_or_else(Source::nothing, Source::new);
    let body = Outgoing::new(Content::Source(source), trailers, exchange.body(Half::Request), None, None);
    let message = message.map(|()| body);
    let answer = sender.send_request(message).await.map_err(|error| words(&error))?;
    // The connection may end when its exchanges have.
    drop(sender);
    receive(exchange, request, answer).await
}

/// The request as hyper takes it, without its body, and as it is recorded.
fn message(request: &Request, authority: &str) -> Result<(http::Request<()>, RequestHead), String> {
    let authority = request.authority.as_deref().unwrap_or(authority);
    let unsendable = |what: &str, found: &str| format!("`{found}` is no {what}");
    let mut uri = http::uri::Parts::default();
    uri.scheme = Some(Scheme::HTTP);
    uri.authority = Some(authority.parse().map_err(|_| unsendable("authority", authority))?);
    let path: Result<PathAndQuery, _> = request.path.parse();
    uri.path_and_query = Some(path.map_err(|_| unsendable("path", &request.path))?);
    let mut message = http::Request::new(());
    *message.method_mut() =
        Method::from_bytes(request.method.as_bytes()).map_err(|_| unsendable("method", &request.method))?;
    *message.uri_mut() = Uri::from_parts(uri).map_err(|error| error.to_string())?;
    *message.headers_mut() = map(&request.headers)?;
    if let Some(body) = request.body.as_ref().filter(|_| request.framing == Framing::Length) {
        message.headers_mut().append(CONTENT_LENGTH, HeaderValue::from(body.payload.len()));
    }
    let head = RequestHead {
        protocol: HTTP_2.into(),
        method: request.method.clone(),
        path: request.path.clone(),
        authority: Some(authority.to_owned()),
        headers: recorded(message.headers()),
    };
    Ok((message, head))
}

async fn receive<S: Stream>(
    exchange: &Exchange<S>,
    request: &Request,
    answer: http::Response<hyper::body::Incoming>,
) -> Result<(), String> {
    let (head, mut incoming) = answer.into_parts();
    exchange.see(HttpEvent::Response(ResponseHead {
        protocol: HTTP_2.into(),
        status: head.status.as_u16(),
        headers: recorded(&head.headers),
    }));
    let mut record = exchange.body(Half::Answer);
    let mut rate = request.read.rate.map(Rate::new);
    let enough = match request.abort {
        Some(Abort::AfterBytes(bytes)) => bytes,
        _ => u64::MAX,
    };
    let mut trailers = Vec::new();
    loop {
        if record.bytes() >= enough {
            return Err("aborted by the script".into());
        }
        if let Some(rate) = &mut rate {
            poll_fn(|cx| rate.poll(cx)).await;
        }
        let Some(frame) = incoming.frame().await else { break };
        match frame.map_err(|error| words(&error))?.into_data() {
            Ok(data) => {
                record.came(&data);
                if let Some(rate) = &mut rate {
                    rate.took(data.len() as u64);
                }
            }
            Err(frame) => trailers = recorded(&frame.into_trailers().unwrap_or_default()),
        }
    }
    record.done(trailers);
    Ok(())
}
