//! Records: kept of failures, judged again.

use super::*;

fn wrong() -> Project {
    Project::new(GOOD.replace("received: hello", "received: goodbye").as_bytes())
}

/// A record with a declaration of what is wrong.
#[test]
fn declarations_are_told_to_people_and_programs() {
    let text = format!("{GOOD}  - {{app: {{step: hello, connections: 1}}, proves: [GRPC-1]}}\n")
        .replace("mesh: {mtls: strict}", "for: {got: [hello, goodbye]}\nmesh: {mtls: strict}")
        .replace("received: hello", "received: $got");
    let project = Project::new(text.as_bytes());
    assert_eq!(project.conform(&["run", "--record", "all"]).code, 1);
    let declare = |features: &str, cases: &str| {
        for case in ["hello", "goodbye"] {
            let head = project.0.path().join(format!("all/case+got={case}-seed-0/record.json"));
            let text = fs::read_to_string(&head).expect("a record");
            let mut record: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            let known = serde_json::json!([{"clause": "TCP-1", "cases": cases, "reason": "It is deaf."}]);
            record["declared"] = serde_json::json!({"features": [features], "known_failures": known});
            fs::write(&head, record.to_string()).expect("a record");
        }
        project.conform(&["judge", "all"])
    };
    let known = declare("tcp", "case[got=goodbye]");
    assert_eq!(known.code, 0, "{}", known.told());
    insta::assert_snapshot!("known_failure", known.out);
    let json = project.conform(&["judge", "all", "--format", "json"]).out;
    let report: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let (summary, cases) = (&report["summary"], &report["cases"]);
    assert_eq!((&summary["passed"], &summary["known_failures"]), (&1.into(), &1.into()));
    assert_eq!(cases[1]["verdict"]["known_failure"], "It is deaf.");
    assert_eq!(cases[0]["clauses"]["GRPC-1"]["unsupported"], "feature `grpc` is not declared");
    let junit = project.conform(&["judge", "all", "--format", "junit"]).out;
    assert!(junit.contains("<skipped message=\"It is deaf.\" type=\"known failure\">"), "{junit}");
    let passes = declare("tcp", "case[*]");
    assert_eq!(passes.code, 1, "{}", passes.told());
    assert!(passes.out.contains("take its entry for `case[*]` out of adapter.yaml"), "{}", passes.told());
    let unsupported = declare("kafka", "case[*]");
    assert_eq!(unsupported.code, 0, "{}", unsupported.told());
    assert!(
        unsupported.out.contains("0 passed, 2 unsupported; 0 of 2 clauses hold"),
        "{}",
        unsupported.told()
    );
}

#[test]
fn a_failure_is_recorded_and_judged_again() {
    let project = wrong();
    let ran = project.conform(&["run", "--seeds", "3..4"]);
    assert_eq!(ran.code, 1, "{}", ran.told());
    assert!(ran.out.contains("  record:    target/conform/case-seed-4\n"), "{}", ran.told());
    let one = project.conform(&["judge", "target/conform/case-seed-3"]);
    assert!(one.code == 1 && one.out.contains("0 passed, 1 failed"), "{}", one.told());
    // Word for word, findings and observations and all.
    let elsewhere = project.0.path().join("target/conform/case-seed-3");
    let sent = tempfile::tempdir().expect("a folder");
    let copied = sent.path().join("bug-7");
    fs::rename(&elsewhere, &copied).expect("moved");
    let mut command = Command::new(env!("CARGO_BIN_EXE_conform"));
    command.args(["judge", "bug-7"]).current_dir(sent.path()).env("NO_COLOR", "1");
    let told = Answer::of(&command.output().expect("conform starts"));
    assert!(
        told.code == 1 && told.out.contains("record:    bug-7\n"),
        "outside of any project: {}",
        told.told()
    );
    fs::rename(&copied, &elsewhere).expect("moved back");
    let both = project.conform(&["judge", "target/conform"]);
    assert_eq!((both.code, &both.out), (1, &ran.out));
    let json = |arguments: &[&str]| -> serde_json::Value {
        let answer = project.conform(&[arguments, &["--format", "json"]].concat());
        serde_json::from_str(&answer.out).unwrap_or_else(|_| panic!("{}", answer.told()))
    };
    assert_eq!(json(&["run", "--seeds", "3..4"]), json(&["judge", "target/conform"]));
    let junit = project.conform(&["judge", "target/conform", "--format", "junit", "--output", "report.xml"]);
    assert_eq!((junit.code, junit.out.as_str()), (1, ""));
    let report = fs::read_to_string(project.0.path().join("report.xml")).expect("a report");
    assert!(report.contains("failures=\"2\""), "{report}");
}

#[test]
fn what_is_recorded_and_where_can_be_told() {
    let project = wrong();
    let ran = project.run_with("CONFORM_RECORDS", "elsewhere", &["run"]);
    assert!(ran.out.contains("  record:    elsewhere/case-seed-0\n"), "{}", ran.told());
    let ran = project.run_with("CONFORM_RECORDS", "", &["run"]);
    assert!(ran.code == 1 && !ran.out.contains("record:"), "{}", ran.told());
    assert!(!project.0.path().join("target").exists());
    let good = Project::new(GOOD.as_bytes());
    assert_eq!(good.conform(&["run"]).code, 0);
    assert!(!good.0.path().join("target").exists(), "nothing went wrong");
    assert_eq!(good.conform(&["run", "--record", "all"]).code, 0);
    let judged = good.conform(&["judge", "all"]);
    assert!(judged.code == 0 && judged.out.contains("1 passed; 1 of 1 clauses hold"), "{}", judged.told());
}

#[test]
fn a_broken_case_stays_broken() {
    let text = format!(
        "{GOOD}resources: |\n  type: MeshTimeout\n  mesh: default\n  name: x\n  spec: {{nonsense: 1}}\n"
    );
    let project = Project::new(text.as_bytes());
    let ran = project.conform(&["run"]);
    let judged = project.conform(&["judge", "target/conform"]);
    assert_eq!((ran.code, judged.code, &judged.out), (3, 3, &ran.out), "{}", judged.told());
}

#[test]
fn records_that_cannot_be_judged_are_told() {
    let project = wrong();
    assert_eq!(project.conform(&["run"]).code, 1);
    let head = project.0.path().join("target/conform/case-seed-0/record.json");
    let text = fs::read_to_string(&head).expect("a record");
    for (folder, changed, words) in [
        ("scenarios", text.clone(), "error: scenarios is no record"),
        ("nowhere", text.clone(), "error: nowhere cannot be read"),
        ("target/conform", text.replace("\"version\": 1,", "\"version\": 9,"), "this build reads version 1"),
        ("target/conform", text.replace('{', "["), "record.json is malformed"),
    ] {
        fs::write(&head, changed).expect("a record");
        let answer = project.conform(&["judge", folder]);
        assert!(answer.code == 2 && answer.err.contains(words), "{words} is missing: {}", answer.told());
    }
    assert_eq!(project.conform(&["judge"]).code, 2);
}
