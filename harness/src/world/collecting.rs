//! What sidecars are asked, and what is counted of hosts, for expectations and for what is always judged.

use std::collections::BTreeMap;

use super::stage::{SidecarOf, Stage, lock, proxy_host};
use super::{Ground, scrape};
use crate::dataplane::{Dataplane, Sidecar as _};
use crate::expect::{Scrape, SocketCount};
use crate::kuma;
use crate::language::{Check, Expectation, ProxyKind};
use crate::observe::Seen;

impl<G: Ground, D: Dataplane<G::Network>> Stage<G, D> {
    /// Scrapes metrics and counts sockets, as far as these expectations look at them; at the bottom, all sidecars: their books are compared.
    pub(super) async fn collect(&self, step: Option<&str>, expectations: &[Expectation]) {
        let checks = || expectations.iter().flat_map(|expectation| &expectation.checks);
        if checks().any(|check| matches!(check, Check::Quiet(_))) {
            for host in self.hosts() {
                self.count(step, &host, &[kuma::ADMIN_PORT]);
            }
        }
        let mut wanted: Vec<_> = checks()
            .filter_map(|check| match check {
                Check::Metrics(metrics) => Some(metrics.at.clone()),
                _ => None,
            })
            .collect();
        if step.is_none() {
            wanted.extend(lock(&self.sidecars).keys().map(|pod| proxy_host(pod)));
        }
        wanted.sort_unstable();
        wanted.dedup();
        for host in wanted {
            let pod = host.strip_suffix(".proxy").unwrap_or(&host);
            let sidecar = lock(&self.sidecars).get(pod).cloned();
            let body = match &sidecar {
                Some(sidecar) => self.told(sidecar).await,
                None => Err("it does not run".to_owned()),
            };
            let (at, step) = (self.ground.now(), step.map(str::to_owned));
            lock(&self.scrapes).push(Scrape { at, step, host, body });
        }
    }

    /// Metrics of a sidecar that runs.
    async fn told(&self, sidecar: &SidecarOf<D, G>) -> Result<String, String> {
        let Some((address, path)) = sidecar.metrics() else {
            return sidecar.collect().await.unwrap_or_else(|| Err("it has no metrics".to_owned()));
        };
        let network = self.ground.network(crate::sim::topology::WORLD);
        let of = if sidecar.pid().is_some() { scrape::Of::Program } else { scrape::Of::Task };
        if sidecar.gathers_when_asked() {
            scrape::scrape(&network, address, path, of).await?;
            // What that set in motion is over when nothing of it runs any more.
            self.settle().await;
        }
        scrape::scrape(&network, address, path, of).await
    }

    pub(super) fn hosts(&self) -> Vec<String> {
        let pods = self.scenario.pods.iter().filter(|pod| pod.within.is_none());
        pods.flat_map(|pod| {
            let proxy = (pod.proxy == ProxyKind::Default).then(|| proxy_host(&pod.name));
            std::iter::once(pod.name.clone()).chain(proxy)
        })
        .collect()
    }

    pub(super) fn count(&self, step: Option<&str>, host: &str, but: &[u16]) {
        self.note_sockets(step, host, self.ground.sockets(host, but));
    }

    pub(super) fn note_sockets(
        &self,
        step: Option<&str>,
        host: &str,
        counted: Result<BTreeMap<String, u32>, String>,
    ) {
        let host = host.to_owned();
        match counted {
            Ok(by_state) => {
                let (at, step) = (self.ground.now(), step.map(str::to_owned));
                lock(&self.sockets).push(SocketCount { at, step, host, by_state });
            }
            Err(why) => self.log.world(step, Seen::Uncounted { host, why }),
        }
    }
}
