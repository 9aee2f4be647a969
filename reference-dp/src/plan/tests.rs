//! Plans of whole meshes.

use std::time::Duration;

use super::{DownstreamTls, Error, Plan, Protocol};
use crate::resource::{Resources, Source};

mod http;

fn plan(text: &str) -> Result<Plan, Error> {
    let sources = [Source { name: "mesh.yaml".into(), text: text.into() }];
    let resources = Resources::parse(&sources).unwrap_or_else(|error| panic!("{error}"));
    Plan::resolve(&resources, "web-1")
}

const STRICT: &str =
    "{type: Mesh, name: lab, mtls: {enabledBackend: ca, backends: [{name: ca, type: builtin}]}}";
const PLAIN: &str = "{type: Mesh, name: lab}";

/// A mesh with the dataplane `web-1` (its lists as given) and three backends, one of them not ready.
fn lab(mesh: &str, inbound: &str, outbound: &str, more: &str) -> String {
    let backend = |name: &str, ip: &str, more: &str| {
        format!(
            "{{type: Dataplane, mesh: lab, name: {name}, networking: {{address: {ip}, inbound: [{{port: 80, \
             servicePort: 8080, tags: {{kuma.io/service: backend, {more}}}}}]}}}}"
        )
    };
    format!(
        "{mesh}\n---\n{{type: Dataplane, mesh: lab, name: web-1, networking: {{address: 10.0.0.1, inbound: [{inbound}], \
         outbound: [{outbound}]}}}}\n---\n{}\n---\n{}\n---\n{}\n---\n{more}\n",
        backend("backend-2", "10.0.0.3", "kuma.io/protocol: tcp, v: '2'"),
        backend("backend-1", "10.0.0.2", "kuma.io/protocol: tcp, v: '1'"),
        "{type: Dataplane, mesh: lab, name: backend-3, networking: {address: 10.0.0.4, inbound: [{port: 80, \
         servicePort: 8080, state: NotReady, tags: {kuma.io/service: backend, kuma.io/protocol: http}}]}}",
    )
}

const WEB: &str =
    "{port: 90, serviceAddress: 127.0.0.1, servicePort: 9090, tags: {kuma.io/service: web, team: shop}}";
const TO_SERVICE: &str = "{port: 1, backendRef: {kind: MeshService, name: backend, port: 80}}";
const TO_TAG: &str = "{port: 2, address: 10.0.0.1, tags: {kuma.io/service: backend}}";

#[test]
fn an_inbound_and_its_defaults() {
    let plan = plan(&lab(STRICT, WEB, "", "")).unwrap();
    assert_eq!(
        plan.identity.unwrap(),
        ["spiffe://lab/web", "kuma://kuma.io/service/web", "kuma://team/shop"]
    );
    let inbound = &plan.inbounds[0];
    assert_eq!(inbound.listen.to_string(), "10.0.0.1:90");
    assert_eq!((inbound.service.as_str(), inbound.protocol), ("web", Protocol::Unknown));
    assert_eq!(inbound.stat_prefix, "localhost_9090");
    assert_eq!(inbound.cluster.name, "localhost_9090");
    assert_eq!(inbound.cluster.endpoints, ["127.0.0.1:9090".parse().unwrap()]);
    assert_eq!(
        (inbound.cluster.connect_attempts, inbound.cluster.connect_timeout),
        (1, Duration::from_secs(10))
    );
    assert_eq!(inbound.idle_timeout, Some(Duration::from_secs(7200)));
    let DownstreamTls::Strict { san_prefix, permissions } = &inbound.tls else { panic!("not strict") };
    assert_eq!(san_prefix, "spiffe://lab/");
    assert!(!permissions.allows(&["spiffe://lab/web".to_owned()]), "without a policy nobody may");
}

#[test]
fn outbounds_by_service_and_by_tag() {
    let plan = plan(&lab(STRICT, WEB, &format!("{TO_SERVICE}, {TO_TAG}"), "")).unwrap();
    let [by_service, by_tag] = &plan.outbounds[..] else { panic!("not two") };
    assert_eq!(
        (by_service.listen.to_string(), by_tag.listen.to_string()),
        ("127.0.0.1:1".into(), "10.0.0.1:2".into())
    );
    let endpoints = ["10.0.0.2:80".parse().unwrap(), "10.0.0.3:80".parse().unwrap()];
    for outbound in [by_service, by_tag] {
        assert_eq!(
            outbound.cluster.endpoints, endpoints,
            "by name of the dataplane, without the one not ready"
        );
        assert_eq!((outbound.protocol, outbound.cluster.connect_attempts), (Protocol::Tcp, 5));
        assert_eq!(outbound.cluster.connect_timeout, Duration::from_secs(5));
        assert_eq!(outbound.idle_timeout, Some(Duration::from_secs(3600)));
        assert_eq!(outbound.cluster.tls.as_ref().unwrap().sans, ["spiffe://lab/backend"]);
    }
    assert_eq!(
        (by_service.stat_prefix.as_str(), by_tag.stat_prefix.as_str()),
        ("lab_backend___msvc_80", "backend")
    );
    let sni = |outbound: &super::Outbound| outbound.cluster.tls.clone().unwrap().sni;
    assert_eq!(sni(by_service), Some(super::mesh_service_sni("backend", "lab", 80)));
    assert_eq!(sni(by_tag), None);
}

