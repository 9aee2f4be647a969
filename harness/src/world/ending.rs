//! How sidecars end: they crash, drain, die by themselves, and are taken down.

use std::time::Duration;

use tokio::time::timeout;

use super::Ground;
use super::stage::{SetUpError, SidecarOf, Stage, lock, proxy_host};
use crate::dataplane::{Dataplane, NotDrained, Sidecar as _};
use crate::kuma;
use crate::language::Mtls;
use crate::observe::Seen;
use crate::verdict::AFTER_DRAIN;

/// What a sidecar has to drain once all apps are gone.
const DRAIN_LIMIT: Duration = Duration::from_secs(60);

impl<G: Ground, D: Dataplane<G::Network>> Stage<G, D> {
    /// A sidecar was told to end: its secrets stay, its place is free.
    async fn forget(&self, pod: &str) {
        let sidecar = lock(&self.sidecars).remove(pod);
        if let Some(sidecar) = sidecar {
            sidecar.ended().await;
            self.keep_secrets(pod, &sidecar).await;
        }
        self.ground.sidecar_is_gone(pod);
    }

    /// Takes the secrets that a sidecar tells by itself: some tell only while they run, others have told all only when they have ended.
    async fn keep_secrets(&self, pod: &str, sidecar: &SidecarOf<D, G>) {
        if self.scenario.mesh.mtls != Mtls::Strict {
            return;
        }
        match sidecar.key_log().await {
            Ok(lines) => self.secrets.add(lines),
            Err(why) => self.log.world(None, Seen::SecretsLost { host: proxy_host(pod), why }),
        }
    }

    /// The sidecar of a pod dies.
    pub(super) async fn crash_sidecar(&self, pod: &str) {
        self.note_deaths();
        let sidecar = lock(&self.sidecars).get(pod).cloned();
        if let Some(sidecar) = sidecar {
            self.keep_secrets(pod, &sidecar).await;
            sidecar.crash();
        }
        self.ground.crash(&proxy_host(pod)).await;
        self.forget(pod).await;
    }

    /// The sidecar of a pod drains, and stops.
    ///
    /// # Errors
    /// There is no way to drain it.
    pub(super) async fn drain_sidecar(&self, id: &str, pod: &str) -> Result<(), SetUpError> {
        let Some(sidecar) = lock(&self.sidecars).get(pod).cloned() else { return Ok(()) };
        self.note_deaths();
        match sidecar.drain().await {
            Ok(()) => {}
            Err(NotDrained::NoWay(why)) => {
                return Err(SetUpError::Unsupported(format!("{}: {why}", proxy_host(pod))));
            }
            // What that does to whom it serves, the scenario asks.
            Err(NotDrained::Failed(why)) => self.log.did(Some(id), format!("{}: {why}", proxy_host(pod))),
        }
        self.note_deaths();
        self.keep_secrets(pod, &sidecar).await;
        sidecar.stop();
        self.forget(pod).await;
        Ok(())
    }

    /// Sidecars that nobody has told to end run. One that does not is told of once, and is none any more.
    pub(super) fn note_deaths(&self) {
        for (pod, sidecar) in &*lock(&self.sidecars) {
            self.note_death(pod, sidecar);
        }
    }

    fn note_death(&self, pod: &str, sidecar: &SidecarOf<D, G>) {
        if let Some(how) = sidecar.died()
            && lock(&self.dead).insert(pod.to_owned())
        {
            self.log.sidecar(pod, Seen::Died { how });
        }
    }

    /// Apps end, sidecars drain; then nothing may be left.
    pub(super) async fn take_down(&self) {
        for pod in self.scenario.pods.iter().filter(|pod| pod.within.is_none()) {
            self.ground.crash(&pod.name).await;
        }
        self.settle().await;
        self.note_deaths();
        let sidecars: Vec<_> = std::mem::take(&mut *lock(&self.sidecars)).into_iter().collect();
        let mut drained = Vec::new();
        for (pod, sidecar) in &sidecars {
            let late =
                || NotDrained::Failed(format!("it was not drained within {} s", DRAIN_LIMIT.as_secs()));
            let host = proxy_host(pod);
            match timeout(DRAIN_LIMIT, sidecar.drain()).await.unwrap_or_else(|_| Err(late())) {
                Ok(()) => drained.push(host),
                Err(NotDrained::Failed(why)) => {
                    self.log.world(None, Seen::NotDrained { host: host.clone(), why });
                    drained.push(host);
                }
                // Its sockets are what it serves with.
                Err(NotDrained::NoWay(why)) => self.log.world(None, Seen::Undrainable { host, why }),
            }
            self.note_death(pod, sidecar);
        }
        self.settle().await;
        let left = self.ground.drained_sockets(&drained, &[kuma::ADMIN_PORT]);
        for (host, left) in drained.iter().zip(left) {
            self.note_sockets(Some(AFTER_DRAIN), host, left);
        }
        for (pod, sidecar) in sidecars {
            self.keep_secrets(&pod, &sidecar).await;
            sidecar.stop();
            sidecar.ended().await;
            self.keep_secrets(&pod, &sidecar).await;
            self.ground.sidecar_is_gone(&pod);
        }
        self.settle().await;
        for host in self.hosts() {
            self.count(Some(AFTER_DRAIN), &host, &[]);
        }
    }
}
