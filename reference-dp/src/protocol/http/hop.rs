//! What the requests of one listener share.

use std::sync::{Arc, OnceLock};

use http::HeaderValue;
use rustls::crypto::SecureRandom;

use super::pool::Pool;
use crate::clock::Clock;
use crate::lifecycle::Lifecycle;
use crate::plan::{HttpPolicy, HttpVersion};
use crate::spawn::Spawn;
use crate::telemetry::request::HttpObserver;

/// One sidecar's part in the way of a request, and what it needs for it.
pub(crate) struct Hop {
    /// Which part.
    pub(crate) direction: Direction,
    /// How requests are treated.
    pub(crate) policy: HttpPolicy,
    /// How the endpoints are spoken to.
    pub(crate) upstream: HttpVersion,
    /// Connections to the endpoints.
    pub(crate) pool: Pool,
    /// Hears of requests.
    pub(crate) observer: Arc<dyn HttpObserver>,
    /// For dates.
    pub(crate) clock: Arc<dyn Clock>,
    /// For request ids and the waits between tries.
    pub(crate) random: &'static dyn SecureRandom,
    /// What streams belong to.
    pub(crate) spawn: Arc<dyn Spawn>,
    /// What they obey.
    pub(crate) lifecycle: Arc<Lifecycle>,
}

/// Whose requests they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Others', for the app.
    Inbound {
        /// URIs of the sidecar's own certificate.
        own: Vec<String>,
    },
    /// The app's, for others.
    Outbound,
}

/// Who calls, as mesh TLS tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    /// URIs of its certificate.
    pub(crate) uris: Vec<String>,
    /// SHA-256 of its certificate, in hexadecimal.
    pub(crate) fingerprint: String,
    /// Whether it may call.
    pub(crate) allowed: bool,
    /// What the app is told of it: the same with every request, so written once.
    pub(crate) told: OnceLock<Option<HeaderValue>>,
}
