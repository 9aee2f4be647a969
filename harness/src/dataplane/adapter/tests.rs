//! Adapter files, right and wrong.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;
use crate::observe::dictionary::Dictionary;

/// A folder with an adapter.yaml and templates.
fn folder(adapter: &str, templates: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(FILE), adapter).unwrap();
    for (name, text) in templates {
        fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

fn wrong(adapter: &str, templates: &[(&str, &str)]) -> String {
    let dir = folder(adapter, templates);
    let path = format!("{}/", dir.path().display());
    Adapter::load(dir.path()).unwrap_err().to_string().replace(&path, "")
}

const WHOLE: &str = r#"
about: A proxy.
binary: {name: proxy, env: CONFORM_PROXY}
version: {args: [--version], after: "proxy "}
files: {proxy.conf: proxy.conf.jinja}
start:
  args: [-c, "{{ dir }}/proxy.conf", "{% if identity %}--tls{% endif %}"]
  env: {LEVEL: debug}
  within: 3s
ready: {get: /ready}
metrics: {path: /metrics, port: 9000}
key_log: "{{ dir }}/keys.log"
drain: {post: "/drain", until: {zero: [active]}, within: 10s}
stop: {signal: SIGQUIT, within: 1s}
features: [tcp, mtls]
known_failures:
  - {clause: TCP-1, cases: "tcp/*", reason: it is young, versions: "<2"}
  - {clause: no leak, cases: "*", reason: it leaks}
"#;

#[test]
fn a_whole_file_is_understood() {
    let dir = folder(WHOLE, &[("proxy.conf.jinja", "listen {{ plan.inbounds[0].listen }}")]);
    let adapter = Adapter::load(dir.path()).unwrap();
    assert_eq!(
        adapter.binary,
        Binary { name: "proxy".into(), env: Some("CONFORM_PROXY".into()), project: false }
    );
    assert_eq!(adapter.declared.features.as_deref(), Some(&["tcp".to_owned(), "mtls".to_owned()][..]));
    assert_eq!(adapter.declared.known_failures.len(), 2);
    assert_eq!(adapter.ready_within, Duration::from_secs(3));
    let Driver::Template(life) = &adapter.driver else { panic!("a template") };
    assert_eq!((life.stop, life.stop_within), (Signal::Quit, Duration::from_secs(1)));
    let drain = life.drain.as_ref().unwrap();
    assert_eq!(drain.until, Some(DrainedWhen::Zero(vec!["active".to_owned()])));
}

#[test]
fn little_is_enough() {
    let adapter = "about: x\nbinary: {name: x}\nready: {line: up}\n";
    let dir = folder(adapter, &[]);
    let adapter = Adapter::load(dir.path()).unwrap();
    assert_eq!(adapter.command.program.text, "{{ bin }}");
    assert_eq!(adapter.declared, Declared::default());
    let Driver::Template(life) = &adapter.driver else { panic!("a template") };
    assert!(life.drain.is_none());
    assert_eq!(life.stop, Signal::Term);
}

#[test]
fn mistakes_are_told_with_their_place() {
    for (adapter, told) in [
        ("about: x\nbinary: {name: x}\n", "the key `ready` is missing"),
        ("about: x\nbinary: {name: x}\nready: {get: /}\nstrat: {}\n", "did you mean `start`?"),
        ("about: x\nbinary: {name: x}\nready: {get: /, line: x}\n", "two where only one may be"),
        ("about: x\nbinary: {name: x}\nready: {gte: /}\n", "adapter.yaml:3:9"),
        ("about: x\nbinary: {name: x}\nready: {get: /}\nfeatures: [tpc]\n", "did you mean `tcp`?"),
        ("about: x\nbinary: {name: x}\nready: {get: /}\nstop: {signal: TREM}\n", "did you mean `TERM`?"),
        ("about: x\nbinary: {name: x}\nready: {get: /}\nstop: {within: soon}\n", "expected a duration"),
        ("about: x\nbinary: {name: x}\nready: {get: /}\ndrain: {within: 1s}\n", "one of `post`, `signal`"),
        (
            "about: x\nbinary: {name: x}\nready: {get: /}\nfeatures: [tcp, drain]\n",
            "the key `drain` is missing",
        ),
        (
            "about: x\nbinary: {name: x}\nready: {get: /}\ndrain: {signal: TERM, until: {zero: [x]}}\n",
            "`drain.until.zero` needs the key `metrics`",
        ),
        (
            "about: x\nbinary: {name: x}\nready: {get: /}\nfiles: {a: a.jinja}\n",
            "there is no template `a.jinja`",
        ),
        ("about: x\nbinary: {name: x}\nready: {get: /}\nfiles: {../a: b.jinja}\n", "is no name of a file"),
        (
            "about: x\nbinary: {name: x}\nready: {get: /}\nfiles: {b: b.jinja}\n",
            "template b.jinja, line 2: syntax error",
        ),
        ("about: x\nbinary: {name: x}\nready: {get: /}\nstart: {args: [\"{{ x\"]}\n", "adapter.yaml:4:16"),
        (
            "about: x\nbinary: {name: x}\nready: {get: \"/{{ admin.prot }}\"}\n",
            "undefined value: `admin.prot`",
        ),
        (
            "about: x\nbinary: {name: x}\nready: {get: /}\nstart: {args: [\"{{ plan.x }}\"]}\n",
            "adapter.yaml:4:16",
        ),
        ("about: x\nbinary: {name: x}\ndriver: exec\nready: {get: /}\n", "does not go with `driver: exec`"),
        (
            "about: x\nbinary: {name: x}\nready: {get: /}\nknown_failures: [{clause: HTPT-17, cases: x, reason: y}]\n",
            "did you mean `HTTP-17`?",
        ),
    ] {
        let found = wrong(adapter, &[("b.jinja", "a\n{% if %}")]);
        assert!(found.contains(told), "{told} is not in\n{found}");
    }
}

#[test]
fn every_adapter_of_the_project_is_sound() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/dataplanes");
    let folders = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let adapters: Vec<PathBuf> = folders.filter(|folder| folder.join(FILE).is_file()).collect();
    assert!(adapters.len() >= 2);
    for dir in adapters {
        let adapter = Adapter::load(&dir).unwrap_or_else(|wrong| panic!("{wrong}"));
        assert!(dir.ends_with(&adapter.name));
        assert_eq!(signals(&dir), signals(&dir.with_file_name("reference")), "{}", adapter.name);
    }
}

/// The signals of an adapter's dictionary.
fn signals(dir: &Path) -> Vec<String> {
    let text = fs::read_to_string(dir.join("dictionary.yaml")).unwrap();
    Dictionary::parse(&text).unwrap().signals.keys().cloned().collect()
}
