//! One listener: accepts, and carries each connection in a task of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::downstream::{Admitted, Gate};
use super::upstream::Upstream;
use super::wire::Wire;
use crate::lifecycle::{Lifecycle, Live, Phase};
use crate::net::{Listener as _, Network, Stream};
use crate::protocol::http::hop::Hop;
use crate::protocol::{http, tcp};
use crate::spawn::Spawn;
use crate::telemetry::exchange::{Cause, Event, Exchange, Observer, Side};

/// Most connections of one listener at once. More are closed as they come and counted: without a bound, a flood would
/// take the memory of the listeners beside it.
pub const MAX_CONNECTIONS: usize = 16_384;

/// How long accepting rests after an error; without files left it would otherwise spin.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a handshake may still take when the sidecar drains.
const HANDSHAKE_LINGER: Duration = Duration::from_secs(5);

/// What the connections of one listener share.
pub(super) struct Route<N: Network> {
    pub(super) gate: Gate,
    pub(super) carry: Carry<N>,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) lifecycle: Arc<Lifecycle>,
    pub(super) open: AtomicUsize,
}

/// How connections are carried.
pub(super) enum Carry<N: Network> {
    /// As opaque bytes, each on one connection upstream.
    Bytes(Box<Opaque<N>>),
    /// Request by request.
    Requests(Arc<Hop>),
}

/// Whom connections of opaque bytes are for.
pub(super) struct Opaque<N: Network> {
    pub(super) upstream: Upstream<N>,
    /// How long a connection may be without a byte in either direction; `None`: for ever.
    pub(super) idle_timeout: Option<Duration>,
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
        let admitted = tokio::select! {
            biased;
            () = route.lifecycle.reached(Phase::Stopped) => return exchange.end(Cause::Stopped),
            admitted = route.gate.admit(stream, &mut exchange) => admitted,
            () = overstays(&route.lifecycle) => {
                exchange.tell(&Event::HandshakeTimedOut);
                None
            }
        };
        let Some(admitted) = admitted else { return exchange.end(Cause::Refused) };
        let cause = match &route.carry {
            Carry::Bytes(opaque) => bytes(&route.lifecycle, admitted, opaque, &mut exchange).await,
            Carry::Requests(hop) => requests(hop, admitted, &mut exchange).await,
        };
        // Told when it is over on the wire, so that whoever sees the end in metrics sees closed connections.
        exchange.end(cause);
    }
}

/// Waits until a draining sidecar has waited long enough for a handshake: its own limit may be hours, and no request waits for it.
async fn overstays(lifecycle: &Lifecycle) {
    lifecycle.reached(Phase::Draining).await;
    tokio::time::sleep(HANDSHAKE_LINGER).await;
}

/// Carries a connection as opaque bytes.
async fn bytes<N: Network>(
    lifecycle: &Lifecycle,
    admitted: Admitted<N::Stream>,
    opaque: &Opaque<N>,
    exchange: &mut Exchange,
) -> Cause {
    let opened = tokio::select! {
        biased;
        () = lifecycle.reached(Phase::Stopped) => return Cause::Stopped,
        opened = open(admitted, &opaque.upstream, exchange) => opened,
    };
    let Some((mut downstream, mut upstream)) = opened else { return Cause::Refused };
    let cause = tokio::select! {
        biased;
        () = lifecycle.reached(Phase::Stopped) => Cause::Stopped,
        cause = tcp::relay(&mut downstream, &mut upstream, opaque.idle_timeout, exchange) => cause,
    };
    finish(cause, downstream, upstream).await;
    cause
}

/// Both sides, or `None` if the caller was turned away or nobody could be reached.
async fn open<N: Network>(
    admitted: Admitted<N::Stream>,
    upstream: &Upstream<N>,
    exchange: &mut Exchange,
) -> Option<(Wire<N::Stream>, Wire<N::Stream>)> {
    let downstream = admitted.permitted(exchange).await?;
    match upstream.connect(exchange).await {
        Some(upstream) => Some((downstream, upstream)),
        None => {
            downstream.close().await;
            None
        }
    }
}

/// Carries what a connection asks for request by request.
async fn requests<S: Stream>(hop: &Arc<Hop>, admitted: Admitted<S>, exchange: &mut Exchange) -> Cause {
    let Admitted { mut wire, caller } = admitted;
    let cause = http::connection::serve(hop, &mut wire, caller, exchange).await;
    match cause {
        Cause::Stopped => wire.reset(),
        _ => wire.close().await,
    }
    cause
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
