//! The life of one connection: its requests, its limits, its end.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::Line;
use crate::lifecycle::{Lifecycle, Phase};
use crate::plan::HttpUpstream;
use crate::telemetry::request::UpstreamCause;

/// How long an endpoint may take to let a connection without requests end.
const LINGER: Duration = Duration::from_secs(1);

/// A timer so far off that it never fires (tokio's own limit is beyond two years).
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// What a connection's task shares with the requests on it.
#[derive(Debug)]
pub(super) struct Link {
    usage: Mutex<Usage>,
    changed: Notify,
}

#[derive(Debug)]
struct Usage {
    since: Instant,
    requests: usize,
    /// How many of them have no head of an answer yet.
    unanswered: usize,
    /// Since when there is no request.
    idle: Instant,
    /// Since when it takes no more requests.
    retired: Option<Instant>,
    /// Is of no more use, not even to the requests on it.
    cut: bool,
}

impl Link {
    /// A connection that is made for a request.
    pub(super) fn begin() -> Lease {
        let now = Instant::now();
        let usage = Usage { since: now, requests: 1, unanswered: 1, idle: now, retired: None, cut: false };
        let link = Arc::new(Self { usage: Mutex::new(usage), changed: Notify::new() });
        Lease { link, unanswered: true, cut: false }
    }

    fn usage(&self) -> MutexGuard<'_, Usage> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a request on it, unless it is retired or has `limit` of them.
    pub(super) fn lease(self: &Arc<Self>, limit: usize) -> Option<Lease> {
        let mut usage = self.usage();
        if usage.retired.is_some() || usage.requests >= limit {
            return None;
        }
        usage.requests += 1;
        usage.unanswered += 1;
        Some(Lease { link: self.clone(), unanswered: true, cut: false })
    }

    /// It takes no more requests, and ends when it has none.
    pub(super) fn retire(&self) {
        self.usage().retired.get_or_insert_with(Instant::now);
        self.changed.notify_one();
    }

    pub(super) fn is_retired(&self) -> bool {
        self.usage().retired.is_some()
    }

    /// Whether nobody has a use for it now, nor will have.
    pub(super) fn is_over(&self) -> bool {
        let usage = self.usage();
        usage.retired.is_some() && usage.requests == 0
    }

    /// Whether a request on it has no head of an answer yet.
    pub(super) fn owes_an_answer(&self) -> bool {
        self.usage().unanswered > 0
    }

    fn is_cut(&self) -> bool {
        self.usage().cut
    }

    pub(super) fn is_busy(&self) -> bool {
        self.usage().requests > 0
    }
}

/// A request's place on a connection, until dropped.
#[derive(Debug)]
pub(super) struct Lease {
    link: Arc<Link>,
    unanswered: bool,
    cut: bool,
}

impl Lease {
    pub(super) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// The head of the answer came.
    pub(super) fn answered(&mut self) {
        if std::mem::replace(&mut self.unanswered, false) {
            self.link.usage().unanswered -= 1;
        }
    }

    /// Nobody else can use the connection before this request is over: dropped, it takes the connection with it, unless it is given back.
    pub(super) fn alone(mut self) -> Self {
        self.cut = true;
        self
    }

    /// The request is over, and the connection can be used again.
    pub(super) fn give_back(mut self) {
        self.cut = false;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.answered();
        {
            let mut usage = self.link.usage();
            if self.cut {
                // The request is never taken off: the connection ends with it.
                usage.cut = true;
            } else {
                usage.requests -= 1;
                usage.idle = Instant::now();
            }
        }
        self.link.changed.notify_one();
    }
}

/// Why a timer was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Timer {
    /// To be idle so long is too long.
    Idle,
    /// The connection is old.
    Age,
    /// The endpoint does not let it end.
    Linger,
}

impl Link {
    fn deadline(&self, limits: &HttpUpstream) -> (Instant, Timer) {
        let usage = self.usage();
        let busy = usage.requests > 0;
        if let Some(retired) = usage.retired {
            let linger = if busy { NEVER } else { LINGER };
            return (usage.idle.max(retired) + linger, Timer::Linger);
        }
        let idle = limits.idle_timeout.filter(|_| !busy).unwrap_or(NEVER);
        let age = limits.max_connection_duration.unwrap_or(NEVER);
        let (idle, age) = (usage.idle + idle, usage.since + age);
        if age < idle { (age, Timer::Age) } else { (idle, Timer::Idle) }
    }
}

/// Runs a connection's codec until the connection is over, and tells why it ended. The codec ends by itself when the link is over; it must be dropped
/// right after. `leave` takes the connection out of its pool.
pub(super) async fn drive<C>(
    codec: C,
    link: &Link,
    line: &Line,
    limits: &HttpUpstream,
    lifecycle: &Lifecycle,
    leave: impl Fn(),
) -> UpstreamCause
where
    C: Future<Output = UpstreamCause>,
{
    let mut codec = pin!(codec);
    let mut idle = false;
    loop {
        if link.is_retired() {
            leave();
        }
        let (deadline, timer) = link.deadline(limits);
        let cause = tokio::select! {
            biased;
            () = lifecycle.reached(Phase::Stopped) => {
                line.reset_when_dropped();
                Some(UpstreamCause::Local)
            }
            cause = &mut codec => Some(cause),
            () = link.changed.notified() => link.is_cut().then_some(UpstreamCause::Local),
            () = lifecycle.reached(Phase::Draining), if !link.is_retired() => {
                link.retire();
                None
            }
            () = sleep_until(deadline) => {
                idle |= timer == Timer::Idle;
                link.retire();
                (timer == Timer::Linger).then_some(UpstreamCause::Local)
            }
        };
        if let Some(cause) = cause {
            link.retire();
            leave();
            return if idle && cause == UpstreamCause::Local { UpstreamCause::Idle } else { cause };
        }
    }
}
