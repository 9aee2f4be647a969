//! Addresses of one live world below 127.0.0.0/8, so that several stand beside each other on one machine.
//!
//! World *w*, pod *p* (from 1, in file order; pods within another have none of their own):
//!
//! | address | who listens there |
//! | --- | --- |
//! | 127.*w*.*p*.1 | the sidecar: inbounds, outbounds, admin |
//! | 127.*w*.*p*.2 | the app, for its own sidecar |
//! | 127.*w*.*p*.3 | the app, for the scripted clients of this process |
//! | 127.*w*.*p*.4 | near ends of relayed connections of this process |
//! | 127.*w*.*p*.(16 + *q*) | a relay, or an app without sidecar: what the sidecar of pod *q* takes for pod *p* |

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::language::{ProxyKind, Scenario};

/// Worlds are numbered from here; what is below may be used by other programs of the machine.
const FIRST: u32 = 16;
/// How many numbers there are.
const WORLDS: u32 = 224;
/// Port of the lease, which lives as long as its listener does. Below those that the system gives out, and open to all users.
const LEASE_PORT: u16 = 29_009;
/// Pods that have faces of their own at each other's.
const PODS_MAX: usize = 200;

/// Where worlds of this process look first.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// The right to a world's addresses; other processes see that they are taken. Ends with it, whatever happens to this process.
#[derive(Debug)]
pub(super) struct Lease {
    world: u8,
    /// Held for its being bound.
    _listener: TcpListener,
}

impl Lease {
    /// Takes a world that nobody has.
    ///
    /// # Errors
    /// All are taken, or loopback addresses cannot be bound.
    pub(super) fn take() -> io::Result<Self> {
        let start = std::process::id().wrapping_mul(37).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let mut last = io::Error::new(io::ErrorKind::AddrInUse, "no world is free");
        for i in 0..WORLDS {
            let number = FIRST + start.wrapping_add(i) % WORLDS;
            let world = u8::try_from(number).unwrap_or(u8::MAX);
            let address = SocketAddrV4::new(Ipv4Addr::new(127, world, 255, 254), LEASE_PORT);
            match TcpListener::bind(address) {
                Ok(listener) => return Ok(Self { world, _listener: listener }),
                Err(error) => {
                    last = io::Error::new(
                        error.kind(),
                        format!("no world is free: listening at {address}: {error}"),
                    );
                }
            }
        }
        Err(last)
    }

    pub(super) fn world(&self) -> u8 {
        self.world
    }
}

/// A host of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Host {
    /// The app of a pod.
    App(u8),
    /// The sidecar of a pod.
    Sidecar(u8),
    /// The world itself.
    World,
}

/// Who is where.
#[derive(Debug, Clone)]
pub(super) struct Addresses {
    world: u8,
    /// Names of pods, and whether a sidecar stands beside them.
    pods: Vec<(String, bool)>,
}

impl Addresses {
    /// # Errors
    /// More pods than there are addresses.
    pub(super) fn of(world: u8, scenario: &Scenario) -> io::Result<Self> {
        let pods = scenario.pods.iter().filter(|pod| pod.within.is_none());
        let pods: Vec<_> = pods.map(|pod| (pod.name.clone(), pod.proxy == ProxyKind::Default)).collect();
        if pods.len() > PODS_MAX {
            return Err(io::Error::other(format!("a live world holds {PODS_MAX} pods, not {}", pods.len())));
        }
        Ok(Self { world, pods })
    }

    /// Names of pods, each with its number.
    pub(super) fn pods(&self) -> impl Iterator<Item = (u8, &str)> {
        self.pods.iter().zip(1..).map(|((name, _), number)| (number, name.as_str()))
    }

    /// A host by its name: `POD`, `POD.proxy`, or the world.
    pub(super) fn host(&self, name: &str) -> Host {
        let number = |pod: &str| self.pods().find(|(_, name)| *name == pod).map(|(number, _)| number);
        match name.strip_suffix(".proxy").and_then(number) {
            Some(pod) => Host::Sidecar(pod),
            None => number(name).map_or(Host::World, Host::App),
        }
    }

    /// A host's name.
    pub(super) fn name(&self, host: Host) -> String {
        let pod = |number: u8| self.pods.get(usize::from(number) - 1).map_or("?", |(name, _)| name.as_str());
        match host {
            Host::App(number) => pod(number).to_owned(),
            Host::Sidecar(number) => format!("{}.proxy", pod(number)),
            Host::World => "world".to_owned(),
        }
    }

    /// Whether a sidecar stands beside pod number `pod`.
    pub(super) fn has_sidecar(&self, pod: u8) -> bool {
        self.pods.get(usize::from(pod).wrapping_sub(1)).is_some_and(|(_, sidecar)| *sidecar)
    }

