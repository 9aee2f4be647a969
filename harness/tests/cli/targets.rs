//! Who is judged, where, and which part of the cases.

use super::*;

fn matrix() -> Project {
    let text = GOOD.replace(
        "mesh: {mtls: strict}",
        "for: {n: [1, 2, 3, 4, 5], mtls: [strict, disabled]}\nmesh: {mtls: $mtls}",
    );
    Project::new(
        text.replace("tcp: hello}", "tcp: \"hello $n\"}")
            .replace("received: hello", "received: \"hello $n\"")
            .replace("\"hello $n\"", "\"hello ${n}\"")
            .as_bytes(),
    )
}

fn names(answer: &Answer) -> Vec<String> {
    let report: serde_json::Value =
        serde_json::from_str(&answer.out).unwrap_or_else(|_| panic!("{}", answer.told()));
    let cases = report["cases"].as_array().expect("cases");
    cases.iter().map(|case| case["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn parts_together_are_the_whole() {
    let project = matrix();
    let run = |shard: &[&str]| project.conform(&[&["run", "--format", "json"], shard].concat());
    let mut whole = names(&run(&[]));
    let parts = ["1/3", "2/3", "3/3"].map(|shard| names(&run(&["--shard", shard])));
    assert_eq!(parts.each_ref().map(Vec::len), [4, 3, 3]);
    assert_eq!(parts[0], names(&run(&["--shard", "1/3"])), "the same each time");
    let mut together = parts.concat();
    together.sort();
    whole.sort();
    assert_eq!(together, whole);
    let empty = project.conform(&["run", "--shard", "11/11"]);
    assert!(empty.code == 0 && empty.out.contains("0 passed"), "{}", empty.told());
    for shard in ["0/3", "4/3", "1", "a/b", "1/0"] {
        let wrong = project.conform(&["run", "--shard", shard]);
        assert!(wrong.code == 2 && wrong.err.contains("--shard"), "{}", wrong.told());
    }
}

#[test]
fn what_is_not_to_be_had_is_told() {
    let project = Project::new(GOOD.as_bytes());
    for command in ["run", "coverage"] {
        for (arguments, words) in [
            (&["--world", "live"][..], "fixtures/dataplanes/reference/adapter.yaml"),
            (&["--dataplane", "refrence"], "did you mean `reference`?"),
            (&["--peer", "nginx"], "there is no dataplane `nginx`"),
            (&["--dataplane", "./nowhere"], "there is no folder ./nowhere"),
            (&["--dataplane", ""], "there is no dataplane ``"),
            (&["--world", "moon"], "[possible values: sim, live]"),
        ] {
            let answer = project.conform(&[&[command], arguments].concat());
            assert!(answer.code == 2 && answer.err.contains(words), "{words} is missing: {}", answer.told());
        }
        let arguments = [command, "--dataplane", "reference", "--peer", "reference", "--world", "sim"];
        assert_eq!(project.conform(&arguments).code, 0);
    }
}

#[test]
fn a_case_of_another_world_is_not_run() {
    let text = format!("worlds: {{only: live, because: asks the kernel}}\n{GOOD}");
    let project = Project::new(text.as_bytes());
    let answer = project.conform(&["run"]);
    assert_eq!(answer.code, 0, "{}", answer.told());
    for words in
        ["not run 1 case\n  only in the live world: asks the kernel\n", "0 passed, 1 not run; 0 of 1 clauses"]
    {
        assert!(answer.out.contains(words), "{words} is missing: {}", answer.told());
    }
    let report: serde_json::Value =
        serde_json::from_str(&project.conform(&["run", "--format", "json"]).out).expect("JSON");
    assert_eq!(report["cases"][0]["verdict"]["not_run"], "only in the live world: asks the kernel");
    assert_eq!(report["summary"]["not_run"], 1);
    let junit = project.conform(&["run", "--format", "junit"]).out;
    assert!(
        junit.contains("<skipped message=\"only in the live world: asks the kernel\" type=\"not run\"/>"),
        "{junit}"
    );
    let listed = project.conform(&["list"]).out;
    assert!(listed.contains("  only in the live world: asks the kernel\n"), "{listed}");
    let listed: serde_json::Value =
        serde_json::from_str(&project.conform(&["list", "--json"]).out).expect("JSON");
    assert_eq!(listed[0]["worlds"], serde_json::json!(["live"]));
    assert_eq!(listed[0]["because"], "asks the kernel");
    let coverage = project.conform(&["coverage"]).out;
    assert!(
        coverage.contains("\nnot run named by cases") && coverage.contains("0 cases, seed 0"),
        "{coverage}"
    );
}

/// A folder beside the project's scenarios with an adapter whose program is the shell.
fn adapter(project: &Project, dictionary: &str, more: &str) {
    let folder = project.0.path().join("mine");
    fs::create_dir_all(&folder).expect("a folder");
    let text = format!("about: x\nbinary: {{name: sh}}\nready: {{line: up}}\n{more}");
    fs::write(folder.join("adapter.yaml"), text).expect("an adapter");
    fs::write(folder.join("dictionary.yaml"), dictionary).expect("a dictionary");
}

#[test]
fn what_is_wrong_with_an_adapter_is_told_before_anything_is_played() {
    let project = Project::new(GOOD.as_bytes());
    let known = |clause, cases| {
        format!("known_failures: [{{clause: {clause}, cases: {cases}, reason: x, versions: '>=1.0'}}]\n")
    };
    for (dictionary, more, words) in [
        ("signals: {}\n", "strat: {}\n", "mine/adapter.yaml:4:1"),
        ("signals: {}\n", known("TCP-4", "case").as_str(), "no such case names the clause, only TCP-1\n"),
        ("signals: {}\n", known("TCP-1", "csae").as_str(), "did you mean `case`?\n"),
        ("signals: {}\n", &known("TCP-1", "case").replace(">=1.0", "abc"), "such as `>=1.38, <1.41`"),
        ("signals: {tcp.sned: {families: [x]}}\n", "", "did you mean `tcp.sent`?"),
        ("signals: {}\n", "features: [tcp, drain]\n", "the key `drain` is missing"),
    ] {
        adapter(&project, dictionary, more);
        let answer = project.conform(&["run", "--dataplane", "./mine", "--world", "live"]);
        assert!(answer.code == 2 && answer.out.is_empty(), "{}", answer.told());
        assert!(answer.err.contains(words) && answer.err.ends_with('\n'), "{words}: {}", answer.told());
    }
    adapter(&project, "signals: {}\n", "start: {args: [-c, exit 7]}\n");
    let answer = project.conform(&["run", "--dataplane", "./mine", "--world", "live"]);
    let words = "cargo conform run 'case' --seed 0 --dataplane ./mine --world live\n";
    assert!(answer.code == 3 && answer.out.contains(words), "{}", answer.told());
}

#[test]
fn the_schema_of_plans_is_no_rust() {
    let schema = Project::new(GOOD.as_bytes()).conform(&["plan", "--schema"]);
    for word in ["`None`", "`Some", "[`", "::", "rustls"] {
        assert!(schema.code == 0 && !schema.out.contains(word), "{word}");
    }
}
