//! The events of HTTP: of one request from its head to its end, and of one connection to an endpoint, which many requests may share.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::Instant;

use super::session::{TlsFault, TlsSession};
use crate::plan::HttpVersion;

/// What happened to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RequestEvent {
    /// Its head came.
    Begun {
        /// As the caller speaks it.
        version: HttpVersion,
    },
    /// The caller may, or may not.
    Judged {
        /// Whether it may.
        allowed: bool,
    },
    /// It is one for the cluster: told once, before its first try, or before there is no endpoint to call.
    Routed,
    /// There is no endpoint to call.
    NoEndpoint,
    /// A try begins; it waits for a connection.
    Pending,
    /// A try was given to a connection; once for a try.
    Sent,
    /// A try is over. After [`Self::Pending`] always, whether it was sent or not.
    TryEnded {
        /// Of the endpoint's answer, if its head came.
        status: Option<u16>,
        /// How.
        cause: TryCause,
        /// Whether it was given to a connection.
        sent: bool,
        /// Since it was pending.
        took: Duration,
    },
    /// Another try will be made.
    Retrying,
    /// The answer of the try before was thrown away for another one. After [`Self::Retrying`].
    Discarded {
        /// Its status.
        status: u16,
    },
    /// A try after the first one brought an answer that needs no further one.
    RetrySucceeded,
    /// Another try would have been made, but no more are allowed.
    RetriesExhausted,
    /// Another try would have been made, but the body is not at hand any more.
    RetryUnbuffered,
    /// It is over; always the last event.
    Ended {
        /// Of the answer that the caller got, or would have got; `None`: none was begun.
        status: Option<u16>,
        /// How.
        cause: RequestCause,
        /// Who answered it.
        by: Answerer,
        /// Since its head came.
        took: Duration,
    },
}

/// Who answered a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answerer {
    /// The sidecar, which let it go no further.
    Listener,
    /// The sidecar, since no endpoint did.
    Cluster,
    /// An endpoint.
    Endpoint,
}

/// How a try ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TryCause {
    /// With a whole answer, or one that was thrown away for another try.
    Answered,
    /// No connection could be had.
    NotConnected {
        /// By time.
        timed_out: bool,
    },
    /// The endpoint reset the stream, or the connection under it ended.
    Reset,
    /// What came was no HTTP.
    ProtocolError,
    /// No whole answer in the time for one try.
    TryTimedOut,
    /// No whole answer in the time for the request.
    TimedOut,
    /// Nothing moved for too long.
    Idle,
    /// The caller went away, or the sidecar stopped.
    Cancelled,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestCause {
    /// Its answer reached the caller whole.
    Answered,
    /// The caller went away.
    CallerGone,
    /// The endpoint broke off in the middle of its answer.
    UpstreamBroke,
    /// Its time was over in the middle of its answer.
    TimedOut,
    /// Nothing moved for too long in the middle of its answer.
    Idle,
    /// The sidecar stopped.
    Stopped,
}

/// What happened on a connection to an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum UpstreamEvent {
    /// It is tried.
    Dialled,
    /// Mesh TLS is up.
    Secured(TlsSession),
    /// Mesh TLS failed.
    NotSecured(TlsFault),
    /// It stands.
    Connected {
        /// The protocol spoken on it.
        version: HttpVersion,
        /// TCP and TLS together.
        took: Duration,
    },
    /// It could not be made; the last event.
    DialFailed {
        /// By time.
        timed_out: bool,
    },
    /// Payload came, without TLS.
    Read(usize),
    /// Payload went, without TLS.
    Wrote(usize),
    /// It is over; the last event.
    Ended {
        /// Why.
        cause: UpstreamCause,
        /// Whether requests were on it.
        busy: bool,
        /// Since it stood.
        took: Duration,
    },
}

/// Why a connection to an endpoint ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UpstreamCause {
    /// The endpoint ended it.
    Remote,
    /// The sidecar had no more use for it.
    Local,
    /// It was idle for too long.
    Idle,
    /// What came was no HTTP.
    ProtocolError,
}

/// Takes events of HTTP in.
pub(crate) trait HttpObserver: Send + Sync {
    /// Something happened to a request.
    fn request(&self, event: &RequestEvent);
    /// Something happened on a connection to an endpoint.
    fn upstream(&self, event: &UpstreamEvent);
}

/// One request's account. However its task ends, the account ends with it: dropped, it is the caller that went away.
pub(crate) struct Request {
    observer: Arc<dyn HttpObserver>,
    begun: Instant,
    pending: Option<Instant>,
    /// Of the answer that the caller gets.
    status: Option<u16>,
    /// Of the answer of the try before.
    last: Option<u16>,
    told: Told,
    ended: bool,
}

/// What has been told. Only the request's own task writes it, so that relaxed order will do.
#[derive(Default)]
struct Told {
    routed: AtomicBool,
    sent: AtomicBool,
    retried: AtomicBool,
    /// Between two tries.
    between: AtomicBool,
    exhausted: AtomicBool,
}

