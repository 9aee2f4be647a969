//! For tests of HTTP apps: a network in memory on a paused clock, short ways to write scripts, stories to compare.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reference_dp::net::{Accepted, Listener, Network};
use reference_dp::spawn::{RuntimeSpawn, Spawn};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::app::client::{Client, Held};
use crate::app::server::Server;
use crate::app::testing::{Notes, Wire, app_tls, kit, text, wires};
use crate::language::http::{
    Act, Answer, HttpApp, HttpScript, HttpVersion, Request, Response, ResponseBody, Route,
};
use crate::language::script::{Script, Send};
use crate::language::value::Payload;
use crate::language::{ClientScript, ServerScript, Talk};
use crate::observe::observation::{BodyFacts, HttpEvent, RequestHead, ResponseHead};
use crate::observe::{Observation, Role, Seen};

/// A network with one listener.
#[derive(Clone, Default)]
pub(super) struct Memory(Arc<Mutex<Option<mpsc::UnboundedSender<Accepted<Wire>>>>>);

pub(super) struct Ear(mpsc::UnboundedReceiver<Accepted<Wire>>);

/// Where it listens.
pub(super) fn there() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 80).into()
}

impl Network for Memory {
    type Stream = Wire;
    type Listener = Ear;

    async fn bind(&self, _: SocketAddr) -> io::Result<Ear> {
        let (sender, ear) = mpsc::unbounded_channel();
        *self.0.lock().unwrap() = Some(sender);
        Ok(Ear(ear))
    }

    async fn connect(&self, to: SocketAddr) -> io::Result<Wire> {
        let (here, there) = wires(1 << 16);
        let accepted =
            Accepted { stream: there, peer: (Ipv4Addr::LOCALHOST, 1).into(), original_destination: to };
        let sent = self.0.lock().unwrap().as_ref().map(|ear| ear.send(accepted));
        sent.and_then(Result::ok).map(|()| here).ok_or_else(|| io::ErrorKind::ConnectionRefused.into())
    }

    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        Ok(Vec::new())
    }
}

impl Listener for Ear {
    type Stream = Wire;

    async fn accept(&mut self) -> io::Result<Accepted<Wire>> {
        match self.0.recv().await {
            Some(accepted) => Ok(accepted),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(there())
    }
}

/// A server, and a client that calls it.
pub(super) struct Scene {
    pub(super) notes: Arc<Notes>,
    pub(super) client: Client<Memory>,
}

pub(super) async fn scene(server: ServerScript) -> Scene {
    let (notes, tls, network) = (Notes::new(), app_tls(), Memory::default());
    let app = kit(&notes, &tls, Role::App);
    let server = Server::bind(&network, there(), &server, app).await.unwrap().unwrap();
    RuntimeSpawn.spawn(Box::pin(server.serve()));
    let client = Client::new(network, kit(&notes, &tls, Role::Client));
    Scene { notes, client }
}

impl Scene {
    /// Runs the client's script to its end, and gives the app a virtual minute for its own.
    pub(super) async fn run(&mut self, talk: Talk) -> Held<Wire> {
        self.run_held(talk, false).await
    }

    pub(super) async fn run_held(&mut self, talk: Talk, hold: bool) -> Held<Wire> {
        let script = ClientScript { tls: None, talk, connections: 1 };
        let run = self.client.run(there(), &script, hold);
        let held = timeout(Duration::from_secs(3600), run).await.expect("the script ends");
        sleep(Duration::from_secs(60)).await;
        held
    }

    /// What `role` saw of exchanges, in short: connection, exchange, event.
    pub(super) fn story(&self, role: Role) -> Vec<String> {
        let told = |observation: Observation| match observation.seen {
            Seen::Http { exchange, event } => {
                Some(format!("{}.{exchange} {}", observation.conn.unwrap(), short(&event)))
            }
            _ => None,
        };
        self.notes.all(role).into_iter().filter_map(told).collect()
    }

