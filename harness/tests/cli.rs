//! The command line as a person sees it: help, a pass, a failure, and what is said about bad scenarios.
//!
//! Snapshots are words, looked at one by one; what `conform` decides is asserted beside them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

#[path = "cli/records.rs"]
mod records;
#[path = "cli/targets.rs"]
mod targets;

/// A project of one scenario, `scenarios/case.yaml`.
struct Project(TempDir);

impl Project {
    fn new(scenario: &[u8]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let dictionary = "fixtures/dataplanes/reference/dictionary.yaml";
        fs::create_dir_all(folder.path().join("fixtures/dataplanes/reference")).expect("fixtures");
        fs::copy(root.join(dictionary), folder.path().join(dictionary)).expect("the dictionary");
        fs::create_dir(folder.path().join("scenarios")).expect("scenarios");
        fs::write(folder.path().join("scenarios/case.yaml"), scenario).expect("the scenario");
        Self(folder)
    }

    fn conform(&self, arguments: &[&str]) -> Answer {
        self.command(arguments, None)
    }

    /// With a variable in its environment.
    fn run_with(&self, name: &str, value: &str, arguments: &[&str]) -> Answer {
        self.command(arguments, Some((name, value)))
    }

    fn command(&self, arguments: &[&str], variable: Option<(&str, &str)>) -> Answer {
        let mut command = Command::new(env!("CARGO_BIN_EXE_conform"));
        command.args(arguments).current_dir(self.0.path()).env("NO_COLOR", "1").env_remove("CONFORM_RECORDS");
        command.envs(variable);
        Answer::of(&command.output().expect("conform starts"))
    }
}

struct Answer {
    code: i32,
    out: String,
    err: String,
}

