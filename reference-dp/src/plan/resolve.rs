//! Puts a plan together.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::timeout::{self, Resolved};
use super::{
    Cluster, DownstreamTls, Error, HttpPolicy, HttpUpstream, HttpVersion, Inbound, Outbound, Plan, Protocol,
    Retry, UpstreamTls, permission, retry, select, service, sni,
};
use crate::resource::{self, Dataplane, Mesh, Mode, Resources, TargetKind};

pub(super) fn resolve(resources: &Resources, name: &str) -> Result<Plan, Error> {
    let dataplane = find(resources, name)?;
    let mesh = mesh_of(resources, dataplane)?;
    let context = Context { resources, dataplane, mtls: is_strict(mesh)? };
    let mut listeners = Listeners::default();
    let mut inbounds = Vec::new();
    for (index, inbound) in dataplane.networking.inbound.iter().enumerate() {
        let field = format!("networking.inbound[{index}]");
        // An ignored inbound has no listener; its tags still count for the certificate.
        if inbound.state != resource::InboundState::Ignored {
            let planned = context.inbound(&field, inbound)?;
            listeners.claim(&dataplane.name, field, planned.listen)?;
            inbounds.push(planned);
        }
    }
    let mut outbounds = Vec::new();
    for (index, outbound) in dataplane.networking.outbound.iter().enumerate() {
        let field = format!("networking.outbound[{index}]");
        let planned = context.outbound(&field, outbound)?;
        listeners.claim(&dataplane.name, field, planned.listen)?;
        outbounds.push(planned);
    }
    let identity = context.mtls.then(|| identity(dataplane));
    Ok(Plan { mesh: mesh.name.clone(), dataplane: dataplane.name.clone(), identity, inbounds, outbounds })
}

fn find<'a>(resources: &'a Resources, name: &str) -> Result<&'a Dataplane, Error> {
    let mut found = resources.dataplanes.iter().filter(|dataplane| dataplane.name == name);
    let Some(first) = found.next() else {
        let names = resources.dataplanes.iter().map(|dataplane| dataplane.name.as_str());
        return Err(Error::UnknownDataplane { name: name.to_owned(), near: closest(name, names) });
    };
    match found.next() {
        None => Ok(first),
        Some(second) => Err(Error::AmbiguousDataplane {
            name: name.to_owned(),
            first: first.mesh.clone(),
            second: second.mesh.clone(),
        }),
    }
}

fn mesh_of<'a>(resources: &'a Resources, dataplane: &Dataplane) -> Result<&'a Mesh, Error> {
    resources.meshes.iter().find(|mesh| mesh.name == dataplane.mesh).ok_or_else(|| Error::MissingMesh {
        dataplane: dataplane.name.clone(),
        mesh: dataplane.mesh.clone(),
        near: closest(&dataplane.mesh, resources.meshes.iter().map(|mesh| mesh.name.as_str())),
    })
}

/// Whether mTLS is on, which for now means STRICT.
fn is_strict(mesh: &Mesh) -> Result<bool, Error> {
    let Some(mtls) = &mesh.mtls else { return Ok(false) };
    let Some(enabled) = mtls.enabled_backend.as_deref().filter(|name| !name.is_empty()) else {
        return Ok(false);
    };
    let Some(backend) = mtls.backends.iter().find(|backend| backend.name == enabled) else {
        return Err(Error::UnknownBackend {
            mesh: mesh.name.clone(),
            backend: enabled.to_owned(),
            near: closest(enabled, mtls.backends.iter().map(|backend| backend.name.as_str())),
        });
    };
    match backend.mode {
        Mode::Strict => Ok(true),
        Mode::Permissive => {
            Err(Error::PermissiveNotBuilt { mesh: mesh.name.clone(), backend: backend.name.clone() })
        }
    }
}

fn closest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    resource::closest(word, names).map(str::to_owned)
}

/// The URIs of the dataplane's certificate: each service once, then each tag value once (kuma 3.2).
fn identity(dataplane: &Dataplane) -> Vec<String> {
    let inbounds = &dataplane.networking.inbound;
    let mut uris = Vec::new();
    let services = inbounds.iter().filter_map(resource::Inbound::service);
    let spiffe_ids = services.map(|service| format!("spiffe://{}/{service}", dataplane.mesh));
    let tags: BTreeMap<(&str, &str), ()> = inbounds
        .iter()
        .flat_map(|inbound| &inbound.tags)
        .map(|(tag, value)| ((tag.as_str(), value.as_str()), ()))
        .collect();
    let tag_uris = tags.keys().map(|(tag, value)| format!("kuma://{tag}/{value}"));
    for uri in spiffe_ids.chain(tag_uris) {
        if !uris.contains(&uri) {
            uris.push(uri);
        }
    }
    uris
}

