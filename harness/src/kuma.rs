//! From a scenario's short forms to Kuma's own resources, as a user of Universal mode would write them.
//!
//! Ports: the app of a pod listens at `127.0.0.1:8080`, its sidecar's inbound at `ADDRESS:10080`, and every other pod reaches it at
//! `127.0.0.1:20000 + N`, where N is the pod's place in the scenario. Metrics are at `ADDRESS:9901`.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use crate::language::{Mtls, Outbounds, Pod, ProxyKind, Scenario};

mod resource;

pub use resource::Resource;

/// The mesh's name.
pub const MESH: &str = "default";
/// Where an app listens, on its pod's loopback.
pub const APP_PORT: u16 = 8080;
/// Where a sidecar's inbound listens, at its pod's address.
pub const INBOUND_PORT: u16 = 10080;
/// Where a sidecar serves metrics, at its pod's address.
pub const ADMIN_PORT: u16 = 9901;
/// First port of outbounds.
const OUTBOUND_BASE: u16 = 20000;

/// Where the callers of service number `index` dial, on their own loopback.
#[must_use]
pub fn outbound(index: usize) -> SocketAddr {
    let port = OUTBOUND_BASE.saturating_add(u16::try_from(index).unwrap_or(u16::MAX));
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
}

/// The server name with which a sidecar asks for the `MeshService` of a pod: `a`, FNV-1a of name and mesh, name, port, mesh, `ms`
/// (kuma-protocols.md 3.3).
#[must_use]
pub fn mesh_service_name(pod: &str) -> String {
    let hash = format!("{pod};{MESH};").bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("a{hash:016x}.{pod}.{INBOUND_PORT}.{MESH}.ms")
}

/// Addresses as one sidecar is to see them.
pub struct View<'a> {
    /// Its pod.
    pub pod: &'a str,
    /// Pods' addresses, by their names.
    pub address: &'a dyn Fn(&str) -> Ipv4Addr,
    /// Where its outbounds listen.
    pub outbounds: Ipv4Addr,
    /// Where its app listens.
    pub app: Ipv4Addr,
}

impl<'a> View<'a> {
    /// As Kuma's defaults have it: apps and outbounds are on loopback.
    #[must_use]
    pub fn usual(pod: &'a str, address: &'a dyn Fn(&str) -> Ipv4Addr) -> Self {
        Self { pod, address, outbounds: Ipv4Addr::LOCALHOST, app: Ipv4Addr::LOCALHOST }
    }
}

/// All resources of the scenario's mesh, as one sidecar is to see them: (name for messages, YAML).
#[must_use]
pub fn resources(scenario: &Scenario, view: &View<'_>) -> Vec<(String, String)> {
    let mut all = vec![("mesh.yaml".to_owned(), mesh(scenario))];
    for pod in scenario.pods.iter().filter(|pod| pod.within.is_none()) {
        all.push((format!("dataplane-{}.yaml", pod.name), dataplane(scenario, pod, view)));
    }
    if scenario.mesh.mtls == Mtls::Strict
        && let Some(text) = permission(scenario)
    {
        all.push(("permission.yaml".to_owned(), text));
    }
    let verbatim = scenario.resources.iter().enumerate();
    all.extend(verbatim.map(|(i, text)| (format!("resources-{i}.yaml"), text.clone())));
    all
}

/// Whether a verbatim resource replaces the one that the short forms would make.
fn has_verbatim(scenario: &Scenario, kind: &str) -> bool {
    /// All that matters here of a resource.
    #[derive(serde::Deserialize)]
    struct Head {
        #[serde(rename = "type")]
        kind: String,
    }
    let is = |text: &String| serde_saphyr::from_str::<Head>(text).is_ok_and(|head| head.kind == kind);
    scenario.resources.iter().any(is)
}

fn mesh(scenario: &Scenario) -> String {
    match scenario.mesh.mtls {
        Mtls::Disabled => format!("type: Mesh\nname: {MESH}\n"),
        Mtls::Strict => format!(
            "type: Mesh\nname: {MESH}\nmtls:\n  enabledBackend: ca\n  backends:\n    - {{name: ca, type: builtin, mode: STRICT}}\n"
        ),
    }
}

