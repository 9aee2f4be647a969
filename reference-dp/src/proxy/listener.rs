//! One listener: accepts, and carries each connection in a task of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::downstream::Gate;
use super::upstream::Upstream;
use super::wire::Wire;
use crate::lifecycle::{Lifecycle, Live, Phase};
use crate::net::{Listener as _, Network, Stream};
use crate::protocol::tcp;
use crate::spawn::Spawn;
use crate::telemetry::exchange::{Cause, Event, Exchange, Observer, Side};

/// Most connections of one listener at once. More are closed as they come and counted: without a bound, a flood would
/// take the memory of the listeners beside it.
pub const MAX_CONNECTIONS: usize = 16_384;

/// How long accepting rests after an error; without files left it would otherwise spin.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the connections of one listener share.
pub(super) struct Route<N: Network> {
    pub(super) gate: Gate,
    pub(super) upstream: Upstream<N>,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) lifecycle: Arc<Lifecycle>,
    pub(super) open: AtomicUsize,
}

/// Accepts until the sidecar drains, then closes the listener and only then stops being `live`.
pub(super) async fn accept<N: Network>(
    listener: N::Listener,
    live: Live,
    route: Arc<Route<N>>,
    spawn: Arc<dyn Spawn>,
) {
    // Locals drop in reverse: so that a drain that is over finds the listener closed.
    let _live = live;
    let mut listener = listener;
    loop {
        let accepted = tokio::select! {
            biased;
            () = route.lifecycle.reached(Phase::Draining) => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(accepted) if route.open.load(Ordering::Relaxed) >= MAX_CONNECTIONS => {
                route.observer.see(&Event::Overflowed);
                accepted.stream.reset();
            }
            Ok(accepted) => {
                let connection = Connection::new(route.clone(), accepted.stream);
                spawn.spawn(Box::pin(connection.run()));
            }
            Err(error) => {
                tracing::warn!(%error, "accepting failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// One connection and what must be undone when its task ends, however it ends.
struct Connection<N: Network> {
    stream: N::Stream,
    exchange: Exchange,
    open: Open<N>,
}

struct Open<N: Network> {
    route: Arc<Route<N>>,
    // Counted from acceptance on, not from the task's first turn: a drain in between must wait for it.
    _live: Live,
}

impl<N: Network> Drop for Open<N> {
    fn drop(&mut self) {
        self.route.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<N: Network> Connection<N> {
    fn new(route: Arc<Route<N>>, stream: N::Stream) -> Self {
        route.open.fetch_add(1, Ordering::Relaxed);
        let exchange = Exchange::begin(route.observer.clone());
        let live = route.lifecycle.live();
        Self { stream, exchange, open: Open { route, _live: live } }
    }

    async fn run(self) {
        let Self { stream, mut exchange, open } = self;
        let route = &*open.route;
        let opened = tokio::select! {
            biased;
            () = route.lifecycle.reached(Phase::Stopped) => return exchange.end(Cause::Stopped),
            opened = Self::open(route, stream, &mut exchange) => opened,
        };
        let Some((mut downstream, mut upstream)) = opened else { return exchange.end(Cause::Refused) };
        let cause = tokio::select! {
            biased;
            () = route.lifecycle.reached(Phase::Stopped) => Cause::Stopped,
            cause = tcp::relay(&mut downstream, &mut upstream, route.idle_timeout, &mut exchange) => cause,
        };
        finish(cause, downstream, upstream).await;
        // Told when it is over on the wire, so that whoever sees the end in metrics sees closed connections.
        exchange.end(cause);
    }

    /// Both sides, or `None` if the caller was turned away or nobody could be reached.
    async fn open(
        route: &Route<N>,
        stream: N::Stream,
        exchange: &mut Exchange,
    ) -> Option<(Wire<N::Stream>, Wire<N::Stream>)> {
        let downstream = route.gate.admit(stream, exchange).await?;
        match route.upstream.connect(exchange).await {
            Some(upstream) => Some((downstream, upstream)),
            None => {
                downstream.close().await;
                None
            }
        }
    }
}

/// Closes both sides in the way that says what happened.
async fn finish<S: Stream>(cause: Cause, downstream: Wire<S>, upstream: Wire<S>) {
    match cause {
        // Both ends were passed on already.
        Cause::Finished { .. } => {}
        Cause::Reset { by: Side::Downstream } => upstream.reset(),
        Cause::Reset { by: Side::Upstream } => downstream.reset(),
        Cause::Idle | Cause::Refused => {
            downstream.close().await;
            upstream.close().await;
        }
        Cause::Stopped => {
            downstream.reset();
            upstream.reset();
        }
    }
}
