//! Hosts and addresses of a run.
//!
//! A pod is two hosts, its app's and its sidecar's, so that the hop between them can be cut, slowed and captured, and a sidecar can crash
//! alone. Kuma thinks of them as one machine: `127.0.0.1` seen from one of them is the other. The addresses below are what packets bear;
//! apps, dataplanes and observations see Kuma's.
//!
//! | host | address | Kuma's view |
//! | --- | --- | --- |
//! | sidecar of pod *i* | 10.0.x.y | the pod's address |
//! | same, towards its app | 10.2.x.y | 127.0.0.1 |
//! | app of pod *i* | 10.1.x.y | 127.0.0.1 |
//! | app of a pod without sidecar | 10.0.x.y | the pod's address |
//! | the world (scrapes) | 10.3.0.1 | |

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use crate::language::{Link, ProxyKind, Scenario};

/// Name of the host from which the world itself calls (scrapes).
pub const WORLD: &str = "world";

/// A host: an index into [`Topology::hosts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub(crate) usize);

/// What a host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A pod's app.
    App,
    /// A pod's sidecar.
    Sidecar,
    /// The world.
    World,
}

/// One host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// `POD`, `POD.proxy` or [`WORLD`].
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Its addresses; the first is the source of its connections.
    pub addresses: Vec<Ipv4Addr>,
    /// The other host of the pod.
    partner: Option<HostId>,
}

/// All hosts of a run, in the scenario's order, the world last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// The hosts.
    pub hosts: Vec<Host>,
}