impl Request {
    /// The head of a request came.
    pub(crate) fn begin(observer: Arc<dyn HttpObserver>, version: HttpVersion) -> Self {
        observer.request(&RequestEvent::Begun { version });
        let told = Told::default();
        Self { observer, begun: Instant::now(), pending: None, status: None, last: None, told, ended: false }
    }

    /// Tells that something happened. Tries and the end have their own methods; what follows from others is told by itself:
    /// [`RequestEvent::Routed`], [`RequestEvent::Discarded`], [`RequestEvent::RetrySucceeded`].
    pub(crate) fn tell(&self, event: &RequestEvent) {
        match event {
            RequestEvent::NoEndpoint => self.routed(),
            // A connection may turn out to be gone before a byte was written: the pool takes another one.
            RequestEvent::Sent if self.told.sent.swap(true, Relaxed) => return,
            RequestEvent::Retrying => {
                self.told.retried.store(true, Relaxed);
                self.told.between.store(true, Relaxed);
            }
            RequestEvent::RetriesExhausted | RequestEvent::RetryUnbuffered => {
                self.told.exhausted.store(true, Relaxed);
            }
            _ => {}
        }
        self.observer.request(event);
        if let (RequestEvent::Retrying, Some(status)) = (event, self.last) {
            self.observer.request(&RequestEvent::Discarded { status });
        }
    }

    fn routed(&self) {
        if !self.told.routed.swap(true, Relaxed) {
            self.observer.request(&RequestEvent::Routed);
        }
    }

    /// A try begins.
    pub(crate) fn try_begins(&mut self) {
        self.try_ends(None, TryCause::Cancelled);
        self.routed();
        self.pending = Some(Instant::now());
        self.last = None;
        self.told.sent.store(false, Relaxed);
        self.told.between.store(false, Relaxed);
        self.observer.request(&RequestEvent::Pending);
    }

    /// The try is over, if there is one. To be told before [`RequestEvent::Retrying`].
    pub(crate) fn try_ends(&mut self, status: Option<u16>, cause: TryCause) {
        if let Some(pending) = self.pending.take() {
            self.last = status;
            let (sent, took) = (self.told.sent.load(Relaxed), pending.elapsed());
            self.observer.request(&RequestEvent::TryEnded { status, cause, sent, took });
        }
    }

    /// The head of the answer goes to the caller.
    pub(crate) fn answers(&mut self, status: u16) {
        self.status = Some(status);
    }

    /// Ends the account.
    pub(crate) fn end(&mut self, cause: RequestCause) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let last = match cause {
            RequestCause::Answered => TryCause::Answered,
            RequestCause::UpstreamBroke => TryCause::Reset,
            RequestCause::TimedOut => TryCause::TimedOut,
            RequestCause::Idle => TryCause::Idle,
            RequestCause::CallerGone | RequestCause::Stopped => TryCause::Cancelled,
        };
        self.try_ends(self.status, last);
        let by = match (self.told.routed.load(Relaxed), self.last) {
            (false, _) => Answerer::Listener,
            (true, Some(_)) if !self.told.between.load(Relaxed) => Answerer::Endpoint,
            (true, _) => Answerer::Cluster,
        };
        let retried = self.told.retried.load(Relaxed) && !self.told.exhausted.load(Relaxed);
        if retried && self.status.is_some() && by == Answerer::Endpoint {
            self.observer.request(&RequestEvent::RetrySucceeded);
        }
        let (status, took) = (self.status, self.begun.elapsed());
        self.observer.request(&RequestEvent::Ended { status, cause, by, took });
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.end(RequestCause::CallerGone);
    }
}

/// The account of one connection to an endpoint. Dropped before its end, it was the sidecar that had no more use for it.
pub(crate) struct UpstreamConnection {
    observer: Arc<dyn HttpObserver>,
    dialled: Instant,
    connected: Option<Instant>,
    ended: bool,
}

impl UpstreamConnection {
    /// A connection is tried.
    pub(crate) fn dial(observer: Arc<dyn HttpObserver>) -> Self {
        observer.upstream(&UpstreamEvent::Dialled);
        Self { observer, dialled: Instant::now(), connected: None, ended: false }
    }

    /// Tells that something happened. Standing and ends have their own methods.
    pub(crate) fn tell(&self, event: &UpstreamEvent) {
        self.observer.upstream(event);
    }

    /// It stands.
    pub(crate) fn connected(&mut self, version: HttpVersion) {
        self.connected = Some(Instant::now());
        let took = self.dialled.elapsed();
        self.observer.upstream(&UpstreamEvent::Connected { version, took });
    }

    /// It could not be made.
    pub(crate) fn failed(mut self, timed_out: bool) {
        self.ended = true;
        self.observer.upstream(&UpstreamEvent::DialFailed { timed_out });
    }

    /// It is over; `busy` if requests were on it.
    pub(crate) fn end(&mut self, cause: UpstreamCause, busy: bool) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        match self.connected {
            Some(connected) => {
                let took = connected.elapsed();
                self.observer.upstream(&UpstreamEvent::Ended { cause, busy, took });
            }
            None => self.observer.upstream(&UpstreamEvent::DialFailed { timed_out: false }),
        }
    }
}

impl Drop for UpstreamConnection {
    fn drop(&mut self) {
        self.end(UpstreamCause::Local, false);
    }
}
