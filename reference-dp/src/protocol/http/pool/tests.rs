//! The pool against scripted endpoints in memory, in virtual time.

mod http1;
mod http2;

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;

use super::*;
use crate::lifecycle::Phase;
use crate::spawn::RuntimeSpawn;
use crate::telemetry::request::{Request as Account, RequestEvent, UpstreamCause};

/// Bytes under way in one direction of a connection.
const PIPE_BYTES: usize = 16 * 1024;

/// The endpoints: every connection that the pool opens comes out at the other side.
struct Endpoints {
    addrs: Vec<SocketAddr>,
    /// How opening goes, one after the other; then all go well, at once.
    dials: Mutex<Vec<Dial>>,
    opened: mpsc::UnboundedSender<App>,
    resets: Arc<AtomicUsize>,
}

enum Dial {
    Refused,
    TimedOut,
    /// After this has been told.
    When(oneshot::Receiver<()>),
    /// The app speaks first.
    Greeting(&'static [u8]),
}

/// The app's side of a connection.
struct App {
    addr: SocketAddr,
    stream: DuplexStream,
}

impl App {
    async fn hear(&mut self, bytes: &str) {
        let mut heard = vec![0; bytes.len()];
        self.stream.read_exact(&mut heard).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&heard), bytes);
    }

    async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// What came until the connection was closed.
    async fn hear_out(&mut self) -> String {
        let mut heard = Vec::new();
        self.stream.read_to_end(&mut heard).await.unwrap();
        String::from_utf8_lossy(&heard).into_owned()
    }
}

impl Dialler for Endpoints {
    fn endpoints(&self) -> &[SocketAddr] {
        &self.addrs
    }

    fn dial<'a>(&'a self, addr: SocketAddr, _: Tell<'a>) -> Dialling<'a> {
        let how = self.dials.lock().unwrap().pop();
        Box::pin(async move {
            let (ours, mut stream) = duplex(PIPE_BYTES);
            match how {
                Some(Dial::Refused) => return Err(NotConnected { timed_out: false }),
                Some(Dial::TimedOut) => return Err(NotConnected { timed_out: true }),
                Some(Dial::When(told)) => told.await.unwrap(),
                Some(Dial::Greeting(bytes)) => stream.write_all(bytes).await.unwrap(),
                None => {}
            }
            self.opened.send(App { addr, stream }).unwrap();
            Ok(Box::new(Memory { stream: ours, resets: self.resets.clone() }) as Box<dyn Transport>)
        })
    }
}

/// The pool's side of a connection.
struct Memory {
    stream: DuplexStream,
    resets: Arc<AtomicUsize>,
}

impl Transport for Memory {
    fn reset(self: Box<Self>) {
        self.resets.fetch_add(1, Ordering::Relaxed);
    }
}

impl AsyncRead for Memory {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Memory {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[derive(Default)]
struct Recorder {
    requests: Mutex<Vec<RequestEvent>>,
    upstream: Mutex<Vec<UpstreamEvent>>,
}

impl HttpObserver for Recorder {
    fn request(&self, event: &RequestEvent) {
        self.requests.lock().unwrap().push(event.clone());
    }

