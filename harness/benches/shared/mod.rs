//! The cases that are measured.

use std::path::Path;
use std::sync::Arc;

use harness::dataplane::reference::Reference;
use harness::scenario::{self, Scenario};
use harness::sim::run::Config;
use harness::suite::{CaseResult, Suite};
use harness::verdict::Verdict;

/// Nothing happens for a day.
pub(crate) const IDLE: &str = "
about: Four pods idle for a day.
mesh: {mtls: strict}
pods:
  a: {protocol: tcp, app: {tcp: echo}}
  b: {protocol: tcp, app: {tcp: echo}}
  c: {protocol: tcp, app: {tcp: echo}}
  d: {protocol: tcp, app: {tcp: echo}}
steps: [{id: day, wait: 24h}]
expect: [{took: {step: day, within: 24h}, proves: []}]
";

/// The smallest whole case: TLS inside mesh TLS, judged on both ends and on the wire.
pub(crate) const TLS_ECHO: &str = "
about: An app's own TLS inside mesh TLS.
mesh: {mtls: strict}
pods:
  web: {}
  backend: {protocol: tcp, app: {tls: {certificate: backend.example, alpn: [h2], respond: echo}}}
steps: [{id: hello, from: web, to: backend, tls: {sni: backend.example, alpn: [h2], send: hello}}]
expect:
  - {client: {step: hello, certificate: backend.example, alpn: h2, received: hello}, proves: [TLS-1]}
  - {bytes: {step: hello, app_got: identical, client_got: identical}, proves: [TLS-2]}
  - {wire: {link: web.proxy->backend.proxy, outer: mesh-tls, inner: tls}, proves: [TLS-3]}
  - {metrics: {at: backend.proxy, tcp.connections: 1}, proves: [MET-6]}
";

/// 16 MiB from client to app, inside TLS inside mesh TLS.
pub(crate) const BULK: &str = "
about: 16 MiB through passthrough.
mesh: {mtls: strict}
pods:
  web: {}
  backend: {protocol: tcp, app: {tls: {certificate: backend.example, respond: [{read: eof}]}}}
steps:
  - {id: bulk, from: web, to: backend, tls: {sni: backend.example, script: [{send: {size: 16MiB}}, half_close, {read: eof}]}}
expect:
  - {app: {pod: backend, received: {size: 16MiB}}, proves: [TLS-2]}
";

/// 1,000 mTLS connections at once, ten turns each.
pub(crate) const CROWD: &str = "
about: A thousand connections, ten round trips each.
mesh: {mtls: strict}
pods:
  web: {}
  backend: {protocol: tcp, app: {tcp: echo}}
steps:
  - id: crowd
    from: web
    to: backend
    tcp: [{repeat: {times: 10, do: [{send: hello}, {expect: hello}]}}]
    connections: 1000
expect:
  - {client: {step: crowd, connections: 1000, done: true}, proves: [TCP-13]}
";

/// 20 requests on one connection of HTTP/1.1, told apart on both sides of mesh TLS, judged at both ends, on the wire and in metrics.
pub(crate) const HTTP: &str = "
about: Twenty requests on one connection.
mesh: {mtls: strict}
pods:
  web: {}
  backend: {protocol: http, app: {http: {\"GET /\": {status: 200, headers: {x-answer: one}, body: ok}}}}
steps: [{id: get, from: web, to: backend, http: {get: /, headers: {x-question: one}, times: 20}}]
expect:
  - client: {step: get, answers: 20, status: 200, headers: {x-answer: one, server: envoy}, body: ok, whole: true, protocol: HTTP/1.1}
    app: {requests: 20, method: GET, path: /, headers: {x-question: one, x-kuma-tags: absent}, whole: true, protocol: HTTP/1.1}
    proves: [HTTP-1]
  - {wire: {link: web.proxy->backend.proxy, outer: mesh-tls, inner: http/2, requests: 20, answer_headers: {\":status\": 200}}, proves: [HTTP-2]}
  - {metrics: {at: web.proxy, valid: true, http.requests: 20, http.responses.2xx: 20}, proves: [MET-2, MET-8]}
  - {metrics: {at: backend.proxy, valid: true, http.requests: 20, http.responses.2xx: 20}, proves: [MET-2, MET-8]}
";

/// A case of these.
pub(crate) fn case(text: &str) -> Scenario {
    let mut cases =
        scenario::parse("bench", Path::new("bench.yaml"), text).unwrap_or_else(|error| panic!("{error}"));
    cases.remove(0)
}

/// The project's suite.
pub(crate) fn suite() -> Suite {
    Suite::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), "reference")
        .expect("the project's fixtures")
}

/// Plays and judges a case; what is measured must have passed.
pub(crate) fn play(suite: &Suite, case: &Scenario, seed: u64) -> CaseResult {
    let result = suite.run(case, Arc::new(Reference), &Config { seed, ..Config::default() });
    assert_eq!(result.verdict.verdict, Verdict::Pass, "{:?}", result.verdict);
    result
}
