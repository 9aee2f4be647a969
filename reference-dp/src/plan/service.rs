//! A destination: who stands behind a service, what it speaks and which identities it shows.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use super::select::contains;
use super::{Protocol, common_of_all};
use crate::resource::{
    Dataplane, IdentityType, Inbound, InboundState, MeshService, PortRef, Resources, ServicePort,
};

/// A destination of an outbound.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Destination {
    pub(super) endpoints: Vec<SocketAddr>,
    pub(super) protocol: Protocol,
    /// URIs, one of which a server must show.
    pub(super) sans: Vec<String>,
    pub(super) port_name: Option<String>,
}

/// The protocol an inbound says it speaks: its field, else its tag (kuma 1.2).
pub(super) fn inbound_protocol(inbound: &Inbound) -> Protocol {
    let tag =
        || inbound.tags.get("kuma.io/protocol").map_or(Protocol::Unknown, |value| Protocol::parse(value));
    inbound.protocol.unwrap_or_else(tag)
}

/// The inbounds of a mesh that traffic may go to, in an order that depends on nothing but the resources' content.
fn ready<'a>(resources: &'a Resources, mesh: &str) -> Vec<(&'a Dataplane, &'a Inbound)> {
    inbounds(resources, mesh).into_iter().filter(|(_, inbound)| inbound.is_ready()).collect()
}

/// Inbounds that are no more than ignored, in the same order whatever that of the files.
fn inbounds<'a>(resources: &'a Resources, mesh: &str) -> Vec<(&'a Dataplane, &'a Inbound)> {
    let mut inbounds: Vec<_> = resources
        .dataplanes
        .iter()
        .filter(|dataplane| dataplane.mesh == mesh)
        .flat_map(|dataplane| dataplane.networking.inbound.iter().map(move |inbound| (dataplane, inbound)))
        .filter(|(_, inbound)| inbound.state != InboundState::Ignored)
        .collect();
    inbounds.sort_by_key(|(dataplane, inbound)| (&dataplane.name, inbound.port));
    inbounds
}

/// Where others reach an inbound. An address that is no IP address makes no endpoint: its own sidecar says so.
fn endpoint(dataplane: &Dataplane, inbound: &Inbound) -> Option<SocketAddr> {
    let networking = &dataplane.networking;
    let address =
        networking.advertised_address.as_ref().or(inbound.address.as_ref()).unwrap_or(&networking.address);
    Some(SocketAddr::new(address.parse::<IpAddr>().ok()?, inbound.port.get()))
}

/// A destination by tags, `kuma.io/service` among them: protocol and endpoints come from the inbounds that have them.
pub(super) fn by_tags(
    resources: &Resources,
    mesh: &str,
    service: &str,
    tags: &BTreeMap<String, String>,
) -> Destination {
    let all = ready(resources, mesh);
    let of_service = || all.iter().filter(|(_, inbound)| inbound.service() == Some(service));
    Destination {
        endpoints: of_service()
            .filter(|(_, inbound)| contains(&inbound.tags, tags))
            .filter_map(|(dataplane, inbound)| endpoint(dataplane, inbound))
            .collect(),
        protocol: common_of_all(of_service().map(|(_, inbound)| inbound_protocol(inbound))),
        sans: vec![format!("spiffe://{mesh}/{service}")],
        port_name: None,
    }
}

/// A destination by `MeshService`: of the resource, or else of the one that Kuma makes on Universal for each
/// `kuma.io/service`.
pub(super) fn by_mesh_service(resources: &Resources, mesh: &str, name: &str, port: u16) -> Destination {
    match resources.services.iter().find(|service| service.mesh == mesh && service.name == name) {
        Some(service) => of_resource(resources, service, port),
        None => generated(resources, mesh, name, port),
    }
}

fn of_resource(resources: &Resources, service: &MeshService, port: u16) -> Destination {
    let sans = identities(service);
    let Some(port) = service.spec.ports.iter().find(|candidate| candidate.port.get() == port) else {
        return Destination { endpoints: Vec::new(), protocol: Protocol::Tcp, sans, port_name: None };
    };
    let selector = &service.spec.selector.dataplane_tags;
    let endpoints = ready(resources, &service.mesh)
        .into_iter()
        // A selector without tags selects nothing, as in Kuma.
        .filter(|(_, inbound)| {
            !selector.is_empty() && contains(&inbound.tags, selector) && is_behind(port, inbound)
        })
        .filter_map(|(dataplane, inbound)| endpoint(dataplane, inbound))
        .collect();
    let protocol =
        port.app_protocol.as_deref().filter(|value| !value.is_empty()).map_or(Protocol::Tcp, Protocol::parse);
    Destination { endpoints, protocol, sans, port_name: port.name.clone() }
}

fn is_behind(port: &ServicePort, inbound: &Inbound) -> bool {
    match &port.target_port {
        None => inbound.port == port.port,
        Some(PortRef::Number(number)) => inbound.port == *number,
        Some(PortRef::Name(name)) => inbound.name.as_ref() == Some(name),
    }
}

fn identities(service: &MeshService) -> Vec<String> {
    let mesh = &service.mesh;
    if service.spec.identities.is_empty() {
        return vec![format!("spiffe://{mesh}/{}", service.name)];
    }
    let uri = |identity: &crate::resource::ServiceIdentity| match identity.kind {
        IdentityType::ServiceTag => format!("spiffe://{mesh}/{}", identity.value),
        IdentityType::SpiffeID => identity.value.clone(),
    };
    service.spec.identities.iter().map(uri).collect()
}

/// On Universal a service's ports are its inbounds' ports, and an unknown or missing protocol becomes `tcp`.
fn generated(resources: &Resources, mesh: &str, name: &str, port: u16) -> Destination {
    let belongs =
        |(_, inbound): &(&Dataplane, &Inbound)| inbound.service() == Some(name) && inbound.port.get() == port;
    // Ports are made from all its inbounds, so that its protocol does not change while none of them is ready.
    let all: Vec<_> = inbounds(resources, mesh).into_iter().filter(belongs).collect();
    let behind: Vec<_> = all.iter().copied().filter(|(_, inbound)| inbound.is_ready()).collect();
    let protocol = match all.first().map(|(_, inbound)| inbound_protocol(inbound)) {
        Some(Protocol::Unknown) | None => Protocol::Tcp,
        Some(known) => known,
    };
    Destination {
        endpoints: behind.iter().filter_map(|(dataplane, inbound)| endpoint(dataplane, inbound)).collect(),
        protocol,
        sans: vec![format!("spiffe://{mesh}/{name}")],
        port_name: all.first().and_then(|(_, inbound)| inbound.name.clone()),
    }
}