/// Everyone may call, or only the pods named; verbatim permissions stand alone.
fn permission(scenario: &Scenario) -> Option<String> {
    if has_verbatim(scenario, "MeshTrafficPermission") {
        return None;
    }
    let head = format!(
        "type: MeshTrafficPermission\nmesh: {MESH}\nname: permissions\nspec:\n  targetRef: {{kind: Mesh}}\n  from:\n"
    );
    let allow = |target: &str| format!("    - targetRef: {target}\n      default: {{action: Allow}}\n");
    match &scenario.mesh.permissions {
        None => Some(head + &allow("{kind: Mesh}")),
        Some(pods) if pods.is_empty() => None,
        Some(pods) => {
            let one =
                |pod: &String| allow(&format!("{{kind: MeshSubset, tags: {{kuma.io/service: {pod}}}}}"));
            Some(head + &pods.iter().map(one).collect::<String>())
        }
    }
}

/// A pod's Dataplane: an inbound if it has an app, and an outbound to every other pod's service. Pods without a sidecar have one too, so that
/// they are endpoints; they listen there themselves. A pod without an app still needs a service of its own, since its identity is made of it.
fn dataplane(scenario: &Scenario, pod: &Pod, view: &View<'_>) -> String {
    let address = (view.address)(&pod.name);
    let (app, listens) = if pod.name == view.pod {
        (view.app, view.outbounds)
    } else {
        (Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST)
    };
    let mut text =
        format!("type: Dataplane\nmesh: {MESH}\nname: {}\nnetworking:\n  address: {address}\n", pod.name);
    // Loopback is Kuma's default.
    let listens =
        if listens == Ipv4Addr::LOCALHOST { String::new() } else { format!("address: {listens}\n      ") };
    text.push_str("  inbound:\n");
    let within = |other: &&Pod| other.name == pod.name || other.within.as_ref() == Some(&pod.name);
    text.extend(
        scenario.pods.iter().filter(within).map(|port| inbound(port, scenario.port(&port.name), app)),
    );
    let services = scenario.pods.iter().enumerate().filter(|(_, other)| other.service == other.name);
    let others = services.filter(|(_, other)| other.name != pod.service && other.app.is_some());
    let outbounds: String = others
        .map(|(i, other)| {
            let target = match pod.outbounds {
                Outbounds::MeshServices => {
                    let port = INBOUND_PORT + scenario.port(&other.name);
                    format!("backendRef: {{kind: MeshService, name: {}, port: {port}}}", other.name)
                }
                Outbounds::Tags => format!("tags: {{kuma.io/service: {}}}", other.name),
            };
            format!("    - port: {}\n      {listens}{target}\n", outbound(i).port())
        })
        .collect();
    if pod.proxy != ProxyKind::None && !outbounds.is_empty() {
        let _ = write!(text, "  outbound:\n{outbounds}");
    }
    text
}