    fn upstream(&self, event: &UpstreamEvent) {
        self.upstream.lock().unwrap().push(event.clone());
    }
}

/// A pool, the apps behind it, and what was told of it.
struct Rig {
    pool: Arc<Pool>,
    opened: mpsc::UnboundedReceiver<App>,
    recorder: Arc<Recorder>,
    lifecycle: Arc<Lifecycle>,
    resets: Arc<AtomicUsize>,
}

/// A pool of `version` with one endpoint and no limits of time.
fn rig(version: HttpVersion) -> Rig {
    rig_of(HttpUpstream { version, idle_timeout: None, max_connection_duration: None }, 1, Vec::new())
}

fn rig_of(http: HttpUpstream, endpoints: u16, mut dials: Vec<Dial>) -> Rig {
    dials.reverse();
    let (teller, opened) = mpsc::unbounded_channel();
    let resets = Arc::<AtomicUsize>::default();
    let dialler = Endpoints {
        addrs: (1..=endpoints).map(|port| ([127, 0, 0, 1], port).into()).collect(),
        dials: Mutex::new(dials),
        opened: teller,
        resets: resets.clone(),
    };
    let (recorder, lifecycle) = (Arc::<Recorder>::default(), Arc::<Lifecycle>::default());
    let spawn = Arc::new(RuntimeSpawn);
    let pool = Arc::new(Pool::new(Arc::new(dialler), http, recorder.clone(), spawn, lifecycle.clone()));
    Rig { pool, opened, recorder, lifecycle, resets }
}

type Answered = Result<Response<AnswerBody>, Failure>;

impl Rig {
    /// Sends a request in a task of its own.
    fn send<B>(&self, request: Request<B>) -> Sending
    where
        B: Body<Data = Bytes, Error = BodyError> + Send + 'static,
    {
        let (pool, observer) = (self.pool.clone(), self.recorder.clone());
        let (teller, answer) = oneshot::channel();
        let (keeper, given_up) = oneshot::channel::<()>();
        RuntimeSpawn.spawn(Box::pin(async move {
            let account = Account::begin(observer, HttpVersion::V1);
            let mut tried = Tried::default();
            tokio::select! {
                biased;
                _ = given_up => {}
                answered = pool.send(request, &account, &mut tried) => {
                    let _ = teller.send(answered);
                }
            }
        }));
        Sending { answer, _keeper: keeper }
    }

    fn get(&self) -> Sending {
        self.send(request("GET", nothing()))
    }

    async fn app(&mut self) -> App {
        self.opened.recv().await.unwrap()
    }

    fn no_app(&mut self) {
        assert!(self.opened.try_recv().is_err(), "another connection was opened");
    }

    fn ends(&self) -> Vec<(UpstreamCause, bool)> {
        let end = |event: &UpstreamEvent| match event {
            UpstreamEvent::Ended { cause, busy, .. } => Some((*cause, *busy)),
            _ => None,
        };
        self.recorder.upstream.lock().unwrap().iter().filter_map(end).collect()
    }
}

/// A request under way; dropped, it is given up.
struct Sending {
    answer: oneshot::Receiver<Answered>,
    _keeper: oneshot::Sender<()>,
}

impl Sending {
    async fn answer(self) -> Answered {
        self.answer.await.unwrap()
    }
}

fn request<B>(method: &str, body: B) -> Request<B> {
    Request::builder().method(method).uri("/").header("host", "a").body(body).unwrap()
}

fn nothing() -> impl Body<Data = Bytes, Error = BodyError> {
    Empty::new().map_err(|never| match never {})
}

/// A body whose frames come from a test; dropped before [`Pen::end`], it breaks off.
fn stream() -> (Pen, Stream) {
    let (pen, frames) = mpsc::channel(1);
    (Pen(pen), Stream(frames))
}

struct Pen(mpsc::Sender<Option<Frame<Bytes>>>);

struct Stream(mpsc::Receiver<Option<Frame<Bytes>>>);

impl Pen {
    async fn write(&self, bytes: &'static str) {
        self.0.send(Some(Frame::data(Bytes::from(bytes)))).await.unwrap();
    }

    async fn end(self) {
        self.0.send(None).await.unwrap();
    }
}

impl Body for Stream {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.0.poll_recv(cx).map(|told| match told {
            Some(frame) => frame.map(Ok),
            None => Some(Err(BodyError)),
        })
    }
}

async fn text(response: Response<AnswerBody>) -> Result<String, Failure> {
    let body = response.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8(body.to_vec()).unwrap())
}

/// Lets every task do what it can without time passing.
async fn settle() {
    for _ in 0..1000 {
        yield_now().await;
    }
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
