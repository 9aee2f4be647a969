//! The client of a step: connections that each run one script.

use std::net::SocketAddr;
use std::sync::Arc;

use reference_dp::net::{Network, Stream};
use tokio::sync::mpsc;

use super::kit::Kit;
use super::line::{Line, Side};
use super::run::{Outcome, run};
use super::tls::Configs;
use crate::language::ClientScript;
use crate::observe::Seen;

/// The client of one step. Its connections share TLS sessions if the script's options say `resume`.
#[derive(Debug)]
pub struct Client<N> {
    network: N,
    kit: Kit,
    configs: Arc<Configs>,
    /// Number of the next connection.
    next: u32,
}

/// Connections that stay open after their step, for a later step to go on with. Dropping them closes them.
#[derive(Debug)]
pub struct Held<S: Stream>(Vec<Line<S>>);

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
        Self { network, kit, configs, next: 0 }
    }

    /// Opens the script's connections to `target` all at once, and returns when each has run its script: those that stand, in order,
    /// with `hold`; else all are closed. May be called again (`times`): numbers of connections go on, and so do TLS sessions.
    ///
    /// Dropping the future ends the connections.
    pub async fn run(&mut self, target: SocketAddr, script: &ClientScript, hold: bool) -> Held<N::Stream> {
        let script = Arc::new(script.clone());
        let first = self.next;
        self.next += script.connections;
        self.gather(first..self.next, |number| {
            let (network, kit, configs) = (self.network.clone(), self.kit.clone(), self.configs.clone());
            let script = script.clone();
            async move {
                let mut line = Line::new(kit.recorder.clone(), number, Side::Client);
                if !connect(&mut line, &network, &kit, target).await {
                    return None;
                }
                if let Some(options) = &script.tls
                    && line.start_tls(&configs, options).await.is_err()
                {
                    return None;
                }
                finish(line, &script, &configs, hold).await
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
        let script = Arc::new(script.clone());
        self.gather(held.0, |mut line| {
            let (kit, configs, script) = (self.kit.clone(), self.configs.clone(), script.clone());
            async move {
                line.adopt(kit.recorder);
                finish(line, &script, &configs, hold).await
            }
        })
        .await
    }

    /// Runs one task for each of `items` and waits for all of them.
    async fn gather<T, F>(&self, items: impl IntoIterator<Item = T>, task: impl Fn(T) -> F) -> Held<N::Stream>
    where
        F: Future<Output = Option<Line<N::Stream>>> + Send + 'static,
    {
        let (done, mut results) = mpsc::unbounded_channel();
        for item in items {
            let (work, done) = (task(item), done.clone());
            self.kit.spawn.spawn(Box::pin(async move {
                tokio::select! {
                    biased;
                    line = work => {
                        // Nobody waits any more: the line goes, and with it the connection.
                        let _ = done.send(line);
                    }
                    // The step was given up.
                    () = done.closed() => {}
                }
            }));
        }
        drop(done);
        let mut held = Vec::new();
        while let Some(line) = results.recv().await {
            held.extend(line);
        }
        held.sort_by_key(Line::number);
        Held(held)
    }
}

/// Connects, and shakes hands with the mesh if the pod does so itself; whether the connection stands.
async fn connect<N: Network>(line: &mut Line<N::Stream>, network: &N, kit: &Kit, target: SocketAddr) -> bool {
    match network.connect(target).await {
        Ok(socket) => {
            line.see(Seen::Connected { peer: target.to_string() });
            line.set_up(socket, kit.mesh.as_deref()).await
        }
        Err(error) => {
            line.connect_failed(&error);
            false
        }
    }
}

/// Runs the script, and returns the line if it is to be held.
async fn finish<S: Stream>(
    mut line: Line<S>,
    script: &ClientScript,
    configs: &Configs,
    hold: bool,
) -> Option<Line<S>> {
    let Some(actions) = script.talk.script() else { return None };
    match run(&mut line, actions, configs).await {
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