    /// Events of `role` with their times in milliseconds.
    pub(super) fn times(&self, role: Role) -> Vec<(u64, String)> {
        let told = |observation: Observation| match observation.seen {
            Seen::Http { event, .. } => Some((observation.at / 1_000_000, short(&event))),
            _ => None,
        };
        self.notes.all(role).into_iter().filter_map(told).collect()
    }

    pub(super) fn requests(&self, role: Role) -> Vec<RequestHead> {
        self.http(role, |event| if let HttpEvent::Request(head) = event { Some(head) } else { None })
    }

    pub(super) fn responses(&self, role: Role) -> Vec<ResponseHead> {
        self.http(role, |event| if let HttpEvent::Response(head) = event { Some(head) } else { None })
    }

    pub(super) fn bodies(&self, role: Role) -> Vec<BodyFacts> {
        self.http(role, |event| match event {
            HttpEvent::RequestBody(facts) | HttpEvent::ResponseBody(facts) => Some(facts),
            _ => None,
        })
    }

    fn http<T>(&self, role: Role, pick: impl Fn(HttpEvent) -> Option<T>) -> Vec<T> {
        let seen = self.notes.all(role).into_iter().map(|observation| observation.seen);
        seen.filter_map(|seen| if let Seen::Http { event, .. } = seen { pick(event) } else { None }).collect()
    }
}

fn short(event: &HttpEvent) -> String {
    let body = |what: &str, facts: &BodyFacts| {
        let end = if facts.whole { "" } else { " cut" };
        let trailers: String =
            facts.trailers.iter().map(|(name, value)| format!(" {name}={value}")).collect();
        format!("{what} {}{trailers}{end}", facts.flow.bytes)
    };
    match event {
        HttpEvent::Request(head) => format!("{} {}", head.method, head.path),
        HttpEvent::Piece { bytes } => format!("+{bytes}"),
        HttpEvent::RequestBody(facts) => body("asked", facts),
        HttpEvent::Interim { status } => format!("interim {status}"),
        HttpEvent::Response(head) => head.status.to_string(),
        HttpEvent::ResponseBody(facts) => body("answered", facts),
        HttpEvent::Failed { error } => format!("failed: {error}"),
        HttpEvent::Malformed { what } => format!("malformed: {what}"),
    }
}

// A short way to write scripts.

pub(super) fn ask(method: &str, path: &str) -> Request {
    Request {
        method: method.into(),
        path: path.into(),
        authority: None,
        headers: Vec::new(),
        body: None,
        framing: Default::default(),
        trailers: Vec::new(),
        read: Default::default(),
        abort: None,
        times: 1,
    }
}

pub(super) fn http<const N: usize>(version: HttpVersion, requests: [Request; N]) -> Talk {
    Talk::Http(HttpScript { version, requests: requests.to_vec(), at_once: false })
}

pub(super) fn ok() -> Response {
    Response {
        status: 200,
        headers: Vec::new(),
        body: ResponseBody::Nothing,
        framing: Default::default(),
        trailers: Vec::new(),
        delay: Duration::ZERO,
        early: false,
        cut: None,
        last: false,
    }
}

pub(super) fn body(payload: Payload) -> Option<Send> {
    Some(Send { payload, chunk: None, every: None, until_blocked: None })
}

pub(super) fn said(words: &str) -> ResponseBody {
    ResponseBody::Send(body(text(words)).unwrap())
}

pub(super) fn fields<const N: usize>(fields: [(&str, &str); N]) -> Vec<(String, String)> {
    fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

/// An app that does this with every request.
pub(super) fn app(version: HttpVersion, act: Act) -> ServerScript {
    let answers = vec![Answer { times: 1, act }];
    ServerScript::Http(HttpApp { version, routes: vec![Route { method: None, path: None, answers }] })
}

pub(super) fn answers(version: HttpVersion, response: Response) -> ServerScript {
    app(version, Act::Respond(Box::new(response)))
}

/// A peer that runs one of these scripts of bytes on each connection.
pub(super) fn raw<const N: usize>(turns: [Script; N]) -> ServerScript {
    ServerScript::Listen { tls: None, turns: turns.to_vec() }
}
