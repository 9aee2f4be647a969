//! Relays between sidecars: where one dataplane takes another to be.
//!
//! A relay listens exactly as long as the sidecar behind it does and no fault refuses connections, so that a caller is refused where it would be
//! without a relay. A sidecar that drains stops listening by itself: the first connection that finds that out closes the relay's door.

use std::io;
use std::net::{SocketAddr, SocketAddrV4};

use reference_dp::spawn::Spawn as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep_until;

use super::addresses::Host;
use super::links::Links;
use super::network::{connect, listen};
use super::pump::pump;
use super::tasks::Tasks;

/// One relay.
#[derive(Debug, Clone, Copy)]
pub(super) struct Relay {
    /// Whose connections it carries.
    pub(super) caller: Host,
    /// To whom.
    pub(super) callee: Host,
    /// Where the caller takes the callee to be.
    pub(super) face: SocketAddrV4,
    /// Where the callee is.
    pub(super) real: SocketAddrV4,
}

impl Relay {
    /// Listens, and carries connections until `up` says that the callee is gone.
    ///
    /// # Errors
    /// The face cannot be listened at.
    pub(super) fn start(self, links: &Links, tasks: &Tasks, up: watch::Receiver<bool>) -> io::Result<()> {
        let door = Some(listen(self.face)?);
        let (links, inner) = (links.clone(), tasks.clone());
        tasks.spawn(Box::pin(async move { self.serve(&links, &inner, up, door).await }));
        Ok(())
    }

    async fn serve(
        self,
        links: &Links,
        tasks: &Tasks,
        mut up: watch::Receiver<bool>,
        mut door: Option<TcpListener>,
    ) {
        let mut change = links.watch(self.caller, self.callee);
        let (gone, mut is_gone) = watch::channel(false);
        loop {
            let refuses = change.borrow_and_update().refuse || *is_gone.borrow_and_update();
            if refuses {
                door = None;
            } else if door.is_none() {
                match listen(self.face) {
                    Ok(opened) => door = Some(opened),
                    Err(error) => return links.trouble(&format!("listening at {}", self.face), &error),
                }
            }
            tokio::select! {
                biased;
                changed = up.changed() => if changed.is_err() || !*up.borrow_and_update() { return },
                changed = change.changed() => if changed.is_err() { return },
                _ = is_gone.changed() => {}
                accepted = accept(door.as_ref()) => {
                    let (stream, peer) = match accepted {
                        Ok((stream, SocketAddr::V4(peer))) => (stream, peer),
                        Ok((_, SocketAddr::V6(_))) => continue,
                        Err(error) => {
                            links.trouble(&format!("accepting at {}", self.face), &error);
                            // Without sockets there is no use in going on.
                            if links.troubled().is_some() { return } else { continue }
                        }
                    };
                    let (links, gone) = (links.clone(), gone.clone());
                    tasks.spawn(Box::pin(async move { self.carry(&links, stream, peer, &gone).await }));
                }
            }
        }
    }

    async fn carry(self, links: &Links, near: TcpStream, peer: SocketAddrV4, gone: &watch::Sender<bool>) {
        let mut flow = links.open(self.caller, self.callee, (peer, self.face));
        while !(links.gate(&flow, true).open && links.gate(&flow, false).open) {
            if flow.change.changed().await.is_err() {
                return;
            }
        }
        let ready = near.set_nodelay(true);
        // The caller's kernel has its answer already; what it says waits until it would have come over the link.
        sleep_until(links.cross(&flow, true)).await;
        match connect(self.real).await {
            Ok(far) if ready.is_ok() => {
                sleep_until(links.cross(&flow, false)).await;
                links.established(&flow);
                pump(links, flow, near, far).await;
            }
            failed => {
                if let Err(error) = failed {
                    links.trouble(&format!("connecting to {}", self.real), &error);
                    if error.kind() == io::ErrorKind::ConnectionRefused {
                        let _ = gone.send(true);
                    }
                }
                links.end(&flow, false, true);
                // Should the option be refused, the drop still closes the socket.
                let _ = near.set_zero_linger();
            }
        }
    }
}

/// Accepts at a door that is open.
async fn accept(door: Option<&TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
    match door {
        Some(door) => door.accept().await,
        None => std::future::pending().await,
    }
}