    fn at(&self, pod: u8, face: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, self.world, pod, face)
    }

    /// The address Kuma knows a pod by: its sidecar's, or that of the app that stands in its place.
    pub(super) fn pod(&self, pod: u8) -> Ipv4Addr {
        self.at(pod, 1)
    }

    /// The app's address, for its own sidecar.
    pub(super) fn app(&self, pod: u8) -> Ipv4Addr {
        self.at(pod, 2)
    }

    /// The app's address, for clients of this process.
    pub(super) fn plain(&self, pod: u8) -> Ipv4Addr {
        self.at(pod, 3)
    }

    /// Where near ends of relayed connections meet.
    pub(super) fn near(&self, host: Host) -> Ipv4Addr {
        match host {
            Host::App(pod) | Host::Sidecar(pod) => self.at(pod, 4),
            Host::World => self.at(254, 4),
        }
    }

    /// What the sidecar of pod `viewer` takes for pod `pod`.
    pub(super) fn face(&self, pod: u8, viewer: u8) -> Ipv4Addr {
        self.at(pod, viewer.saturating_add(16))
    }

    /// Where a client of `host` that dials `to` really goes, and whom it reaches there. `None`: nobody of this world.
    pub(super) fn dial(&self, host: Host, to: SocketAddrV4) -> Option<(SocketAddrV4, Host)> {
        let [a, w, pod, face] = to.ip().octets();
        let at_app = |pod: u8| (SocketAddrV4::new(self.plain(pod), to.port()), Host::App(pod));
        let at_sidecar = |pod: u8| (SocketAddrV4::new(self.pod(pod), to.port()), Host::Sidecar(pod));
        match host {
            Host::App(pod) if *to.ip() == Ipv4Addr::LOCALHOST => {
                Some(if self.has_sidecar(pod) { at_sidecar(pod) } else { at_app(pod) })
            }
            _ if (a, w) != (127, self.world) => None,
            _ => match face {
                1 if self.has_sidecar(pod) => Some(at_sidecar(pod)),
                1 | 2 => Some(at_app(pod)),
                _ => None,
            },
        }
    }

    /// Where an app that listens at `at` really listens, and who reaches it there: its own sidecar or, without one, each other pod's; the
    /// clients of this process (`None`), who see to their own relays.
    pub(super) fn listen(&self, pod: u8, at: SocketAddrV4) -> Vec<(SocketAddrV4, Option<Host>)> {
        let port = at.port();
        let mut all = vec![(SocketAddrV4::new(self.plain(pod), port), None)];
        if self.has_sidecar(pod) {
            all.push((SocketAddrV4::new(self.app(pod), port), Some(Host::Sidecar(pod))));
        } else {
            let viewers = self.pods().map(|(viewer, _)| viewer).filter(|viewer| self.has_sidecar(*viewer));
            all.extend(viewers.map(|viewer| {
                (SocketAddrV4::new(self.face(pod, viewer), port), Some(Host::Sidecar(viewer)))
            }));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn addresses() -> Addresses {
        let text = "about: x\nmesh: {mtls: disabled}\npods: {web: {}, out: {proxy: none, app: refuse}, b: {app: refuse}}\n\
                    steps: [{wait: 1s}]\n";
        let scenarios = crate::scenario::parse("x", Path::new("x.yaml"), text).expect("a scenario");
        Addresses::of(20, &scenarios[0]).expect("addresses")
    }

    fn at(ip: [u8; 4], port: u16) -> SocketAddrV4 {
        SocketAddrV4::new(ip.into(), port)
    }

    #[test]
    fn hosts_have_names() {
        let all = addresses();
        for (name, host) in [("web", Host::App(1)), ("out", Host::App(2)), ("b.proxy", Host::Sidecar(3))] {
            assert_eq!(all.host(name), host);
            assert_eq!(all.name(host), name);
        }
        assert_eq!(all.host("world"), Host::World);
    }

    #[test]
    fn a_client_reaches_its_sidecar_on_loopback_and_others_by_address() {
        let all = addresses();
        let dial = |host, ip, port| all.dial(host, at(ip, port));
        assert_eq!(
            dial(Host::App(1), [127, 0, 0, 1], 20001),
            Some((at([127, 20, 1, 1], 20001), Host::Sidecar(1)))
        );
        assert_eq!(
            dial(Host::App(1), [127, 20, 3, 1], 10080),
            Some((at([127, 20, 3, 1], 10080), Host::Sidecar(3)))
        );
        assert_eq!(
            dial(Host::App(1), [127, 20, 2, 1], 10080),
            Some((at([127, 20, 2, 3], 10080), Host::App(2)))
        );
        assert_eq!(
            dial(Host::App(2), [127, 20, 3, 2], 8080),
            Some((at([127, 20, 3, 3], 8080), Host::App(3)))
        );
        assert_eq!(dial(Host::App(1), [127, 21, 3, 1], 10080), None);
        assert_eq!(dial(Host::App(1), [10, 0, 0, 1], 10080), None);
    }

    #[test]
    fn an_app_listens_for_its_own_sidecar_or_for_everyones() {
        let all = addresses();
        let with = all.listen(3, at([127, 0, 0, 1], 8080));
        assert_eq!(
            with,
            [(at([127, 20, 3, 3], 8080), None), (at([127, 20, 3, 2], 8080), Some(Host::Sidecar(3)))]
        );
        let without = all.listen(2, at([127, 20, 2, 1], 10080));
        let faces = [
            (at([127, 20, 2, 3], 10080), None),
            (at([127, 20, 2, 17], 10080), Some(Host::Sidecar(1))),
            (at([127, 20, 2, 19], 10080), Some(Host::Sidecar(3))),
        ];
        assert_eq!(without, faces);
    }

    #[test]
    fn worlds_are_leased_once() {
        let (one, two) = (Lease::take().expect("a world"), Lease::take().expect("another"));
        assert_ne!(one.world(), two.world());
    }
}