/// One inbound of a Dataplane: number `index` of its ports, before the app at `app`.
fn inbound(pod: &Pod, index: u16, app: Ipv4Addr) -> String {
    let protocol = pod.protocol.as_ref().map(|p| format!(", kuma.io/protocol: {p}")).unwrap_or_default();
    let state = match (&pod.app, pod.ready) {
        // No listener, but the identity is in the certificate.
        (None, _) => "\n      state: Ignored",
        (Some(_), false) => "\n      state: NotReady",
        (Some(_), true) => "",
    };
    format!(
        "    - port: {}\n      servicePort: {}\n      serviceAddress: {app}{state}\n      \
         tags: {{kuma.io/service: {}{protocol}}}\n",
        INBOUND_PORT + index,
        APP_PORT + index,
        pod.service
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn services_are_asked_for_as_kuma_does() {
        // The hash is FNV-1a of `backend;default;`, computed with a separate program.
        assert_eq!(mesh_service_name("backend"), "a601e0c00295a9fbe.backend.10080.default.ms");
    }

    const ON_LOOPBACK: View<'_> = View {
        pod: "web",
        address: &|_| Ipv4Addr::LOCALHOST,
        outbounds: Ipv4Addr::LOCALHOST,
        app: Ipv4Addr::LOCALHOST,
    };

    #[test]
    fn a_sidecar_sees_its_own_addresses_where_they_are() {
        let text = "about: x\nmesh: {mtls: disabled}\npods:\n  web: {app: refuse}\n  backend: {app: refuse}\n\
                    steps: [{wait: 1s}]\n";
        let scenarios = crate::scenario::parse("x", Path::new("x.yaml"), text).unwrap_or_default();
        let own = Ipv4Addr::new(127, 20, 1, 1);
        let view = View { pod: "web", address: &|_| own, outbounds: own, app: Ipv4Addr::new(127, 20, 1, 2) };
        let all = resources(&scenarios[0], &view);
        assert!(all[1].1.contains("serviceAddress: 127.20.1.2\n"), "{}", all[1].1);
        assert!(
            all[1].1.contains("    - port: 20001\n      address: 127.20.1.1\n      backendRef"),
            "{}",
            all[1].1
        );
        assert!(all[2].1.contains("serviceAddress: 127.0.0.1\n"), "{}", all[2].1);
        assert!(all[2].1.contains("    - port: 20000\n      backendRef"), "{}", all[2].1);
    }

    #[test]
    fn outbounds_name_services_as_the_pod_says() {
        let text = "about: x\nmesh: {mtls: disabled}\npods:\n  web: {outbounds: tags}\n  shop: {}\n  backend: {app: refuse}\n\
                    steps: [{wait: 1s}]\n";
        let scenarios = crate::scenario::parse("x", Path::new("x.yaml"), text).unwrap_or_default();
        let all = resources(&scenarios[0], &ON_LOOPBACK);
        let outbound = |name: &str| {
            let dataplane = all.iter().find(|(file, _)| file == name).map_or("", |(_, text)| text);
            dataplane.split_once("outbound:\n").map_or("", |(_, rest)| rest).to_owned()
        };
        let by_tag = "    - port: 20002\n      tags: {kuma.io/service: backend}\n";
        let by_reference =
            "    - port: 20002\n      backendRef: {kind: MeshService, name: backend, port: 10080}\n";
        assert_eq!(outbound("dataplane-web.yaml"), by_tag);
        assert_eq!(outbound("dataplane-shop.yaml"), by_reference);
    }

    #[test]
    fn a_further_port_is_in_the_dataplane_of_its_pod_and_a_second_endpoint_has_no_outbound() {
        let text = "about: x\nmesh: {mtls: disabled}\npods:\n  web: {}\n  backend: {protocol: http, app: refuse}\n  \
                    beside: {in: backend, protocol: tcp, app: refuse}\n  two: {service: backend, protocol: http, app: refuse}\n\
                    steps: [{wait: 1s}]\n";
        let scenarios = crate::scenario::parse("x", Path::new("x.yaml"), text).unwrap_or_default();
        let all = resources(&scenarios[0], &ON_LOOPBACK);
        let names: Vec<_> = all.iter().map(|(file, _)| file.as_str()).collect();
        assert_eq!(
            names,
            ["mesh.yaml", "dataplane-web.yaml", "dataplane-backend.yaml", "dataplane-two.yaml"]
        );
        let inbounds = "  inbound:\n    - port: 10080\n      servicePort: 8080\n      serviceAddress: 127.0.0.1\n      \
                        tags: {kuma.io/service: backend, kuma.io/protocol: http}\n    - port: 10081\n      servicePort: 8081\n      \
                        serviceAddress: 127.0.0.1\n      tags: {kuma.io/service: beside, kuma.io/protocol: tcp}\n";
        assert!(all[2].1.contains(inbounds), "{}", all[2].1);
        assert!(all[3].1.contains("kuma.io/service: backend, kuma.io/protocol: http"), "{}", all[3].1);
        let outbounds = "  outbound:\n    - port: 20001\n      backendRef: {kind: MeshService, name: backend, port: 10080}\n    \
                         - port: 20002\n      backendRef: {kind: MeshService, name: beside, port: 10081}\n";
        assert!(all[1].1.ends_with(outbounds), "{}", all[1].1);
    }
}