#[test]
fn without_mtls_there_is_no_tls_anywhere() {
    let plan = plan(&lab(PLAIN, WEB, TO_SERVICE, "")).unwrap();
    assert_eq!(plan.identity, None);
    assert_eq!(plan.inbounds[0].tls, DownstreamTls::Disabled);
    assert_eq!(plan.outbounds[0].cluster.tls, None);
}

#[test]
fn tags_beyond_the_service_choose_among_its_endpoints() {
    let outbound = "{port: 1, tags: {kuma.io/service: backend, v: '2'}}";
    let plan = plan(&lab(PLAIN, WEB, outbound, "")).unwrap();
    assert_eq!(plan.outbounds[0].cluster.endpoints, ["10.0.0.3:80".parse().unwrap()]);
}

#[test]
fn a_service_nobody_offers_has_no_endpoints() {
    let outbounds = "{port: 1, tags: {kuma.io/service: no}}, {port: 2, backendRef: {kind: MeshService, name: no, port: 1}}, \
                     {port: 3, backendRef: {kind: MeshService, name: backend, port: 81}}";
    let plan = plan(&lab(STRICT, WEB, outbounds, "")).unwrap();
    assert!(plan.outbounds.iter().all(|outbound| outbound.cluster.endpoints.is_empty()));
    let protocols: Vec<_> = plan.outbounds.iter().map(|outbound| outbound.protocol).collect();
    assert_eq!(protocols, [Protocol::Unknown, Protocol::Tcp, Protocol::Tcp]);
}

#[test]
fn untagged_is_tried_once_when_called_by_tag() {
    let untagged = "{type: Dataplane, mesh: lab, name: z, networking: {address: 10.0.0.9, inbound: [{port: 1, \
                    servicePort: 2, tags: {kuma.io/service: plain}}]}}";
    let plan = plan(&lab(PLAIN, WEB, "{port: 1, tags: {kuma.io/service: plain}}", untagged)).unwrap();
    let outbound = &plan.outbounds[0];
    assert_eq!((outbound.protocol, outbound.cluster.connect_attempts), (Protocol::Unknown, 1));
}

#[test]
fn a_mesh_service_resource_decides_over_ports_protocol_and_identities() {
    let service = "{type: MeshService, mesh: lab, name: store, spec: {selector: {dataplaneTags: {v: '1'}}, ports: [{port: \
                   8000, targetPort: 80}], identities: [{type: ServiceTag, value: backend}, {type: SpiffeID, value: \
                   'spiffe://x/y'}]}}";
    let outbound = "{port: 1, backendRef: {kind: MeshService, name: store, port: 8000}}";
    let plan = plan(&lab(STRICT, WEB, outbound, service)).unwrap();
    let cluster = &plan.outbounds[0].cluster;
    assert_eq!(cluster.endpoints, ["10.0.0.2:80".parse().unwrap()]);
    assert_eq!(cluster.tls.as_ref().unwrap().sans, ["spiffe://lab/backend", "spiffe://x/y"]);
}

#[test]
fn timeouts_are_overridden_by_the_more_specific() {
    let policy =
        |name: &str, spec: &str| format!("{{type: MeshTimeout, mesh: lab, name: {name}, spec: {{{spec}}}}}");
    let policies = [
        policy("a", "to: [{targetRef: {kind: MeshService, name: backend}, default: {idleTimeout: 7s}}]"),
        policy("b", "to: [{targetRef: {kind: Mesh}, default: {idleTimeout: 1s, connectionTimeout: 2s}}]"),
        policy("c", "to: [{targetRef: {kind: MeshService, name: other}, default: {idleTimeout: 3s}}]"),
        policy(
            "d",
            "targetRef: {kind: MeshService, name: other}, to: [{targetRef: {kind: Mesh}, default: {idleTimeout: 4s}}]",
        ),
        policy(
            "e",
            "targetRef: {kind: MeshSubset, tags: {team: shop}}, rules: [{default: {idleTimeout: 0s}}]",
        ),
        policy("f", "from: [{targetRef: {kind: Mesh}, default: {idleTimeout: 5s, connectionTimeout: 6s}}]"),
    ];
    let plan = plan(&lab(PLAIN, WEB, TO_SERVICE, &policies.join("\n---\n"))).unwrap();
    let outbound = &plan.outbounds[0];
    assert_eq!(outbound.idle_timeout, Some(Duration::from_secs(7)));
    assert_eq!(outbound.cluster.connect_timeout, Duration::from_secs(2));
    assert_eq!(plan.inbounds[0].idle_timeout, None);
    assert_eq!(plan.inbounds[0].cluster.connect_timeout, Duration::from_secs(6));
}

