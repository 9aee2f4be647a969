//! Drives hyper's side of a caller's connection to its end.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use super::activity::Activity;
use super::hop::Hop;
use crate::lifecycle::Phase;

/// How long a draining sidecar waits for a caller without requests of whom nothing is heard, and who takes nothing.
const QUIET: Duration = Duration::from_secs(5);

/// How long it waits for one who has got an answer and takes it slowly, or who only seems to.
const FAREWELL: Duration = Duration::from_secs(60);

/// How a connection ended, as hyper and the sidecar see it.
pub(super) enum Ended {
    Over(hyper::Result<()>),
    Stopped,
    /// An answer took too long, or the caller did not go.
    Cut,
    /// The head of a request took too long.
    Late,
}

/// Ends a connection when the sidecar drains or stops, and leaves it alone otherwise: Kuma gives connections of callers no limit of their own while
/// they are idle (kuma 2.5).
pub(super) struct Driver<'a> {
    pub(super) hop: &'a Hop,
    pub(super) activity: &'a Activity,
}

impl Driver<'_> {
    /// Polls `serving` until it is over. When the sidecar drains, `shut` tells it to take no new request.
    pub(super) async fn drive<C>(
        &self,
        serving: &mut C,
        poll: impl Fn(&mut C, &mut Context<'_>) -> Poll<hyper::Result<()>>,
        shut: impl Fn(&mut C),
    ) -> Ended {
        let lifecycle = &self.hop.lifecycle;
        tokio::select! {
            biased;
            () = lifecycle.reached(Phase::Stopped) => return Ended::Stopped,
            over = poll_fn(|cx| poll(serving, cx)) => return Ended::Over(over),
            () = lifecycle.reached(Phase::Draining) => {}
        }
        shut(serving);
        tokio::select! {
            biased;
            () = lifecycle.reached(Phase::Stopped) => Ended::Stopped,
            over = poll_fn(|cx| poll(serving, cx)) => Ended::Over(over),
            () = self.activity.quiet_for(QUIET, FAREWELL) => Ended::Cut,
        }
    }
}
