//! The admin endpoint: metrics and readiness over HTTP/1.1.

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;

use crate::lifecycle::{Lifecycle, Phase};
use crate::net::{Listener, Network};
use crate::spawn::Spawn;
use crate::telemetry::registry::{self, Registry};

/// Serves until the sidecar stops; a draining sidecar can still be scraped. Nothing here is counted as traffic.
pub(super) async fn serve<N: Network>(
    mut listener: N::Listener,
    registry: Registry,
    lifecycle: Arc<Lifecycle>,
    spawn: Arc<dyn Spawn>,
) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = lifecycle.reached(Phase::Stopped) => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(accepted) => {
                spawn.spawn(Box::pin(connection(accepted.stream, registry.clone(), lifecycle.clone())));
            }
            Err(error) => {
                tracing::warn!(%error, "accepting at the admin endpoint failed");
                tokio::time::sleep(super::listener::ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection<S: crate::net::Stream>(stream: S, registry: Registry, lifecycle: Arc<Lifecycle>) {
    let service = service_fn(|request| {
        let response = answer(&request, &registry);
        async move { Ok::<_, Infallible>(response) }
    });
    // No timers and no date: neither an idle scraper nor the wall clock may change what is seen.
    let serving = http1::Builder::new()
        .auto_date_header(false)
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        biased;
        () = lifecycle.reached(Phase::Stopped) => {}
        served = serving => {
            if let Err(error) = served {
                tracing::debug!(%error, "admin connection broke");
            }
        }
    }
}

fn answer(request: &Request<Incoming>, registry: &Registry) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "only GET\n");
    }
    match request.uri().path() {
        "/stats/prometheus" => text(StatusCode::OK, registry::CONTENT_TYPE, registry.text()),
        "/ready" => text(StatusCode::OK, "text/plain", "LIVE\n"),
        _ => text(StatusCode::NOT_FOUND, "text/plain", "there are /ready and /stats/prometheus\n"),
    }
}

fn text(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