/// Who listens where.
#[derive(Default)]
struct Listeners(BTreeMap<SocketAddr, String>);

impl Listeners {
    fn claim(&mut self, dataplane: &str, field: String, addr: SocketAddr) -> Result<(), Error> {
        let clash = self.0.iter().find(|(taken, _)| {
            taken.port() == addr.port()
                && (taken.ip() == addr.ip() || taken.ip().is_unspecified() || addr.ip().is_unspecified())
        });
        if let Some((_, first)) = clash {
            let (dataplane, first) = (dataplane.to_owned(), first.clone());
            return Err(Error::PortClash { dataplane, first, second: field, addr });
        }
        self.0.insert(addr, field);
        Ok(())
    }
}

struct Context<'a> {
    resources: &'a Resources,
    dataplane: &'a Dataplane,
    mtls: bool,
}

impl Context<'_> {
    fn inbound(&self, field: &str, inbound: &resource::Inbound) -> Result<Inbound, Error> {
        let networking = &self.dataplane.networking;
        let address = inbound.address.as_ref().unwrap_or(&networking.address);
        let ip = self.ip(&format!("{field}.address"), address)?;
        let listen = SocketAddr::new(ip, inbound.port.get());
        let app_ip = match &inbound.service_address {
            Some(address) => self.ip(&format!("{field}.serviceAddress"), address)?,
            None => ip,
        };
        let app = SocketAddr::new(app_ip, inbound.service_port.unwrap_or(inbound.port).get());
        if app == listen {
            return Err(Error::ServiceIsListener {
                dataplane: self.dataplane.name.clone(),
                field: field.to_owned(),
                addr: listen,
            });
        }
        let service = inbound.service().ok_or_else(|| Error::InboundWithoutService {
            dataplane: self.dataplane.name.clone(),
            field: field.to_owned(),
        })?;
        let protocol = self.built(field, service::inbound_protocol(inbound))?;
        let timeouts = timeout::inbound(&self.resources.timeouts, self.dataplane, inbound);
        let stat_prefix = format!("localhost_{}", app.port());
        Ok(Inbound {
            listen,
            service: service.to_owned(),
            protocol,
            // No retry: Kuma makes none on the way to an app (kuma 2.5).
            http: is_http(protocol).then(|| http_policy(&timeouts, None, false)),
            stat_prefix: stat_prefix.clone(),
            idle_timeout: timeouts.idle,
            tls: self.downstream_tls(inbound)?,
            cluster: Cluster {
                name: stat_prefix,
                endpoints: vec![app],
                connect_timeout: timeouts.connect,
                connect_attempts: 1,
                tls: None,
                http: is_http(protocol).then(|| http_upstream(&timeouts, HttpVersion::V1)),
            },
        })
    }

    fn downstream_tls(&self, inbound: &resource::Inbound) -> Result<DownstreamTls, Error> {
        if !self.mtls {
            return Ok(DownstreamTls::Disabled);
        }
        let permissions = permission::resolve(&self.resources.permissions, self.dataplane, inbound)?;
        Ok(DownstreamTls::Strict { san_prefix: format!("spiffe://{}/", self.dataplane.mesh), permissions })
    }

    fn outbound(&self, field: &str, outbound: &resource::Outbound) -> Result<Outbound, Error> {
        let ip = match &outbound.address {
            Some(address) => self.ip(&format!("{field}.address"), address)?,
            None => IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        let target = self.target(field, outbound)?;
        let protocol = self.built(field, target.to.protocol)?;
        let destination = select::Destination {
            name: &target.service,
            port: target.port,
            port_name: target.to.port_name.as_deref(),
        };
        let timeouts = timeout::outbound(&self.resources.timeouts, self.dataplane, &destination);
        let retries = retry::outbound(&self.resources.retries, self.dataplane, &destination);
        let tls = self.mtls.then_some(UpstreamTls {
            sni: target.sni,
            tag_sni: target.tag_sni,
            sans: target.to.sans,
        });
        Ok(Outbound {
            listen: SocketAddr::new(ip, outbound.port.get()),
            service: target.service,
            protocol,
            http: is_http(protocol).then(|| http_policy(&timeouts, retries.http(), true)),
            stat_prefix: sanitise(&target.cluster),
            idle_timeout: timeouts.idle,
            cluster: Cluster {
                name: sanitise(&target.cluster),
                endpoints: target.to.endpoints,
                connect_timeout: timeouts.connect,
                // Kuma gives attempts to exactly `tcp`; everything else has one (kuma 2.5).
                connect_attempts: if protocol == Protocol::Tcp { retries.tcp_connect_attempts() } else { 1 },
                tls,
                // Between two dataplanes always HTTP/2, whatever the apps speak (kuma 2.2).
                http: is_http(protocol).then(|| http_upstream(&timeouts, HttpVersion::V2)),
            },
        })
    }

    fn target(&self, field: &str, outbound: &resource::Outbound) -> Result<Target, Error> {
        let (resources, mesh) = (self.resources, &self.dataplane.mesh);
        match (outbound.tags.get("kuma.io/service"), &outbound.backend_ref) {
            (Some(service), None) => Ok(Target {
                to: service::by_tags(resources, mesh, service, &outbound.tags),
                service: service.clone(),
                cluster: service.clone(),
                port: None,
                sni: None,
                tag_sni: Some(sni::tag_sni(service, mesh, &outbound.tags)),
            }),
            (None, Some(backend)) if backend.kind != TargetKind::MeshService => Err(Error::BackendNotBuilt {
                dataplane: self.dataplane.name.clone(),
                field: field.to_owned(),
                kind: format!("{:?}", backend.kind),
            }),
            (None, Some(resource::BackendRef { name: Some(name), port: Some(port), .. })) => Ok(Target {
                to: service::by_mesh_service(resources, mesh, name, port.get()),
                service: name.clone(),
                // Mesh, name, namespace, zone, kind, port; there are neither namespaces nor zones here (kuma 2.1).
                cluster: format!("{mesh}_{name}___msvc_{port}"),
                port: Some(port.get()),
                sni: Some(sni::mesh_service_sni(name, mesh, port.get())),
                tag_sni: None,
            }),
            _ => Err(Error::OutboundWithoutDestination {
                dataplane: self.dataplane.name.clone(),
                field: field.to_owned(),
            }),
        }
    }

    fn built(&self, field: &str, protocol: Protocol) -> Result<Protocol, Error> {
        if protocol.is_opaque() || is_http(protocol) {
            return Ok(protocol);
        }
        Err(Error::ProtocolNotBuilt {
            dataplane: self.dataplane.name.clone(),
            field: field.to_owned(),
            protocol,
        })
    }

    fn ip(&self, field: &str, value: &str) -> Result<IpAddr, Error> {
        value.parse().map_err(|_| Error::NotAnAddress {
            dataplane: self.dataplane.name.clone(),
            field: field.to_owned(),
            value: value.to_owned(),
        })
    }
}

/// Whether requests are told apart. So they will be for `http2` and `grpc`, which are not built.
fn is_http(protocol: Protocol) -> bool {
    protocol == Protocol::Http
}

fn http_policy(timeouts: &Resolved, retry: Option<Retry>, normalize_path: bool) -> HttpPolicy {
    HttpPolicy {
        request_timeout: timeouts.http.request,
        request_headers_timeout: timeouts.http.request_headers,
        stream_idle_timeout: timeouts.http.stream_idle,
        max_stream_duration: timeouts.http.max_stream,
        retry,
        normalize_path,
    }
}

fn http_upstream(timeouts: &Resolved, version: HttpVersion) -> HttpUpstream {
    HttpUpstream {
        version,
        idle_timeout: timeouts.idle,
        max_connection_duration: timeouts.http.max_connection,
    }
}

/// The destination of an outbound, under all its names.
struct Target {
    to: service::Destination,
    service: String,
    cluster: String,
    port: Option<u16>,
    sni: Option<String>,
    tag_sni: Option<String>,
}

/// Kuma's form of names in metrics (`pkg/util/xds/metric_sanitizer.go`).
fn sanitise(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' }).collect()
}
