//! Pods and their apps, as written.

use schemars::{JsonSchema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Only;
use super::http::app::Routes;
use super::script::{ServerTls, Turns};
use super::shape::{Never, Refused, Shape, of, shape, words};
use crate::language::http::HttpVersion;
use crate::language::{Outbounds, PodIdentity, ProxyKind};
use crate::scenario::decode::At;

/// An app with or without a sidecar.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a pod: a mapping, `{}` for one with a sidecar and no service")]
pub(crate) struct Pod {
    /// The `kuma.io/protocol` tag of its service, verbatim. Absent or `none`: untagged.
    pub(crate) protocol: Option<String>,
    /// The service it is an endpoint of, if not its own name: another pod, whose service then has several endpoints.
    pub(crate) service: Option<At<String>>,
    /// It is no pod of its own but a further port of this one: an app beside that pod's, behind the same sidecar.
    #[serde(rename = "in")]
    pub(crate) within: Option<At<String>>,
    /// What listens; without it the pod has no service.
    pub(crate) app: Option<App>,
    /// What stands beside the app. Default: the dataplane under test.
    pub(crate) proxy: Option<Proxy>,
    /// With `proxy: none`: how the pod itself speaks mesh TLS; absent: not at all. With `proxy: scripted` the default is `{service: NAME}` where
    /// the mesh has mTLS.
    pub(crate) identity: Option<At<PodIdentity>>,
    /// Whether its inbound is an endpoint of the service. Default `Ready`.
    pub(crate) state: Option<State>,
    /// How the outbounds of its sidecar name services. Default `mesh-services`.
    pub(crate) outbounds: Option<Naming>,
    /// For which values of the matrix the pod is there.
    pub(crate) when: Option<Only>,
}

/// Whether an inbound is an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum State {
    /// An endpoint.
    Ready,
    /// Not one.
    NotReady,
}

/// How outbounds name services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Naming {
    /// By `backendRef` to a `MeshService`, whose port says the protocol; none is tcp.
    MeshServices,
    /// By the tag `kuma.io/service`; the tags of all endpoints say the protocol, and none is none.
    Tags,
}

impl From<Naming> for Outbounds {
    fn from(naming: Naming) -> Self {
        match naming {
            Naming::MeshServices => Self::MeshServices,
            Naming::Tags => Self::Tags,
        }
    }
}

/// What stands beside an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Proxy {
    /// The dataplane under test.
    Default,
    /// Nothing.
    None,
    /// The harness plays it: the app stands at the inbound address and clients dial inbounds, over mesh TLS if the mesh has it; `http` is HTTP/2.
    Scripted,
}

impl From<Proxy> for ProxyKind {
    fn from(proxy: Proxy) -> Self {
        match proxy {
            Proxy::Default => Self::Default,
            Proxy::None => Self::None,
            Proxy::Scripted => Self::Scripted,
        }
    }
}

/// A pod's app.
#[derive(Debug, Clone)]
pub(crate) enum App {
    /// Nothing listens at its port.
    Refuse,
    /// No TLS of its own.
    Plain(Turns),
    /// Its own TLS.
    Tls(ServerTls),
    /// HTTP.
    Http(HttpVersion, At<Routes>),
}

shape!(App, PodIdentity);

/// An app as a mapping.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AppMap {
    /// Over plain TCP.
    tcp: Option<Turns>,
    /// Over the app's own TLS.
    tls: Option<ServerTls>,
    /// As `tcp`, for bytes that pretend to be another protocol.
    raw: Option<Turns>,
    /// HTTP/1.1 and nothing else: answers by route, `METHOD /path`, `* /path`, `METHOD *` or `*`. The first that fits wins; without one: 404.
    http: Option<At<Routes>>,
    /// As `http`, but HTTP/2 with prior knowledge and nothing else.
    http2: Option<At<Routes>>,
}

impl Shape for App {
    type Map = AppMap;
    type List = Never;
    const NAME: &'static str = "App";
    const EXPECTED: &'static str =
        "an app: `refuse`, {tcp: ..}, {tls: ..}, {raw: ..}, {http: ..} or {http2: ..}";
    const MAP: bool = true;

    fn word(text: &str) -> Result<Self, Refused> {
        if text == "refuse" { Ok(Self::Refuse) } else { Err(Refused::Word(&["refuse"])) }
    }

    fn map(map: AppMap) -> Result<Self, Refused> {
        let apps = [
            map.tcp.map(Self::Plain),
            map.raw.map(Self::Plain),
            map.tls.map(Self::Tls),
            map.http.map(|routes| Self::Http(HttpVersion::V1, routes)),
            map.http2.map(|routes| Self::Http(HttpVersion::V2, routes)),
        ];
        let mut apps = apps.into_iter().flatten();
        match (apps.next(), apps.next()) {
            (Some(app), None) => Ok(app),
            _ => Err(Refused::Value("exactly one of `tcp`, `tls`, `raw`, `http`, `http2`".into())),
        }
    }

    fn schema(generator: &mut SchemaGenerator) -> Value {
        json!({
            "anyOf": [words(&["refuse"]), one_key(of::<AppMap>(generator))],
            "description": "What listens: `{tcp: ..}`, `{tls: ..}`, `{raw: ..}`, `{http: ..}`, `{http2: ..}`; `refuse`: nothing does.",
        })
    }
}

/// A mapping that has exactly one key.
fn one_key(schema: Value) -> Value {
    json!({"allOf": [schema], "minProperties": 1, "maxProperties": 1})
}

/// An identity as a mapping.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdentityMap {
    /// A certificate of this mesh, for that service.
    service: Option<String>,
    /// A certificate by this mesh's CA with this URI alone, whatever it is: `spiffe://elsewhere/web`.
    uri: Option<String>,
    /// A certificate by another mesh's CA, `spiffe://MESH/POD`.
    mesh: Option<String>,
}

impl Shape for PodIdentity {
    type Map = IdentityMap;
    type List = Never;
    const NAME: &'static str = "Identity";
    const EXPECTED: &'static str =
        "an identity: {service: ..}, {uri: ..}, {mesh: ..}, `expired`, `self_signed` or `none`";
    const MAP: bool = true;

    fn word(text: &str) -> Result<Self, Refused> {
        match text {
            "expired" => Ok(Self::Expired),
            "self_signed" => Ok(Self::SelfSigned),
            "none" => Ok(Self::None),
            _ => Err(Refused::Word(&["expired", "self_signed", "none"])),
        }
    }

    fn map(map: IdentityMap) -> Result<Self, Refused> {
        match (map.service, map.uri, map.mesh) {
            (Some(service), None, None) => Ok(Self::Service(service)),
            (None, Some(uri), None) if uri.is_ascii() && uri.contains("://") => Ok(Self::Uri(uri)),
            (None, Some(_), None) => Err(Refused::Value("a URI such as spiffe://elsewhere/web".into())),
            (None, None, Some(mesh)) => Ok(Self::ForeignMesh(mesh)),
            _ => Err(Refused::Value("exactly one of `service`, `uri` and `mesh`".into())),
        }
    }

    fn schema(generator: &mut SchemaGenerator) -> Value {
        json!({
            "anyOf": [words(&["expired", "self_signed", "none"]), one_key(of::<IdentityMap>(generator))],
            "description": "A mesh certificate: `{service: NAME}` or `{uri: URI}` of this mesh; `{mesh: NAME}` of another mesh; `expired`; `self_signed`; `none`: TLS without a certificate.",
        })
    }
}
