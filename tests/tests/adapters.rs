//! Plans fit their schema, and what the adapters make of them has the right shape; Envoy itself says so where there is one (`CONFORM_ENVOY`, or
//! `envoy` on the PATH). The example of docs/adapters.md is one that works; HAProxy says so where there is one.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use harness::dataplane::Pod;
use harness::dataplane::adapter::Adapter;
use harness::dataplane::plan::Plan;
use harness::dataplane::process::prepare;
use harness::kuma;
use harness::requirements::Requirements;
use harness::scenario::{self, ProxyKind, Scenario};
use harness::sim::topology::Topology;
use harness::suite::{Suite, Target};
use harness::verdict::stale;
use serde_json::Value;

#[path = "shared/ca.rs"]
mod ca;

/// Scenarios whose plans differ in all that templates look at.
const SHAPES: [&str; 15] = [
    "http/exchange",
    "http/caller_id",
    "http/versions",
    "metrics/http_beside_tcp",
    "mtls/disabled",
    "mtls/http_nobody",
    "mtls/permission_rules",
    "mtls/denied",
    "proto/own_port",
    "proto/untagged",
    "resilience/http_no_endpoint",
    "resilience/http_retry_policy",
    "resilience/http_timeout_policy",
    "tcp/attempts",
    "tcp/idle",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn cases(wanted: &[&str]) -> Vec<Scenario> {
    let wanted: Vec<_> = wanted.iter().map(|name| format!("{name}.yaml")).collect();
    scenario::find(&root().join("scenarios"), &wanted).unwrap_or_else(|wrong| panic!("{wrong}"))
}

/// A sidecar of a case, and its plan.
struct Sidecar {
    name: String,
    pod: Pod,
    plan: Plan,
}

/// All sidecars of a case.
fn sidecars(case: &Scenario) -> Vec<Sidecar> {
    let topology = Topology::of(case);
    let address = |pod: &str| topology.pod_address(pod).unwrap_or(Ipv4Addr::UNSPECIFIED);
    let resources = kuma::resources(case, &kuma::View::usual("", &address));
    let (certificate, key) = ca::new();
    let proxied = case.pods.iter().filter(|pod| pod.proxy == ProxyKind::Default && pod.within.is_none());
    proxied
        .map(|pod| Sidecar {
            name: format!("{} {}", case.name, pod.name),
            plan: Plan::resolve(&resources, &pod.name).unwrap_or_else(|error| panic!("{error}")),
            pod: Pod {
                name: pod.name.clone(),
                resources: resources.clone(),
                authority: Some((certificate.clone(), key.clone())),
                admin: SocketAddr::from((address(&pod.name), kuma::ADMIN_PORT)),
            },
        })
        .collect()
}

/// Sidecars of these cases, each plan once.
fn distinct(cases: &[Scenario]) -> Vec<Sidecar> {
    let mut seen = BTreeSet::new();
    let all = cases.iter().flat_map(sidecars);
    all.filter(|sidecar| seen.insert(sidecar.plan.json().to_string())).collect()
}

#[test]
fn every_plan_is_as_its_schema_says() {
    let schema = Plan::schema();
    let validator = jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{error}\n{schema:#}"));
    let all = scenario::find(&root().join("scenarios"), &[]).unwrap_or_else(|wrong| panic!("{wrong}"));
    let mut seen = BTreeSet::new();
    for case in &all {
        for sidecar in sidecars_without_ca(case) {
            let errors: Vec<_> = validator.iter_errors(&sidecar).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{}: {errors:#?}\n{sidecar:#}", case.name);
            seen.insert(sidecar.to_string());
        }
    }
    assert!(seen.len() > 50, "only {} plans", seen.len());
    // It is no schema that takes anything.
    for wrong in ["{}", r#"{"mesh": 1}"#] {
        assert!(!validator.is_valid(&serde_json::from_str(wrong).unwrap_or_default()));
    }
}

fn sidecars_without_ca(case: &Scenario) -> Vec<Value> {
    let topology = Topology::of(case);
    let address = |pod: &str| topology.pod_address(pod).unwrap_or(Ipv4Addr::UNSPECIFIED);
    let resources = kuma::resources(case, &kuma::View::usual("", &address));
    let proxied = case.pods.iter().filter(|pod| pod.proxy == ProxyKind::Default && pod.within.is_none());
    let plan = |pod: &str| Plan::resolve(&resources, pod).unwrap_or_else(|error| panic!("{error}"));
    proxied.map(|pod| plan(&pod.name).json()).collect()
}

fn envoy() -> Adapter {
    Adapter::find(&root(), "envoy").unwrap_or_else(|wrong| panic!("{wrong}"))
}

/// Renders the configuration of a sidecar into a folder.
fn rendered(adapter: &Adapter, sidecar: &Sidecar, dir: &Path) -> Value {
    let now = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_800_000_000);
    prepare(adapter, Path::new("/bin/envoy"), (&sidecar.pod, &sidecar.plan), dir, now)
        .unwrap_or_else(|error| panic!("{}: {error}", sidecar.name));
    let text = std::fs::read_to_string(dir.join("envoy.yaml")).unwrap_or_default();
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}\n{text}", sidecar.name))
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[test]
fn envoy_gets_what_kuma_would_give_it() {
    let adapter = envoy();
    let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let sidecars = distinct(&cases(&SHAPES));
    assert!(sidecars.len() >= 20, "only {} plans", sidecars.len());
    let mut shapes = BTreeSet::new();
    for sidecar in &sidecars {
        let plan = sidecar.plan.json();
        let config = rendered(&adapter, sidecar, dir.path());
        let listeners = list(&config, "/static_resources/listeners");
        let wanted: Vec<_> = ["inbounds", "outbounds"]
            .into_iter()
            .flat_map(|side| list(&plan, &format!("/{side}")).iter().map(move |listener| (side, listener)))
            .collect();
        assert_eq!(listeners.len(), wanted.len(), "{}", sidecar.name);
        assert_eq!(list(&config, "/static_resources/clusters").len(), wanted.len(), "{}", sidecar.name);
        for (listener, (side, wanted)) in listeners.iter().zip(wanted) {
            let filters = list(listener, "/filter_chains/0/filters");
            let names: Vec<_> = filters.iter().filter_map(|filter| filter["name"].as_str()).collect();
            let strict = side == "inbounds" && wanted["tls"] != "disabled";
            let http = !wanted["http"].is_null();
            let expected: &[&str] = match (http, strict) {
                (true, _) => &["envoy.filters.network.http_connection_manager"],
                (false, true) => &["envoy.filters.network.rbac", "envoy.filters.network.tcp_proxy"],
                (false, false) => &["envoy.filters.network.tcp_proxy"],
            };
            assert_eq!(names, expected, "{}", sidecar.name);
            let has_tls = !listener["filter_chains"][0]["transport_socket"].is_null();
            assert_eq!(has_tls, strict, "{}", sidecar.name);
            let inner: Vec<_> = list(filters.last().unwrap_or(&Value::Null), "/typed_config/http_filters")
                .iter()
                .filter_map(|filter| filter["name"].as_str())
                .collect();
            let expected: &[&str] = match (http, strict) {
                (false, _) => &[],
                (true, true) => &["envoy.filters.http.rbac", "envoy.filters.http.router"],
                (true, false) => &["envoy.filters.http.router"],
            };
            assert_eq!(inner, expected, "{}", sidecar.name);
            shapes.insert((side, http, strict));
        }
    }
    let all = [
        ("inbounds", false, false),
        ("inbounds", false, true),
        ("inbounds", true, false),
        ("inbounds", true, true),
        ("outbounds", false, false),
        ("outbounds", true, false),
    ];
    assert_eq!(shapes, BTreeSet::from(all));
}

#[test]
fn envoy_takes_what_it_gets() {
    let adapter = envoy();
    let program = match adapter.binary.find(&root()) {
        Ok(program) => program,
        Err(why) => {
            // Without a standard error there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "not run with envoy: {why}");
            return;
        }
    };
    let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    for sidecar in distinct(&cases(&SHAPES)) {
        rendered(&adapter, &sidecar, dir.path());
        let output = std::process::Command::new(&program)
            .args(["--mode", "validate", "--disable-hot-restart", "--config-path", "envoy.yaml"])
            .current_dir(dir.path())
            .output()
            .unwrap_or_else(|error| panic!("{error}"));
        assert!(output.status.success(), "{}: {}", sidecar.name, String::from_utf8_lossy(&output.stderr));
    }
}

/// The files of the page's whole adapter, in a folder.
fn example() -> tempfile::TempDir {
    let page = std::fs::read_to_string(root().join("docs/adapters.md")).unwrap_or_default();
    let (_, section) =
        page.split_once("\n## A whole adapter\n").unwrap_or_else(|| panic!("no whole adapter"));
    let (section, _) = section.split_once("\n## ").unwrap_or((section, ""));
    let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    // Each file's name stands before its text.
    for name in ["adapter.yaml", "haproxy.cfg.jinja", "dictionary.yaml"] {
        let text = section.split_once(&format!("`{name}`")).and_then(|(_, rest)| rest.split_once("```"));
        let text = text.and_then(|(_, block)| block.split_once('\n')?.1.split_once("```"));
        let (text, _) = text.unwrap_or_else(|| panic!("{name} is not on the page"));
        std::fs::write(dir.path().join(name), text).unwrap_or_else(|error| panic!("{error}"));
    }
    dir
}

#[test]
fn the_example_of_the_page_works() {
    let dir = example();
    let adapter = Adapter::load(dir.path()).unwrap_or_else(|wrong| panic!("{wrong}"));
    let contract = Requirements::bundled().unwrap_or_else(|error| panic!("{error}"));
    let all = scenario::find(&root().join("scenarios"), &[]).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert!(!adapter.declared.known_failures.is_empty());
    assert_eq!(stale(&adapter.declared, contract, &all), Vec::<String>::new());
    let suite = Suite::of(&root(), dir.path(), adapter.declared.clone(), Target::default());
    let dictionaries = suite.unwrap_or_else(|wrong| panic!("{wrong}")).dictionaries;
    assert!(!dictionaries.tested.signals.is_empty());
    let program = adapter.binary.find(&root());
    for sidecar in distinct(&cases(&["tcp/echo", "tcp/idle", "tcp/reset"])) {
        let run = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let now = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_800_000_000);
        prepare(&adapter, Path::new("haproxy"), (&sidecar.pod, &sidecar.plan), run.path(), now)
            .unwrap_or_else(|error| panic!("{}: {error}", sidecar.name));
        let Ok(program) = &program else { continue };
        let output = std::process::Command::new(program)
            .args(["-c", "-f", "haproxy.cfg"])
            .current_dir(run.path())
            .output()
            .unwrap_or_else(|error| panic!("{error}"));
        assert!(output.status.success(), "{}: {}", sidecar.name, String::from_utf8_lossy(&output.stderr));
    }
    if let Err(why) = program {
        // Without a standard error there is nobody to tell.
        let _ = writeln!(std::io::stderr(), "not run with haproxy: {why}");
    }
}
