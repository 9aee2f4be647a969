//! The client of a step: connections that each run one script.
//!
//! A script of requests may need more connections than it begins with: they get numbers behind those of all others.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use reference_dp::net::{Network, Stream};
use tokio::sync::mpsc;

use super::caller::Caller;
use super::http::{self, Session};
use super::kit::Kit;
use super::line::Line;
use super::run::{Outcome, run};
use super::tls::Configs;
use crate::language::script::Script;
use crate::language::{ClientScript, Talk};

/// The client of one step. Its connections share TLS sessions if the script's options say `resume`.
#[derive(Debug)]
pub struct Client<N> {
    network: N,
    kit: Kit,
    configs: Arc<Configs>,
    /// Number of the next connection.
    next: Arc<AtomicU32>,
}

/// Connections that stay open after their step, for a later step to go on with. Dropping them closes them.
#[derive(Debug)]
pub struct Held<S: Stream>(Vec<Kept<S>>);

/// A connection that stays, and where it goes.
#[derive(Debug)]
struct Kept<S: Stream> {
    target: SocketAddr,
    way: Way<S>,
}

/// What is spoken on it.
#[derive(Debug)]
enum Way<S: Stream> {
    Bytes(Box<Line<S>>),
    Http(Session<S>),
}

impl<S: Stream> Kept<S> {
    fn number(&self) -> u32 {
        match &self.way {
            Way::Bytes(line) => line.number(),
            Way::Http(session) => session.number(),
        }
    }
}

impl<S: Stream> Default for Held<S> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<S: Stream> Held<S> {
    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes those of another round (`times`) of the same step.
    pub fn append(&mut self, mut more: Self) {
        self.0.append(&mut more.0);
    }
}

impl<N: Network> Client<N> {
    /// A client that calls over `network` and records by `kit`.
    #[must_use]
    pub fn new(network: N, kit: Kit) -> Self {
        let configs = Arc::new(Configs::new(kit.tls.clone(), kit.recorder.pod()));
        Self { network, kit, configs, next: Arc::default() }
    }

    /// Opens the script's connections to `target` all at once, and returns when each has run its script: those that stand, in order,
    /// with `hold`; else all are closed. May be called again (`times`): numbers of connections go on, and so do TLS sessions.
    ///
    /// Dropping the future ends the connections.
    pub async fn run(&mut self, target: SocketAddr, script: &ClientScript, hold: bool) -> Held<N::Stream> {
        let first = self.next.fetch_add(script.connections, Ordering::Relaxed);
        let caller = self.caller(target, script);
        self.gather(first..first + script.connections, |number| {
            let (caller, talk) = (caller.clone(), script.talk.clone());
            async move {
                let line = caller.dial_as(number).await?;
                let way = match &talk {
                    Talk::Bytes(_) => Way::Bytes(Box::new(line)),
                    Talk::Http(http) => Way::Http(Session::open(line, http.version, caller.spawn()).await?),
                };
                converse(&caller, way, &talk, hold).await
            }
        })
        .await
    }

    /// Goes on with the connections of an earlier step, in this client's step. Brings no TLS of its own but what `starttls` asks for.
    ///
    /// Dropping the future ends the connections.
    pub async fn go_on(
        &mut self,
        held: Held<N::Stream>,
        script: &ClientScript,
        hold: bool,
    ) -> Held<N::Stream> {
        let beyond = held.0.iter().map(|kept| kept.number() + 1).max().unwrap_or_default();
        self.next.fetch_max(beyond, Ordering::Relaxed);
        self.gather(held.0, |kept| {
            let (caller, talk) = (self.caller(kept.target, script), script.talk.clone());
            async move {
                let way = adopt(&caller, kept.way, &talk).await?;
                converse(&caller, way, &talk, hold).await
            }
        })
        .await
    }

    fn caller(&self, target: SocketAddr, script: &ClientScript) -> Caller<N> {
        Caller {
            network: self.network.clone(),
            kit: self.kit.clone(),
            configs: self.configs.clone(),
            tls: script.tls.clone(),
            target,
            next: self.next.clone(),
        }
    }

    /// Runs one task for each of `items` and waits for all of them.
    async fn gather<T, F>(&self, items: impl IntoIterator<Item = T>, task: impl Fn(T) -> F) -> Held<N::Stream>
    where
        F: Future<Output = Option<Kept<N::Stream>>> + Send + 'static,
    {
        let (done, mut results) = mpsc::unbounded_channel();
        for item in items {
            // Boxed, or the task below would have room for it twice.
            let (mut work, done) = (Box::pin(task(item)), done.clone());
            self.kit.spawn.spawn(Box::pin(async move {
                tokio::select! {
                    biased;
                    kept = &mut work => {
                        // Nobody waits any more: the connection goes.
                        let _ = done.send(kept);
                    }
                    // The step was given up.
                    () = done.closed() => {}
                }
            }));
        }
        drop(done);
        let mut held = Vec::new();
        while let Some(kept) = results.recv().await {
            held.extend(kept);
        }
        held.sort_by_key(Kept::number);
        Held(held)
    }
}

/// Takes a connection over for a step, which may speak otherwise on it. None, if that cannot be.
async fn adopt<N: Network>(caller: &Caller<N>, way: Way<N::Stream>, talk: &Talk) -> Option<Way<N::Stream>> {
    let recorder = caller.kit.recorder.clone();
    let mut line = match (way, talk) {
        (Way::Http(session), Talk::Http(http)) if session.version() == http.version => {
            session.adopt(recorder);
            return Some(Way::Http(session));
        }
        (Way::Http(session), _) => session.into_line()?,
        (Way::Bytes(line), _) => *line,
    };
    line.adopt(recorder);
    Some(match talk {
        Talk::Bytes(_) => Way::Bytes(Box::new(line)),
        Talk::Http(http) => Way::Http(Session::open(line, http.version, caller.spawn()).await?),
    })
}

/// Runs the script, and returns the connection if it is to be held.
async fn converse<N: Network>(
    caller: &Caller<N>,
    way: Way<N::Stream>,
    talk: &Talk,
    hold: bool,
) -> Option<Kept<N::Stream>> {
    let way = match (way, talk) {
        (Way::Bytes(line), Talk::Bytes(script)) => {
            Way::Bytes(act(line, script, &caller.configs, hold).await?)
        }
        (Way::Http(session), Talk::Http(script)) => {
            // Apart: what an HTTP client keeps would be kept for each of a thousand plain connections, too.
            let session = Box::pin(http::run(caller, session, script)).await?;
            if !hold {
                session.close().await;
                return None;
            }
            session.hold();
            Way::Http(session)
        }
        // A way is made for its talk.
        _ => return None,
    };
    Some(Kept { target: caller.target, way })
}

/// Runs actions on bytes, and returns the line if it is to be held.
async fn act<S: Stream>(
    mut line: Box<Line<S>>,
    script: &Script,
    configs: &Configs,
    hold: bool,
) -> Option<Box<Line<S>>> {
    match run(&mut line, script, configs).await {
        Outcome::Standing if hold => {
            line.hold();
            return Some(line);
        }
        Outcome::Standing => line.close().await,
        Outcome::Over => {}
    }
    None
}

#[cfg(test)]
mod tests;
