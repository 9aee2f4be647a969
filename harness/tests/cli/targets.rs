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
    let only = "in the simulator only --dataplane reference --peer same is";
    for command in ["run", "coverage"] {
        for (arguments, words) in [
            (&["--world", "live"][..], "fixtures/dataplanes/reference/adapter.yaml"),
            (&["--peer", "scripted"], only),
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