#[test]
fn permissions_reach_only_the_inbounds_they_are_about() {
    let policy = "{type: MeshTrafficPermission, mesh: lab, name: a, spec: {targetRef: {kind: Dataplane, name: web-1, \
                  sectionName: '90'}, from: [{targetRef: {kind: MeshSubset, tags: {kuma.io/service: api, v: '1'}}, \
                  default: {action: Allow}}]}}";
    let second = "{port: 91, serviceAddress: 127.0.0.1, tags: {kuma.io/service: web}}";
    let plan = plan(&lab(STRICT, &format!("{WEB}, {second}"), "", policy)).unwrap();
    let caller = ["spiffe://lab/api".to_owned(), "kuma://v/1".to_owned()];
    let allows: Vec<bool> = plan
        .inbounds
        .iter()
        .map(|inbound| matches!(&inbound.tls, DownstreamTls::Strict { permissions, .. } if permissions.allows(&caller)))
        .collect();
    assert_eq!(allows, [true, false]);
}

#[test]
fn what_cannot_be_is_an_error_that_says_so() {
    let no_mesh = "{type: Mesh, name: lob}";
    let permissive = "{type: Mesh, name: lab, mtls: {enabledBackend: ca, backends: [{name: ca, type: builtin, mode: PERMISSIVE}]}}";
    let no_backend =
        "{type: Mesh, name: lab, mtls: {enabledBackend: ca, backends: [{name: ca1, type: builtin}]}}";
    let tagged = |protocol: &str| WEB.replace("team: shop", &format!("kuma.io/protocol: {protocol}"));
    let twice = format!("{WEB}, {WEB}");
    let clash = "{port: 90, address: 10.0.0.1, tags: {kuma.io/service: x}}";
    let everywhere = "{port: 90, address: 0.0.0.0, tags: {kuma.io/service: x}}";
    for (text, expected) in [
        (lab(no_mesh, WEB, "", ""), "mesh `lab`, which has no Mesh resource, did you mean `lob`?"),
        (lab(permissive, WEB, "", ""), "mode PERMISSIVE of backend `ca` comes later"),
        (lab(no_backend, WEB, "", ""), "no backend has that name, did you mean `ca1`?"),
        (lab(PLAIN, &tagged("http2"), "", ""), "networking.inbound[0]: protocol http2 is not built yet"),
        (lab(PLAIN, &tagged("kafka"), "", ""), "protocol kafka is not built yet"),
        (
            lab(PLAIN, &twice, "", ""),
            "networking.inbound[0] and networking.inbound[1] both listen at 10.0.0.1:90",
        ),
        (
            lab(PLAIN, WEB, clash, ""),
            "networking.inbound[0] and networking.outbound[0] both listen at 10.0.0.1:90",
        ),
        (lab(PLAIN, WEB, everywhere, ""), "both listen at 0.0.0.0:90"),
        (
            lab(PLAIN, "{port: 90, tags: {kuma.io/service: w}}", "", ""),
            "must differ from address and port, both are 10.0.0.1:90",
        ),
        (
            lab(PLAIN, "{port: 90, servicePort: 91}", "", ""),
            "networking.inbound[0] has no tag `kuma.io/service`",
        ),
        (
            lab(PLAIN, "{port: 90, address: example.org}", "", ""),
            "networking.inbound[0].address is `example.org`",
        ),
        (lab(PLAIN, WEB, "{port: 1}", ""), "networking.outbound[0] needs either"),
        (
            lab(PLAIN, WEB, "{port: 1, backendRef: {kind: MeshExternalService, name: a, port: 1}}", ""),
            "not built yet",
        ),
        (PLAIN.to_owned(), "no Dataplane `web-1`"),
    ] {
        let message = plan(&text).expect_err(expected).to_string();
        assert!(message.contains(expected), "no {expected:?} in {message:?}");
    }
    assert!(matches!(
        plan(&lab(PLAIN, &tagged("grpc"), "", "")),
        Err(Error::ProtocolNotBuilt { protocol: Protocol::Grpc, .. })
    ));
}
