//! A live world as what scenarios are played on.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reference_dp::clock::{Clock, SystemClock};
use reference_dp::spawn::Spawn;
use tokio::sync::watch;

use super::addresses::{Addresses, Host, Lease};
use super::group;
use super::keys::System;
use super::links::Links;
use super::network::LiveNetwork;
use super::relay::Relay;
use super::rest::rest;
use super::sockets::Look;
use super::tasks::{Panics, Tasks};
use crate::app::tls::Entropy;
use crate::kuma;
use crate::language::{Fault, Link, Scenario};
use crate::observe::Nanos;
use crate::observe::wire::Capture;
use crate::world::Ground;

/// Longest stretch of silence that is waited for; in virtual time, where it costs nothing, it may be longer.
const QUIET_MAX: Duration = Duration::from_millis(100);
/// Whoever still moves after this never rests.
const RESTLESS_MAX: Duration = Duration::from_secs(10);
/// What a case may take beyond the times that its script names.
const SLACK: Duration = Duration::from_secs(90);

/// A world of real sockets, on one thread.
#[derive(Debug, Clone)]
pub struct Live(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    addresses: Addresses,
    links: Links,
    /// Relays, and faults that wait for their time.
    own: Tasks,
    panics: Panics,
    hosts: Mutex<BTreeMap<Host, (LiveNetwork, Tasks)>>,
    /// Ports at which sidecars listen for others, by pod.
    inbounds: BTreeMap<u8, Vec<u16>>,
    sidecars: Mutex<BTreeMap<u8, Running>>,
    span: Duration,
    _lease: Lease,
}

/// A sidecar that runs.
#[derive(Debug)]
struct Running {
    process: Option<u32>,
    /// Dropping it closes the relays before the sidecar.
    _up: watch::Sender<bool>,
}

impl Live {
    /// Takes addresses for a scenario.
    ///
    /// # Errors
    /// None are free, or it has too many pods.
    pub fn new(scenario: &Scenario, seed: u64, capture_bound: u64) -> io::Result<Self> {
        let lease = Lease::take()?;
        let addresses = Addresses::of(lease.world(), scenario)?;
        let links = Links::new(addresses.clone(), seed, capture_bound);
        let panics = Panics::default();
        let mut inbounds: BTreeMap<u8, Vec<u16>> = BTreeMap::new();
        for pod in scenario.pods.iter().filter(|pod| pod.app.is_some()) {
            if let Host::App(number) = addresses.host(scenario.host(&pod.name)) {
                inbounds.entry(number).or_default().push(kuma::INBOUND_PORT + scenario.port(&pod.name));
            }
        }
        Ok(Self(Arc::new(Inner {
            addresses,
            links,
            own: Tasks::new(&panics),
            panics,
            hosts: Mutex::default(),
            inbounds,
            sidecars: Mutex::default(),
            span: scenario.span(),
            _lease: lease,
        })))
    }

    fn host(&self, name: &str) -> (LiveNetwork, Tasks) {
        let host = self.0.addresses.host(name);
        let mut hosts = lock(&self.0.hosts);
        let entry = hosts.entry(host).or_insert_with(|| {
            let Inner { addresses, links, own, panics, .. } = &*self.0;
            let network = LiveNetwork::new(host, addresses.clone(), links.clone(), own.clone());
            (network, Tasks::new(panics))
        });
        entry.clone()
    }

    /// A pod's number; 0, at which nobody is, if there is none.
    fn pod(&self, name: &str) -> u8 {
        match self.0.addresses.host(name) {
            Host::App(pod) | Host::Sidecar(pod) => pod,
            Host::World => 0,
        }
    }

    /// Ends all tasks, relays last.
    pub(super) async fn end(&self) {
        let hosts: Vec<_> = lock(&self.0.hosts).values().cloned().collect();
        for (_, tasks) in hosts {
            tasks.end().await;
        }
        lock(&self.0.sidecars).clear();
        self.0.own.end().await;
    }

    /// What crossed the links.
    pub(super) fn take_capture(&self) -> Capture {
        self.0.links.take_capture()
    }

    /// What this process could not do, in words.
    pub(super) fn trouble(&self) -> Option<String> {
        self.0.links.troubled()
    }

    /// Panics of tasks.
    pub(super) fn panics(&self) -> Vec<String> {
        lock(&self.0.panics).clone()
    }

    /// The first process of a pod's sidecar, after which its group is named.
    fn group(&self, pod: u8) -> Option<u32> {
        lock(&self.0.sidecars).get(&pod).and_then(|sidecar| sidecar.process)
    }

    /// Looks at the sidecars of these pods.
    fn look(&self, pods: &[u8]) -> Look {
        Look::at(&pods.iter().filter_map(|pod| self.group(*pod)).collect::<Vec<_>>())
    }

