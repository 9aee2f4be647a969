//! The events of one connection, from its acceptance to its end.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::session::{TlsFault, TlsSession};
use crate::plan::HttpVersion;

/// The two sides of a connection through a sidecar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Who called the sidecar.
    Downstream,
    /// Whom the sidecar calls for it.
    Upstream,
}

/// What happened on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// It was accepted.
    Begun,
    /// It was turned away: too many connections.
    Overflowed,
    /// Mesh TLS is up on one side.
    Secured(Side, TlsSession),
    /// Mesh TLS failed on one side.
    NotSecured(Side, TlsFault),
    /// The caller did not finish its TLS handshake in time.
    HandshakeTimedOut,
    /// The caller was let through, or not.
    Judged {
        /// Whether it was let through.
        allowed: bool,
    },
    /// There is no endpoint to call.
    NoEndpoint,
    /// An attempt to connect upstream begins.
    Dialled,
    /// The attempt succeeded.
    Connected {
        /// TCP and TLS together.
        took: Duration,
    },
    /// The attempt failed.
    DialFailed {
        /// By time.
        timed_out: bool,
    },
    /// No attempt is left.
    GivenUp,
    /// The caller speaks HTTP, in this version, as its first bytes tell. Once at most.
    Speaks(HttpVersion),
    /// The caller's bytes are no HTTP, or not such as are taken: answered with this status, or not at all.
    Malformed {
        /// Of the answer, which is no request's.
        status: Option<u16>,
    },
    /// Payload came from a side.
    Read(Side, usize),
    /// Payload was passed to a side.
    Wrote(Side, usize),
    /// It is over; always the last event.
    Ended {
        /// Why.
        cause: Cause,
        /// Since it was accepted.
        took: Duration,
        /// Since the upstream was connected, if it was.
        upstream: Option<Duration>,
        /// The version of HTTP that its caller spoke, if any was told.
        http: Option<HttpVersion>,
        /// Whether mesh TLS was up on its downstream side.
        secured: bool,
    },
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Both sides finished; `first` did so first.
    Finished {
        /// Who finished first.
        first: Side,
    },
    /// A side broke off.
    Reset {
        /// Which.
        by: Side,
    },
    /// Nothing moved for too long.
    Idle,
    /// It never got to carrying bytes: no TLS, no permission, no upstream.
    Refused,
    /// The sidecar stopped.
    Stopped,
}

/// Takes events in.
pub(crate) trait Observer: Send + Sync {
    /// Something happened.
    fn see(&self, event: &Event);
}

/// One connection's account. However its task ends, the account ends with it.
pub(crate) struct Exchange {
    observer: Arc<dyn Observer>,
    begun: Instant,
    connected: Option<Instant>,
    http: Option<HttpVersion>,
    secured: bool,
    ended: bool,
}

impl Exchange {
    /// A connection was accepted.
    pub(crate) fn begin(observer: Arc<dyn Observer>) -> Self {
        observer.see(&Event::Begun);
        Self { observer, begun: Instant::now(), connected: None, http: None, secured: false, ended: false }
    }

    /// Tells that something happened.
    pub(crate) fn tell(&mut self, event: &Event) {
        match event {
            Event::Connected { .. } => self.connected = Some(Instant::now()),
            Event::Speaks(version) => self.http = Some(*version),
            Event::Secured(Side::Downstream, _) => self.secured = true,
            _ => {}
        }
        self.observer.see(event);
    }

    /// Ends the account.
    pub(crate) fn end(mut self, cause: Cause) {
        self.finish(cause);
    }

    fn finish(&mut self, cause: Cause) {
        if !std::mem::replace(&mut self.ended, true) {
            let upstream = self.connected.map(|at| at.elapsed());
            let (took, http, secured) = (self.begun.elapsed(), self.http, self.secured);
            self.observer.see(&Event::Ended { cause, took, upstream, http, secured });
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.finish(Cause::Stopped);
    }
}