impl Topology {
    /// The hosts that a scenario's pods are.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Self {
        let pods = scenario.pods.iter().filter(|pod| pod.within.is_none());
        let pods = pods.map(|pod| (pod.name.as_str(), pod.proxy == ProxyKind::Default));
        Self::of_pods(pods)
    }

    /// The hosts of pods: (name, whether it has a sidecar).
    #[must_use]
    pub fn of_pods<'a>(pods: impl IntoIterator<Item = (&'a str, bool)>) -> Self {
        let mut hosts = Vec::new();
        for (i, (name, sidecar)) in pods.into_iter().enumerate() {
            let [_, _, x, y] = (u32::try_from(i).unwrap_or(u32::MAX).saturating_add(1)).to_be_bytes();
            let address = |net| Ipv4Addr::new(10, net, x, y);
            let app = HostId(hosts.len());
            let proxy = HostId(hosts.len() + 1);
            hosts.push(Host {
                name: name.to_owned(),
                kind: Kind::App,
                addresses: vec![address(if sidecar { 1 } else { 0 })],
                partner: sidecar.then_some(proxy),
            });
            if sidecar {
                hosts.push(Host {
                    name: format!("{name}.proxy"),
                    kind: Kind::Sidecar,
                    addresses: vec![address(0), address(2)],
                    partner: Some(app),
                });
            }
        }
        hosts.push(Host {
            name: WORLD.to_owned(),
            kind: Kind::World,
            addresses: vec![Ipv4Addr::new(10, 3, 0, 1)],
            partner: None,
        });
        Self { hosts }
    }

    /// A host by name.
    #[must_use]
    pub fn host(&self, name: &str) -> Option<HostId> {
        self.hosts.iter().position(|host| host.name == name).map(HostId)
    }

    /// A host's entry.
    #[must_use]
    pub fn get(&self, id: HostId) -> &Host {
        &self.hosts[id.0]
    }

    /// The address Kuma knows a pod by.
    #[must_use]
    pub fn pod_address(&self, pod: &str) -> Option<Ipv4Addr> {
        let id = self.host(&format!("{pod}.proxy")).or_else(|| self.host(pod))?;
        self.get(id).addresses.first().copied()
    }

    /// The host that owns an address.
    #[must_use]
    pub fn owner(&self, address: Ipv4Addr) -> Option<HostId> {
        self.hosts.iter().position(|host| host.addresses.contains(&address)).map(HostId)
    }

    /// The link between two hosts: named from the one that comes first; `true` if that is `src`.
    #[must_use]
    pub fn link(&self, src: HostId, dst: HostId) -> (Link, bool) {
        let (from, to) = (src.min(dst), src.max(dst));
        (Link { from: self.get(from).name.clone(), to: self.get(to).name.clone() }, src == from)
    }

    /// Where a connection of `host` to `address` really goes: loopback is the pod's other host.
    #[must_use]
    pub fn dial(&self, host: HostId, address: SocketAddrV4) -> SocketAddrV4 {
        let host = self.get(host);
        match host.partner {
            Some(partner) if address.ip().is_loopback() => {
                SocketAddrV4::new(self.inner_face(partner), address.port())
            }
            None if address.ip().is_loopback() => SocketAddrV4::new(host.addresses[0], address.port()),
            _ => address,
        }
    }

    /// Where a listener of `host` at `address` really listens: loopback is the face towards the pod's other host.
    #[must_use]
    pub fn listen(&self, host: HostId, address: SocketAddrV4) -> SocketAddrV4 {
        if address.ip().is_loopback() {
            SocketAddrV4::new(self.inner_face(host), address.port())
        } else {
            address
        }
    }

    /// An address as Kuma would show it to `viewer`.
    #[must_use]
    pub fn shown(&self, viewer: HostId, address: SocketAddrV4) -> SocketAddr {
        let owner = self.owner(*address.ip());
        let viewer = self.get(viewer);
        let inside = owner.is_some() && owner == viewer.partner;
        let own_inner_face = viewer.kind == Kind::Sidecar && viewer.addresses.get(1) == Some(address.ip());
        let own_app =
            viewer.kind == Kind::App && viewer.partner.is_some() && viewer.addresses.contains(address.ip());
        if inside || own_inner_face || own_app {
            return SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()));
        }
        SocketAddr::V4(address)
    }

    fn inner_face(&self, host: HostId) -> Ipv4Addr {
        let host = self.get(host);
        host.addresses.get(1).copied().unwrap_or(host.addresses[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ip: [u8; 4], port: u16) -> SocketAddrV4 {
        SocketAddrV4::new(ip.into(), port)
    }

    #[test]
    fn loopback_is_the_other_host_of_the_pod() {
        let topology = Topology::of_pods([("web", true), ("outside", false)]);
        let (web, proxy) = (topology.host("web").unwrap(), topology.host("web.proxy").unwrap());
        assert_eq!(topology.dial(web, at([127, 0, 0, 1], 80)), at([10, 2, 0, 1], 80));
        assert_eq!(topology.dial(proxy, at([127, 0, 0, 1], 80)), at([10, 1, 0, 1], 80));
        assert_eq!(topology.listen(proxy, at([127, 0, 0, 1], 80)), at([10, 2, 0, 1], 80));
        assert_eq!(topology.listen(proxy, at([10, 0, 0, 1], 80)), at([10, 0, 0, 1], 80));
        assert_eq!(topology.dial(web, at([10, 0, 0, 2], 80)), at([10, 0, 0, 2], 80));
        assert_eq!(topology.pod_address("outside"), Some([10, 0, 0, 2].into()));
    }

    #[test]
    fn addresses_are_shown_as_kuma_knows_them() {
        let topology = Topology::of_pods([("web", true), ("backend", true)]);
        let (web, proxy) = (topology.host("web").unwrap(), topology.host("web.proxy").unwrap());
        assert_eq!(topology.shown(web, at([10, 0, 0, 1], 5)).to_string(), "127.0.0.1:5");
        assert_eq!(topology.shown(web, at([10, 1, 0, 1], 5)).to_string(), "127.0.0.1:5");
        assert_eq!(topology.shown(proxy, at([10, 2, 0, 1], 5)).to_string(), "127.0.0.1:5");
        assert_eq!(topology.shown(proxy, at([10, 0, 0, 1], 5)).to_string(), "10.0.0.1:5");
        assert_eq!(topology.shown(proxy, at([10, 0, 0, 2], 5)).to_string(), "10.0.0.2:5");
    }
}
