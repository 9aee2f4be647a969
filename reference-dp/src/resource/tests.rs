//! Sources, good and bad.

use super::{Error, HttpRetryOn, MAX_SOURCE_BYTES, PortRef, Protocol, Resources, Source};

fn parse(text: &str) -> Result<Resources, Error> {
    Resources::parse(&[Source { name: "mesh.yaml".into(), text: text.into() }])
}

#[test]
fn documents_of_all_kinds_are_read() {
    let text = "
# a comment before anything
---
type: Mesh
name: lab
mtls:
  enabledBackend: ca
  backends:
    - {name: ca, type: provided, mode: PERMISSIVE, dpCert: {rotation: {expiration: 12h}}, conf: {cert: {inline: x}}}
--- # and here
name: orders-1
type: Dataplane
mesh: lab
labels: {app: orders}
networking:
  address: 10.20.0.7
  inbound:
    - name: rest
      port: 21080
      servicePort: 9080
      serviceAddress: 127.0.0.1
      protocol: HTTP
      tags: {kuma.io/service: orders, kuma.io/protocol: http, rev: \"2\"}
      serviceProbe: {interval: 5s, timeout: 1s, tcp: {}}
    - {port: 21092, tags: {kuma.io/service: orders-bus, kuma.io/protocol: kafka}, health: {ready: false}}
  outbound:
    - {port: 31081, tags: {kuma.io/service: stock}}
    - {port: 31082, backendRef: {kind: MeshService, name: stock, port: 80}}
---
---
type: MeshService
mesh: lab
name: stock
spec:
  selector: {dataplaneTags: {kuma.io/service: stock}}
  ports: [{port: 80, targetPort: 8080, appProtocol: tcp}, {port: 81, targetPort: rest}]
  identities: [{type: ServiceTag, value: stock}, {type: SpiffeID, value: spiffe://lab/other}]
---
type: MeshTimeout
mesh: lab
name: quick
spec:
  to:
    - targetRef: {kind: MeshService, name: stock}
      default: {connectionTimeout: 2s, idleTimeout: 10m, http: {requestTimeout: 4s, streamIdleTimeout: 1m}}
---
type: MeshRetry
mesh: lab
name: again
spec:
  targetRef: {kind: Mesh}
  to:
    - targetRef: {kind: MeshService, name: stock}
      default:
        tcp: {maxConnectAttempt: 2}
        http: {numRetries: 2, perTryTimeout: 1s, backOff: {baseInterval: 10ms, maxInterval: 1s},
          retryOn: [\"503\", GatewayError, 5XX, HttpMethodGet]}
        grpc: {numRetries: 0, retryOn: [Canceled, Unavailable]}
---
type: MeshTrafficPermission
mesh: lab
name: let-web
spec:
  targetRef: {kind: Dataplane, labels: {app: orders}}
  rules:
    - default: {allow: [{spiffeID: {type: Exact, value: \"spiffe://lab/web\"}}]}
...
";
    let resources = parse(text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(resources.meshes.len(), 1);
    let inbound = &resources.dataplanes[0].networking.inbound;
    assert_eq!(inbound[0].protocol, Some(Protocol::Http));
    assert!(inbound[0].is_ready() && !inbound[1].is_ready());
    let ports = &resources.services[0].spec.ports;
    assert_eq!(ports[1].target_port, Some(PortRef::Name("rest".into())));
    assert_eq!((resources.timeouts.len(), resources.permissions.len()), (1, 1));
    let http = resources.retries[0].spec.to[0].default.http.clone().unwrap();
    assert_eq!(
        http.retry_on.unwrap(),
        [
            HttpRetryOn::Status(503),
            HttpRetryOn::GatewayError,
            HttpRetryOn::Any5xx,
            HttpRetryOn::Method("GET")
        ]
    );
}

const DATAPLANE: &str = "type: Dataplane\nmesh: lab\nname: web-1\nnetworking:\n  address: 127.0.0.2\n";

#[test]
fn mistakes_are_shown_where_they_are() {
    let retry = |line: &str| {
        format!(
            "type: MeshRetry\nmesh: lab\nname: a\nspec:\n  to:\n  - targetRef: {{kind: Mesh}}\n    default:\n      {line}\n"
        )
    };
    let inbound = |line: &str| format!("# file\n---\n{DATAPLANE}  inbound:\n    - port: 80\n      {line}\n");
    for (text, position, parts) in [
        (
            "type: Meshh\nname: a\n".to_owned(),
            (1, 7),
            &["unknown kind of resource `Meshh`", "did you mean `Mesh`?"][..],
        ),
        ("name: a\n---\ntype: 7up\nname: b\n".into(), (1, 1), &["missing field `type`"]),
        (
            "type: Mesh\nname: a\n---\ntype: Secret\nname: b\n".into(),
            (4, 7),
            &["`Secret`", "expected one of: Mesh,"],
        ),
        (inbound("tgas: {}"), (10, 7), &["unknown field `tgas`", "did you mean `tags`?", "^^^^"]),
        (inbound("gateway: {}"), (10, 7), &["unknown field `gateway`", "expected one of: address, port"]),
        (inbound("servicePort: 99999"), (10, 20), &["99999"]),
        (inbound("state: Redy"), (10, 14), &["unknown value `Redy`", "did you mean `Ready`?"]),
        (inbound("port: 81"), (10, 7), &["`port` is given twice"]),
        (inbound("protocol: gprc"), (10, 17), &["invalid value \"gprc\"", "did you mean \"grpc\"?"]),
        (
            inbound("tags: {kuma.io/protocol: websocket}"),
            (10, 32),
            &["tag \"kuma.io/protocol\" has an invalid value \"websocket\"", "grpc, http, http2, kafka, tcp"],
        ),
        (inbound("serviceProbe: {timeout: 5}"), (10, 31), &["invalid duration \"5\"", "5s, 100ms"]),
        (
            retry("http: {retryOn: [GatewayErr]}"),
            (8, 24),
            &["unknown value `GatewayErr`", "did you mean `GatewayError`?"],
        ),
        (retry("http: {retryOn: ['99']}"), (8, 24), &["unknown value `99`", "a status such as \"503\""]),
        (retry("http: {retryOn: [EnvoyRatelimited]}"), (8, 24), &["`EnvoyRatelimited` is not built yet"]),
        (retry("http: {hostSelection: []}"), (8, 29), &["not built yet"]),
        (retry("http: {numRetry: 1}"), (8, 14), &["unknown field `numRetry`", "did you mean `numRetries`?"]),
        (retry("grpc: {retryOn: [Reset]}"), (8, 24), &["unknown value `Reset`", "expected one of: Canceled"]),
        (retry("tcp: {maxConnectAttempt: 0}"), (8, 13), &["`0`, expected a nonzero"]),
        (inbound("tags: {a: b"), (10, 13), &["unclosed bracket"]),
        ("type: Mesh\nname: a\n---\ntype: Mesh\nname: a\n".into(), (3, 1), &["Mesh `a` is defined twice"]),
    ] {
        let error = parse(&text).expect_err(&text);
        let shown = error.to_string();
        assert_eq!(error.position(), Some(position), "{shown}");
        assert!(shown.contains(&format!("mesh.yaml:{}:{}", position.0, position.1)), "{shown}");
        for part in parts {
            assert!(shown.contains(part), "no {part:?} in:\n{shown}");
        }
    }
}

#[test]
fn sources_without_bounds_are_refused() {
    let large = format!("type: Mesh\nname: a\n# {}\n", "x".repeat(MAX_SOURCE_BYTES));
    assert!(parse(&large).unwrap_err().to_string().contains("larger than the limit of 1048576"));
    let deep = format!("type: Mesh\nname: {}\n", "[".repeat(5_000));
    parse(&deep).unwrap_err();
    let mut bomb = "type: Mesh\nname: a\nlabels:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..9 {
        let alias = format!("*a{}, ", i - 1).repeat(10);
        bomb += &format!("  a{i}: &a{i} [{alias}]\n");
    }
    parse(&bomb).unwrap_err();
}

#[test]
fn whatever_comes_is_an_error_and_not_a_panic() {
    let whole = format!("{DATAPLANE}  inbound: [{{port: 80, tags: {{kuma.io/protocol: \"grüße\\t\"}}}}]\n");
    for end in 0..whole.len() {
        if let Some(cut) = whole.get(..end) {
            let _ = parse(cut).map_err(|error| error.to_string());
            let _ = parse(&format!("{cut}\0é: [")).map_err(|error| error.to_string());
        }
    }
}
