//! The JSON Schema of scenario files against a validator that is not ours: it accepts what is right, and refuses what is wrong in form.

use std::path::{Path, PathBuf};

use serde_json::Value;

fn validator() -> jsonschema::Validator {
    let schema = harness::scenario::schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("bad schema: {error}\n{schema:#}"))
}

fn json(yaml: &str) -> Value {
    serde_saphyr::from_str(yaml).unwrap_or_else(|error| panic!("{error}\nin\n{yaml}"))
}

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap_or_else(|error| panic!("{error}")).path();
        if path.is_dir() {
            files(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "yaml") {
            into.push(path);
        }
    }
}

#[test]
fn every_scenario_of_the_project_is_valid() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let mut paths = Vec::new();
    files(&root, &mut paths);
    assert!(paths.len() >= 6);
    let validator = validator();
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{error}"));
        let errors: Vec<String> = validator
            .iter_errors(&json(&text))
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
    }
}

/// A file with all of the grammar, and places to break it.
const ALL: &str = r#"
about: Everything.
large: true
deadline: 30h
for: {mtls: [strict, disabled], n: [1, 2]}
mesh: {mtls: $mtls, permissions: [web]}
pods:
  web: {}
  b1: {protocol: $mtls, app: {tcp: echo}, state: NotReady}
  b2: {app: {tcp: [{send: "220 hi"}, echo]}, when: {mtls: strict}}
  b3: {app: {tls: {certificate: b.example, alpn: [h2], versions: [1.3], client_certificate: require, respond: echo}}}
  b4: {app: refuse}
  b5: {app: {tcp: {turns: [[reset], [echo]]}}}
  liar: {proxy: none, identity: {service: web}}
resources:
  - {type: MeshTimeout}
  - "type: MeshRetry"
steps:
  - {id: hello, from: web, to: b1, tcp: hello, connections: $n, times: 2, hold: true}
  - {from: web, to: b1, tls: {sni: b.example, send: {size: 1MiB}}, expect: [{took: 0s..1s}]}
  - {from: web, to: b1.proxy, raw: [{send: {hex: "16 03 01"}}, {read: {bytes: 10}}, {pause: 1s}, {repeat: {times: 2, do: [echo]}}]}
  - {on: hello, tcp: [{starttls: {versions: ["1.2"]}}, half_close, {read: eof}]}
  - {fault: {link: web.proxy->b1.proxy, latency: {tail: {p50: 1ms, p99: 200ms}}, direction: forward}}
  - {fault: {link: web.proxy->b1.proxy, reset: {after_bytes: 1KiB}}}
  - {heal: web.proxy->b1.proxy}
  - {wait: 10s}
  - {proxy: {pod: web, do: crash}}
  - {parallel: [{wait: 1s}, {wait: 2s}]}
  - {expect: [{quiet: {connections: 0}}]}
expect:
  - {client: {step: hello, received: {bytes: 1..6}, end: {any: [eof, reset]}, version: 1.3}, app: {connections: {at_least: 1}}, proves: [TCP-1], level: should}
  - {metrics: {at: b1.proxy, valid: true, tcp.connections: 1, http.*: absent}, when: {mtls: [strict]}}
  - {wire: {link: web.proxy->b1.proxy, outer: mesh-tls, lifetime: 24h}, bytes: {step: hello, app_got: identical}}
"#;

#[test]
fn all_of_the_grammar_is_valid() {
    let errors: Vec<String> = validator()
        .iter_errors(&json(ALL))
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let read = harness::scenario::parse("all", Path::new("all.yaml"), ALL);
    assert_eq!(read.map(|cases| cases.len()).map_err(|errors| errors.to_string()), Ok(4));
}

#[test]
fn what_is_wrong_in_form_is_refused_by_schema_and_reader_alike() {
    let breaks = [
        ("about: Everything.", "abuot: Everything."),
        ("about: Everything.", "about: [x]"),
        ("about: Everything.", "about:"),
        ("large: true", "large: yes please"),
        ("deadline: 30h", "deadline: 30"),
        ("deadline: 30h", "deadline: soon"),
        ("mtls: $mtls", "mtls: sometimes"),
        ("tcp: echo}", "tcp: ecko}"),
        ("state: NotReady", "state: Tired"),
        ("respond: echo", "answer: echo"),
        ("versions: [1.3]", "versions: [1.1]"),
        ("app: refuse", "app: refused"),
        ("identity: {service: web}", "identity: {service: web, mesh: other}"),
        ("size: 1MiB", "size: 1MB"),
        ("0s..1s", "0..1"),
        ("bytes: 10", "bytes: -1"),
        ("half_close", "halfclose"),
        ("heal: web.proxy->b1.proxy", "heal: [x]"),
        ("{wait: 10s}", "{wait: 10s, heal: x}"),
        ("{wait: 10s}", "{id: nothing}"),
        ("do: crash", "do: explode"),
        ("direction: forward", "loss: 1"),
        ("level: should", "level: maybe"),
        ("end: {any: [eof, reset]}", "end: {any: [eoff]}"),
        ("bytes: 1..6", "bytes: 1.."),
        ("valid: true", "vaild: true"),
        ("http.*: absent", "http.*: missing"),
        ("outer: mesh-tls", "outer: mtls"),
        ("app_got: identical", "app_got: same"),
        ("- {expect: [{quiet: {connections: 0}}]}", "- {expect: [{proves: [TCP-1]}]}"),
    ];
    let validator = validator();
    for (right, wrong) in breaks {
        assert!(ALL.contains(right), "{right}");
        let text = ALL.replacen(right, wrong, 1);
        assert!(!validator.is_valid(&json(&text)), "the schema accepts `{wrong}`");
        let read = harness::scenario::parse("x", Path::new("x.yaml"), &text);
        assert!(read.is_err(), "the reader accepts `{wrong}`");
    }
}