impl Answer {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
        Self {
            code: output.status.code().expect("an exit code"),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    /// All of it, for a snapshot.
    fn told(&self) -> String {
        format!("exit code {}\n--- stdout\n{}--- stderr\n{}", self.code, self.out, self.err)
    }
}

const GOOD: &str = "\
about: Bytes come back.
mesh: {mtls: strict}
pods:
  web: {}
  backend: {protocol: tcp, app: {tcp: echo}}
steps:
  - {id: hello, from: web, to: backend, tcp: hello}
expect:
  - {client: {step: hello, received: hello, end: eof}, proves: [TCP-1]}
";

#[test]
fn help() {
    let project = Project::new(GOOD.as_bytes());
    for (name, arguments) in [
        ("help", &["--help"][..]),
        ("help_run", &["run", "--help"]),
        ("help_judge", &["judge", "--help"]),
        ("help_check", &["check", "--help"]),
        ("help_coverage", &["coverage", "--help"]),
    ] {
        let answer = project.conform(arguments);
        assert_eq!(answer.code, 0);
        insta::assert_snapshot!(name, answer.out);
    }
}

#[test]
fn a_pass() {
    let answer = Project::new(GOOD.as_bytes()).conform(&["run"]);
    assert_eq!((answer.code, answer.err.as_str()), (0, ""));
    insta::assert_snapshot!(answer.told());
}

#[test]
fn a_failure() {
    let wrong = GOOD.replace("received: hello, end: eof", "received: goodbye, end: reset");
    let answer = Project::new(wrong.as_bytes()).conform(&["run"]);
    assert_eq!(answer.code, 1);
    for words in
        ["scenarios/case.yaml:9", "TCP-1", "\"goodbye\"", "\"hello\"", "cargo conform run 'case' --seed 0"]
    {
        assert!(answer.out.contains(words), "{words} is missing:\n{}", answer.out);
    }
    insta::assert_snapshot!(answer.told());
}

#[test]
fn json_is_the_same_bytes_each_time_and_holds_the_verdict() {
    let project = Project::new(GOOD.as_bytes());
    let first = project.conform(&["run", "--format", "json", "--seeds", "3..5"]);
    assert_eq!(
        first.out,
        project.conform(&["run", "--format", "json", "--seeds", "3..5", "--jobs", "1"]).out
    );
    let report: serde_json::Value = serde_json::from_str(&first.out).expect("JSON");
    assert_eq!(report["summary"]["passed"], 3);
    assert_eq!(report["cases"][2]["seed"], 5);
    assert_eq!(report["cases"][0]["clauses"]["TCP-1"], "pass");
}

#[test]
fn a_dataplane_that_does_not_start_is_broken_not_failed() {
    let text = format!(
        "{GOOD}resources: |\n  type: MeshTimeout\n  mesh: default\n  name: x\n  spec: {{nonsense: 1}}\n"
    );
    let answer = Project::new(text.as_bytes()).conform(&["run"]);
    assert_eq!(answer.code, 3, "{}", answer.told());
    assert!(answer.out.contains("nonsense"), "{}", answer.told());
}

#[test]
fn a_record_holds_observations_and_packets() {
    let project = Project::new(GOOD.as_bytes());
    assert_eq!(project.conform(&["run", "--record", "out"]).code, 0);
    let folder = project.0.path().join("out/case-seed-0");
    let capture = fs::read(folder.join("capture.pcapng")).expect("a capture");
    // Section header block, in the byte order of this machine's captures.
    assert_eq!(capture[..4], [0x0a, 0x0d, 0x0d, 0x0a]);
    let observations = fs::read_to_string(folder.join("observations.jsonl")).expect("observations");
    let seen: Vec<serde_json::Value> =
        observations.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(seen.iter().any(|seen| seen["seen"]["ended"]["received"]["bytes"] == 5), "{observations}");
    let verdict = fs::read_to_string(folder.join("verdict.json")).expect("a verdict");
    assert!(verdict.contains("\"TCP-1\": \"pass\""), "{verdict}");
}

#[test]
fn junit_tells_of_failures() {
    let wrong = GOOD.replace("received: hello", "received: goodbye");
    let answer = Project::new(wrong.as_bytes()).conform(&["run", "--format", "junit", "--seeds", "3..4"]);
    assert_eq!(answer.code, 1, "{}", answer.told());
    for words in [
        "<testsuite name=\"case\" tests=\"2\" skipped=\"0\" errors=\"0\" failures=\"2\"",
        "<testcase name=\"case seed 4\" classname=\"case\"",
        "<property name=\"seed\" value=\"3\"/>",
        "<failure message=\"TCP-1\">",
        "client.received",
    ] {
        assert!(answer.out.contains(words), "{words} is missing:\n{}", answer.told());
    }
}

#[test]
fn failing_fast_leaves_the_rest_out() {
    let wrong = GOOD.replace("received: hello", "received: goodbye");
    let project = Project::new(wrong.as_bytes());
    let answer = project.conform(&["run", "--fail-fast", "--seeds", "0..9"]);
    assert_eq!(answer.code, 1, "{}", answer.told());
    assert!(answer.out.contains("1 failed, 9 left out after the first failure"), "{}", answer.told());
    let well = Project::new(GOOD.as_bytes()).conform(&["run", "--fail-fast", "--seeds", "0..3"]);
    assert!(well.code == 0 && well.out.contains("4 passed;"), "{}", well.told());
}

#[test]
fn cases_are_listed_and_picked_by_words_of_the_contract() {
    let project = Project::new(GOOD.as_bytes());
    let told = project.conform(&["list"]);
    assert_eq!(told.code, 0, "{}", told.told());
    for words in ["case\n  Bytes come back.\n", "proves TCP-1; features tcp", "1 case\n"] {
        assert!(told.out.contains(words), "{words} is missing:\n{}", told.told());
    }
    let listed =
        project.conform(&["list", "--json", "--area", "tcp", "--feature", "tcp", "--clause", "TCP-1"]);
    let cases: serde_json::Value = serde_json::from_str(&listed.out).expect("JSON");
    assert_eq!(cases[0]["name"], "case");
    assert_eq!(cases[0]["clauses"], serde_json::json!(["TCP-1"]));
    for command in ["list", "run", "check", "coverage"] {
        let none = project.conform(&[command, "--area", "HTTP"]);
        assert_eq!(none.code, 2, "{command}: {}", none.told());
        let unknown = project.conform(&[command, "--clause", "TPC-1"]);
        assert_eq!(unknown.code, 2, "{command}: {}", unknown.told());
        assert!(unknown.err.contains("did you mean `TCP-1`?"), "{}", unknown.told());
    }
}

/// A project with a planted bug that turns TCP-1 red.
fn planted(record: &str) -> Project {
    let project = Project::new(GOOD.as_bytes());
    let folder = project.0.path().join("tests/planted");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("bytes_lost.patch"), "# expects: case TCP-1\n# Bytes are lost.\n")
        .expect("a patch");
    fs::write(folder.join("PROVEN"), record).expect("a record");
    project
}

#[test]
fn a_clause_is_explained() {
    let answer = planted("").conform(&["explain", "tcp-1", "HTTP-11"]);
    assert_eq!(answer.code, 0, "{}", answer.told());
    for words in [
        "bytes pass unchanged both ways",
        "must: a dataplane that breaks it failed",
        "page: the documentation page promises it",
        "scenarios/case.yaml:9  client\n      case\n",
        "tests/planted/bytes_lost.patch  (not on record as seen)\n      Bytes are lost.",
        "426 Upgrade Required",
        "no case yet",
    ] {
        assert!(answer.out.contains(words), "{words} is missing:\n{}", answer.told());
    }
    let unknown = planted("").conform(&["explain", "TCP-99"]);
    assert_eq!(unknown.code, 2, "{}", unknown.told());
    assert!(unknown.err.contains("the contract has no clause `TCP-99`"), "{}", unknown.told());
    assert!(unknown.err.contains("did you mean"), "{}", unknown.told());
}

