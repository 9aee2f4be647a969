//! The relay on scripted streams, in virtual time.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep};

use super::{BUFFER_BYTES, relay};
use crate::telemetry::exchange::{Cause, Event, Exchange, Observer, Side};

/// One side of a relay as its peer sees it.
#[derive(Clone, Default)]
struct Peer(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// What the relay will read.
    says: VecDeque<u8>,
    /// What it finds when that is read.
    end: Option<Result<(), ErrorKind>>,
    /// What the relay wrote.
    heard: Vec<u8>,
    /// How much more it may write.
    window: usize,
    /// Writes fail.
    deaf: bool,
    /// The relay passed an end on.
    shut: bool,
    waker: Option<Waker>,
}

impl Peer {
    fn new() -> Self {
        let peer = Self::default();
        peer.change(|state| state.window = usize::MAX);
        peer
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.0.lock().unwrap();
        change(&mut state);
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    fn say(&self, bytes: &[u8]) {
        self.change(|state| state.says.extend(bytes));
    }

    fn end(&self, end: Result<(), ErrorKind>) {
        self.change(|state| state.end = Some(end));
    }

    fn heard(&self) -> Vec<u8> {
        self.0.lock().unwrap().heard.clone()
    }

    fn is_shut(&self) -> bool {
        self.0.lock().unwrap().shut
    }
}

impl AsyncRead for Peer {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.lock().unwrap();
        let n = state.says.len().min(buf.remaining());
        if n > 0 {
            let bytes: Vec<u8> = state.says.drain(..n).collect();
            buf.put_slice(&bytes);
            return Poll::Ready(Ok(()));
        }
        match state.end {
            Some(Ok(())) => Poll::Ready(Ok(())),
            Some(Err(kind)) => Poll::Ready(Err(kind.into())),
            None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl AsyncWrite for Peer {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.0.lock().unwrap();
        if state.deaf {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        let n = buf.len().min(state.window);
        if n == 0 {
            state.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        state.window -= n;
        state.heard.extend(&buf[..n]);
        Poll::Ready(Ok(n))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().unwrap().shut = true;
        Poll::Ready(Ok(()))
    }
}

#[derive(Default)]
struct Recorder(Mutex<Vec<Event>>);

impl Observer for Recorder {
    fn see(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

struct Scene {
    client: Peer,
    app: Peer,
    events: Arc<Recorder>,
    running: tokio::task::JoinHandle<Cause>,
}

#[expect(clippy::disallowed_methods, reason = "a test's own task")]
fn scene(idle: Option<Duration>) -> Scene {
    let (client, app, events) = (Peer::new(), Peer::new(), Arc::new(Recorder::default()));
    let (mut downstream, mut upstream, observer) = (client.clone(), app.clone(), events.clone());
    let running = tokio::spawn(async move {
        let mut exchange = Exchange::begin(observer);
        let cause = relay(&mut downstream, &mut upstream, idle, &mut exchange).await;
        exchange.end(cause);
        cause
    });
    Scene { client, app, events, running }
}

const HOUR: Duration = Duration::from_secs(3600);
const SOON: Duration = Duration::from_millis(1);

#[tokio::test(start_paused = true)]
async fn ends_cross_one_after_the_other() {
    let scene = scene(Some(HOUR));
    scene.client.say(b"question");
    scene.client.end(Ok(()));
    sleep(SOON).await;
    assert_eq!(scene.app.heard(), b"question");
    assert!(scene.app.is_shut() && !scene.client.is_shut());
    scene.app.say(b"answer");
    sleep(SOON).await;
    assert_eq!(scene.client.heard(), b"answer");
    scene.app.end(Ok(()));
    assert_eq!(scene.running.await.unwrap(), Cause::Finished { first: Side::Downstream });
    assert!(scene.client.is_shut());
    let events = scene.events.0.lock().unwrap();
    let told = [
        Event::Begun,
        Event::Read(Side::Downstream, 8),
        Event::Wrote(Side::Upstream, 8),
        Event::Read(Side::Upstream, 6),
        Event::Wrote(Side::Downstream, 6),
    ];
    assert_eq!(events[..5], told);
    assert!(matches!(events[5..], [Event::Ended { cause: Cause::Finished { .. }, .. }]));
}

#[tokio::test(start_paused = true)]
async fn what_came_before_a_reset_is_delivered() {
    let scene = scene(Some(HOUR));
    scene.app.change(|app| app.window = 3);
    scene.client.say(b"farewell");
    scene.client.end(Err(ErrorKind::ConnectionReset));
    sleep(SOON).await;
    scene.app.change(|app| app.window = 100);
    assert_eq!(scene.running.await.unwrap(), Cause::Reset { by: Side::Downstream });
    assert_eq!(scene.app.heard(), b"farewell");
    assert!(!scene.app.is_shut());
}

#[tokio::test(start_paused = true)]
async fn a_reset_does_not_wait_for_a_peer_that_takes_nothing() {
    let scene = scene(Some(HOUR));
    scene.client.change(|client| client.window = 0);
    scene.app.say(b"nobody reads this");
    sleep(SOON).await;
    scene.client.end(Err(ErrorKind::ConnectionReset));
    let began = Instant::now();
    assert_eq!(scene.running.await.unwrap(), Cause::Reset { by: Side::Downstream });
    assert!(began.elapsed() <= super::LINGER, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_side_that_takes_nothing_more_is_still_heard_out() {
    let scene = scene(Some(HOUR));
    scene.app.change(|app| app.deaf = true);
    scene.client.say(b"upload");
    sleep(SOON).await;
    scene.app.say(b"too large");
    scene.app.end(Ok(()));
    assert_eq!(scene.running.await.unwrap(), Cause::Reset { by: Side::Upstream });
    assert_eq!(scene.client.heard(), b"too large");
}

#[tokio::test(start_paused = true)]
async fn a_side_that_takes_nothing_more_and_says_nothing_ends_soon() {
    let scene = scene(Some(HOUR));
    scene.app.change(|app| app.deaf = true);
    scene.client.say(b"upload");
    let began = Instant::now();
    assert_eq!(scene.running.await.unwrap(), Cause::Reset { by: Side::Upstream });
    assert!(began.elapsed() <= super::LINGER + SOON, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_byte_now_and_then_in_either_direction_keeps_it() {
    let scene = scene(Some(HOUR));
    for _ in 0..5 {
        sleep(HOUR - SOON).await;
        scene.client.say(b"a");
        sleep(HOUR - SOON).await;
        scene.app.say(b"b");
    }
    sleep(SOON).await;
    assert!(!scene.running.is_finished());
    let began = Instant::now();
    assert_eq!(scene.running.await.unwrap(), Cause::Idle);
    let waited = began.elapsed() + SOON;
    assert!(waited >= HOUR && waited <= HOUR + 3 * SOON, "{waited:?}");
    assert_eq!((scene.app.heard().len(), scene.client.heard().len()), (5, 5));
}

#[tokio::test(start_paused = true)]
async fn half_closed_and_silent_is_idle_too() {
    let scene = scene(Some(HOUR));
    scene.client.end(Ok(()));
    assert_eq!(scene.running.await.unwrap(), Cause::Idle);
}

#[tokio::test(start_paused = true)]
async fn without_an_idle_timeout_it_stays() {
    let scene = scene(None);
    sleep(100 * HOUR).await;
    assert!(!scene.running.is_finished());
    scene.client.say(b"still there");
    sleep(SOON).await;
    assert_eq!(scene.app.heard(), b"still there");
}

#[tokio::test(start_paused = true)]
async fn a_side_that_does_not_read_stops_the_other() {
    let scene = scene(Some(HOUR));
    scene.app.change(|app| app.window = 10);
    scene.client.say(&vec![1; 1 << 20]);
    sleep(SOON).await;
    let left = scene.client.0.lock().unwrap().says.len();
    assert_eq!((1 << 20) - left, BUFFER_BYTES, "taken from the client beyond what the app read");
    // The other direction goes on.
    scene.app.say(b"hello");
    sleep(SOON).await;
    assert_eq!(scene.client.heard(), b"hello");
    scene.app.change(|app| app.window = usize::MAX);
    sleep(SOON).await;
    assert_eq!(scene.app.heard().len(), 1 << 20);
}