    /// What a look shows of one of them; one that does not run holds nothing.
    fn held(
        &self,
        look: &Look,
        pod: u8,
        counts: impl Fn(SocketAddrV4) -> bool,
    ) -> Result<BTreeMap<String, u32>, String> {
        self.group(pod).map_or_else(|| Ok(BTreeMap::new()), |group| look.count(group, counts))
    }

    fn processes(&self) -> Vec<u32> {
        group::families(lock(&self.0.sidecars).values().filter_map(|sidecar| sidecar.process).collect())
    }
}

impl Ground for Live {
    type Network = LiveNetwork;

    fn network(&self, host: &str) -> LiveNetwork {
        self.host(host).0
    }

    fn spawn(&self, host: &str) -> Arc<dyn Spawn> {
        Arc::new(self.host(host).1)
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }

    fn now(&self) -> Nanos {
        self.0.links.now()
    }

    fn entropy(&self) -> Arc<dyn Entropy> {
        Arc::new(System)
    }

    fn pod_address(&self, pod: &str) -> Ipv4Addr {
        self.0.addresses.pod(self.pod(pod))
    }

    fn app_address(&self, pod: &str) -> Ipv4Addr {
        self.0.addresses.app(self.pod(pod))
    }

    fn seen_from(&self, viewer: &str, pod: &str) -> Ipv4Addr {
        let (viewer, pod) = (self.pod(viewer), self.pod(pod));
        if viewer == pod { self.0.addresses.pod(pod) } else { self.0.addresses.face(pod, viewer) }
    }

    fn outbounds(&self, pod: &str) -> Ipv4Addr {
        self.0.addresses.pod(self.pod(pod))
    }

    fn service_address(&self, pod: &str) -> Ipv4Addr {
        self.0.addresses.app(self.pod(pod))
    }

    fn sees_refused(&self) -> bool {
        false
    }

    fn deadline(&self, scenario: &Scenario) -> Duration {
        // Twice, since real time is not the scenario's alone.
        (self.0.span * 2 + SLACK).min(scenario.deadline)
    }

    fn sidecar_is_up(&self, pod: &str, process: Option<u32>) -> io::Result<()> {
        let Inner { addresses, links, own, .. } = &*self.0;
        let callee = self.pod(pod);
        let (up, is_up) = watch::channel(true);
        let callers = addresses.pods().map(|(caller, _)| caller);
        let callers = callers.filter(|caller| *caller != callee && addresses.has_sidecar(*caller));
        for caller in callers {
            for port in self.0.inbounds.get(&callee).into_iter().flatten() {
                let relay = Relay {
                    caller: Host::Sidecar(caller),
                    callee: Host::Sidecar(callee),
                    face: SocketAddrV4::new(addresses.face(callee, caller), *port),
                    real: SocketAddrV4::new(addresses.pod(callee), *port),
                };
                relay.start(links, own, is_up.clone())?;
            }
        }
        lock(&self.0.sidecars).insert(callee, Running { process, _up: up });
        Ok(())
    }

    fn sidecar_is_gone(&self, pod: &str) {
        lock(&self.0.sidecars).remove(&self.pod(pod));
    }

    async fn crash(&self, host: &str) {
        self.host(host).1.end().await;
        self.0.links.moved();
    }

    fn fault(&self, fault: &Fault) {
        let Some((delay, timer)) = self.0.links.fault(fault) else { return };
        let links = self.0.links.clone();
        self.0.own.spawn(Box::pin(async move {
            tokio::time::sleep(delay).await;
            links.begin(timer);
        }));
    }

    fn heal(&self, link: &Link) {
        self.0.links.heal(link);
    }

    async fn settle(&self, quiet: Duration, limit: Duration) {
        rest(&self.0.links, &self.processes(), quiet.min(QUIET_MAX), limit.min(RESTLESS_MAX)).await;
    }

    fn sockets(&self, host: &str, but: &[u16]) -> Result<BTreeMap<String, u32>, String> {
        match self.0.addresses.host(host) {
            Host::Sidecar(pod) => self.held(&self.look(&[pod]), pod, |own| !but.contains(&own.port())),
            _ => {
                let held = self.host(host).0.held();
                Ok((held > 0).then(|| ("HELD".to_owned(), held)).into_iter().collect())
            }
        }
    }

    /// A dataplane may keep connections to others pooled until it is stopped, and those of other dataplanes' pools to it are not its own to end:
    /// what its app opened must be gone.
    fn drained_sockets(
        &self,
        sidecars: &[String],
        but: &[u16],
    ) -> Vec<Result<BTreeMap<String, u32>, String>> {
        let pods: Vec<_> = sidecars.iter().map(|host| self.pod(host)).collect();
        let look = self.look(&pods);
        let left = |pod| {
            let own = self.0.addresses.pod(pod);
            let inbounds = self.0.inbounds.get(&pod).map(Vec::as_slice).unwrap_or_default();
            let is_pooled = |end: SocketAddrV4| *end.ip() != own || inbounds.contains(&end.port());
            self.held(&look, pod, |end| !is_pooled(end) && !but.contains(&end.port()))
        };
        pods.into_iter().map(left).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
