//! A pod's app: it listens, and runs a script on each connection, or answers requests.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reference_dp::net::{Accepted, Listener, Network, Stream};

use super::http::{self, Router};
use super::kit::Kit;
use super::line::{Line, Side};
use super::run::{Outcome, run};
use super::tls::Configs;
use crate::language::ServerScript;
use crate::language::TlsOptions;
use crate::language::script::Script;
use crate::observe::Seen;

/// After an accept that failed; without it a listener that keeps failing would stop time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// An app that listens. Dropping it (or its [`Server::serve`]) closes the listener; connections belong to the kit's `Spawn`.
#[derive(Debug)]
pub struct Server<N: Network> {
    listener: N::Listener,
    kit: Kit,
    tls: Option<TlsOptions>,
    manner: Manner,
}

/// How it treats a connection.
#[derive(Debug)]
enum Manner {
    /// The nth connection runs the nth script, or the last.
    Turns(Vec<Arc<Script>>),
    /// Requests are answered.
    Http(Arc<Router>),
}

/// How it treats one connection.
#[derive(Debug, Clone)]
enum Treatment {
    Script(Arc<Script>),
    Http(Arc<Router>),
}

impl<N: Network> Server<N> {
    /// Listens at `address`; `None` for an app that refuses.
    ///
    /// # Errors
    /// The address is taken or not local.
    pub async fn bind(
        network: &N,
        address: SocketAddr,
        script: &ServerScript,
        kit: Kit,
    ) -> io::Result<Option<Self>> {
        let (tls, manner) = match script {
            ServerScript::Listen { tls, turns } => {
                (tls.clone(), Manner::Turns(turns.iter().cloned().map(Arc::new).collect()))
            }
            ServerScript::Http(app) => (None, Manner::Http(Arc::new(Router::new(app)))),
            ServerScript::Refuse => return Ok(None),
        };
        let listener = network.bind(address).await?;
        Ok(Some(Self { listener, kit, tls, manner }))
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Accepts for ever.
    pub async fn serve(mut self) {
        let configs = Arc::new(Configs::new(self.kit.tls.clone(), self.kit.recorder.pod()));
        let mut number = 0;
        loop {
            match self.listener.accept().await {
                Ok(accepted) => {
                    let treatment = self.treatment(number);
                    let (kit, configs, tls) = (self.kit.clone(), configs.clone(), self.tls.clone());
                    self.kit.spawn.spawn(Box::pin(async move {
                        attend(accepted, number, &kit, tls.as_ref(), treatment, &configs).await;
                    }));
                    number += 1;
                }
                Err(error) => {
                    self.kit.recorder.see(None, Seen::Failed { error: super::failure::failure(&error) });
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn treatment(&self, number: u32) -> Treatment {
        match &self.manner {
            Manner::Turns(turns) => {
                let turn = usize::try_from(number).unwrap_or(usize::MAX);
                Treatment::Script(turns.get(turn).or(turns.last()).cloned().unwrap_or_default())
            }
            Manner::Http(router) => Treatment::Http(router.clone()),
        }
    }
}

/// One connection from its begin to its end.
async fn attend<S: Stream>(
    accepted: Accepted<S>,
    number: u32,
    kit: &Kit,
    tls: Option<&TlsOptions>,
    treatment: Treatment,
    configs: &Configs,
) {
    let mut line = Line::new(kit.recorder.clone(), number, Side::Server);
    line.see(Seen::Accepted { peer: accepted.peer.to_string() });
    if !line.set_up(accepted.stream, kit.mesh.as_deref()).await {
        return;
    }
    if let Some(options) = tls
        && line.start_tls(configs, options).await.is_err()
    {
        return;
    }
    match treatment {
        Treatment::Script(script) => {
            if run(&mut line, &script, configs).await == Outcome::Standing {
                line.close().await;
            }
        }
        // Apart: it would take its room for each of a thousand plain connections, too.
        Treatment::Http(router) => Box::pin(http::serve(line, &router, &kit.spawn)).await,
    }
}