#[test]
fn coverage_tells_proven_from_covered() {
    let status = |project: &Project, clause: &str| {
        let answer = project.conform(&["coverage", "--format", "json"]);
        let rows: serde_json::Value = serde_json::from_str(&answer.out).expect("JSON");
        let mut rows = rows.as_array().expect("an array").iter();
        let row = rows.find(|row| row["id"] == clause).expect("the clause");
        (answer.code, row["status"].as_str().expect("a status").to_owned(), row["cases"].clone())
    };
    let cases = serde_json::json!(["case"]);
    assert_eq!(status(&planted(""), "TCP-1"), (0, "covered".into(), cases.clone()));
    assert_eq!(status(&planted("bytes_lost 0123\n"), "TCP-1"), (0, "proven".into(), cases.clone()));
    assert_eq!(status(&planted(""), "TCP-2"), (0, "uncovered".into(), serde_json::json!([])));
    let wrong = Project::new(GOOD.replace("received: hello", "received: goodbye").as_bytes());
    assert_eq!(status(&wrong, "TCP-1"), (1, "failing".into(), cases));

    let text = planted("bytes_lost 0123\n").conform(&["coverage", "--area", "TCP"]).out;
    assert!(text.lines().any(|line| line.starts_with("TCP ") && line.ends_with("█··············")), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let markdown = planted("bytes_lost 0123\n").conform(&["coverage", "--format", "markdown"]).out;
    assert!(markdown.contains("| TCP-1 | must | proven | case | bytes_lost |"), "{markdown}");
}

#[test]
fn bad_usage() {
    let project = Project::new(GOOD.as_bytes());
    for (name, arguments) in [
        ("usage_seed_and_seeds", &["run", "--seed", "1", "--seeds", "0..2"][..]),
        ("usage_seeds", &["run", "--seeds", "9..2"]),
        ("usage_format", &["run", "--format", "xml"]),
        ("usage_filter", &["run", "echos"]),
        ("usage_root", &["--root", "/", "run"]),
    ] {
        let answer = project.conform(arguments);
        assert_eq!(answer.code, 2, "{}", answer.told());
        insta::assert_snapshot!(name, answer.told());
    }
}

#[test]
fn bad_scenarios() {
    let replaced = |from: &str, to: &str| {
        assert!(GOOD.contains(from), "{from}");
        GOOD.replace(from, to).into_bytes()
    };
    let alias_bomb = {
        let mut text = "about: x\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for i in 1..12 {
            let aliases = vec![format!("*a{}", i - 1); 10].join(", ");
            text.push_str(&format!("a{i}: &a{i} [{aliases}]\n"));
        }
        text.into_bytes()
    };
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("unknown_key", replaced("received: hello", "recieved: hello")),
        ("wrong_type", replaced("tcp: hello}", "tcp: hello, times: often}")),
        ("unknown_pod", replaced("to: backend", "to: backnd")),
        ("unknown_step", replaced("step: hello", "step: helo")),
        ("bad_argument", replaced("end: eof", "end: closing")),
        ("bad_range", replaced("received: hello", "connections: 6..1")),
        ("bad_size", replaced("tcp: hello}", "tcp: [{send: {size: 64KB}}]}")),
        ("bad_duration", replaced("tcp: hello}", "tcp: [{pause: 10}]}")),
        ("two_verbs", replaced("tcp: hello}", "tcp: hello, wait: 1s}")),
        ("no_verb", replaced(", tcp: hello}", "}")),
        ("unknown_clause", replaced("TCP-1", "TCP-99")),
        (
            "unknown_host",
            replaced("  - {id: hello", "  - {fault: {link: web.proxy->b, hold: true}}\n  - {id: hello"),
        ),
        ("duplicate_key", replaced("mesh: {mtls: strict}", "mesh: {mtls: strict}\nmesh: {mtls: disabled}")),
        ("bad_syntax", replaced("pods:", "pods: [")),
        ("empty", Vec::new()),
        ("binary", (0..=255).cycle().take(4096).collect()),
        ("ten_megabytes", format!("about: {}\n", "x".repeat(10 << 20)).into_bytes()),
        (
            "deep_nesting",
            format!("about: x\npods: {}{}\n", "[".repeat(50_000), "]".repeat(50_000)).into_bytes(),
        ),
        ("alias_bomb", alias_bomb),
    ];
    for (name, text) in cases {
        let answer = Project::new(&text).conform(&["check"]);
        assert_eq!(answer.code, 2, "{name}: {}", answer.told());
        assert!(answer.err.contains("scenarios/case.yaml"), "{name} names no file: {}", answer.told());
        insta::assert_snapshot!(format!("bad_{name}"), answer.told());
    }
}
