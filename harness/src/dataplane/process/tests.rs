//! Programs that do not do as they should, as small shell scripts.

use std::net::SocketAddr;
use std::time::SystemTime;

use super::*;
use crate::dataplane::Sidecar as _;

/// A mesh without mTLS. `web` is to listen, `idle` nowhere.
const MESH: &str = "
type: Mesh
name: default
---
type: Dataplane
mesh: default
name: web
networking:
  address: 127.77.77.77
  inbound: [{port: 10080, servicePort: 8080, serviceAddress: 127.0.0.1, tags: {kuma.io/service: web}}]
---
type: Dataplane
mesh: default
name: idle
networking:
  address: 127.77.77.78
  inbound: [{port: 10080, state: Ignored, tags: {kuma.io/service: idle}}]
";

/// Time to become ready, for whoever will not.
const SHORT: &str = "300ms";
/// The same, for whoever does at once what it does: a machine that is busy must not matter.
const LONG: &str = "60s";

/// Starts a shell script as an adapter's program.
async fn start(pod: &str, keys: &str, script: &str, within: &str) -> Result<ProcessSidecar, StartError> {
    let dir = tempfile::tempdir().unwrap();
    let script = serde_json::Value::from(script);
    let text = format!(
        "about: x\nbinary: {{name: sh}}\nstart: {{args: [-c, {script}], within: {within}}}\n{keys}\n"
    );
    std::fs::write(dir.path().join("adapter.yaml"), text).unwrap();
    let adapter = Adapter::load(dir.path()).unwrap_or_else(|wrong| panic!("{wrong}"));
    let process = Process::new(adapter, Path::new("")).unwrap();
    let resources = vec![("mesh.yaml".to_owned(), MESH.to_owned())];
    let plan = Plan::resolve(&resources, pod).unwrap();
    let admin = SocketAddr::from(([127, 77, 77, 77], 9901));
    let pod = Pod { name: pod.to_owned(), resources, authority: None, admin };
    process.start(&pod, &plan, &dir.path().join("run"), SystemTime::UNIX_EPOCH).await
}

async fn failure(keys: &str, script: &str, within: &str) -> StartError {
    start("web", keys, script, within).await.map(|_| ()).unwrap_err()
}

#[tokio::test]
async fn a_program_that_ends_is_told_with_its_words() {
    let error = failure("ready: {line: up}", "echo out of luck >&2; exit 7", LONG).await;
    assert_eq!(error.to_string(), "it ended before it was ready (exit status: 7); stderr.log:\nout of luck");
    assert_eq!(error.unsupported(), None);
    let error = failure("ready: {line: up}", "exit 89", LONG).await;
    assert_eq!(error.unsupported().as_deref(), Some("exit code 89"));
}

#[tokio::test]
async fn a_program_that_is_never_ready_is_told_with_what_is_missing() {
    let error = failure("ready: {line: up}", "echo up; exec sleep 100", SHORT).await;
    let told = "it was not ready within 0.3 s: nobody listens at 127.77.77.77:10080; stdout.log:\nup";
    assert_eq!(error.to_string(), told);
    for (ready, told) in [
        ("ready: {get: /readyy}", ": GET http://127.77.77.77:9901/readyy: Connection refused"),
        (
            "ready: {accepts: \"{{ admin.address }}\"}",
            ": nobody answers at 127.77.77.77:9901: Connection refused",
        ),
        ("ready: {line: down}", ": no line of its output has `down`, nobody listens at 127.77.77.77:10080; "),
    ] {
        let error = failure(ready, "echo up; exec sleep 100", SHORT).await.to_string();
        assert!(error.contains(told), "{error}");
    }
}

#[tokio::test]
async fn what_is_no_address_once_rendered_is_told() {
    let error = failure("ready: {accepts: \"{{ pod }}\"}", "exec sleep 100", LONG).await;
    assert_eq!(error.to_string(), "ready is \"web\", which is no IP:PORT");
}

#[tokio::test]
async fn a_driver_that_cannot_says_so() {
    let error = failure("driver: exec", "read x; echo '{\"unsupported\": \"no tcp\"}'; read x", LONG).await;
    assert_eq!(error.unsupported().as_deref(), Some("no tcp"));
    let error = failure("driver: exec", "exit 89", LONG).await;
    assert_eq!(error.unsupported().as_deref(), Some("exit code 89"));
}

#[tokio::test]
async fn a_driver_that_fails_is_told() {
    for (script, told) in [
        ("read x; echo '{\"error\": \"no luck\"}'; read x", "the driver failed: no luck"),
        ("read x; echo hello; read x", "the driver answered start with \"hello\""),
        ("read x; echo '{\"drained\": {}}'; read x", "the driver answered start with"),
        ("exit 3", "the driver ended with exit status: 3"),
        ("exec sleep 100", "the driver did not answer start within 0.3 s"),
    ] {
        let within = if script.starts_with("exec") { SHORT } else { LONG };
        let error = failure("driver: exec", script, within).await;
        assert!(error.to_string().starts_with(told), "{error}");
    }
}

#[tokio::test]
async fn what_does_not_stop_is_killed() {
    let sidecar = start(
        "idle",
        "ready: {line: up}\nstop: {within: 10ms}",
        "trap '' TERM; echo up; while :; do sleep 100; done",
        LONG,
    );
    let sidecar = sidecar.await.unwrap_or_else(|error| panic!("{error}"));
    assert!(matches!(sidecar.drained().await, Err(DrainError::Unknown)));
    sidecar.stop();
    sidecar.ended().await;
    assert!(!Path::new(&format!("/proc/{}", sidecar.id())).exists());
}

/// A driver that answers as a shell script, which has each request in `$x`, says.
async fn driver(answers: &str) -> ProcessSidecar {
    let ready = "read -r x; echo '{\"ready\": {}}'; while read -r x; do";
    let script = format!("{ready} {answers}; done");
    start("idle", "driver: exec", &script, LONG).await.unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test]
async fn the_secrets_of_a_driver_are_asked_for_while_it_runs() {
    let sidecar = driver("echo '{\"collected\": {\"key_log\": [\"A 01 02\", \"cut\"]}}'").await;
    assert_eq!(sidecar.key_log().await, Ok(vec!["A 01 02".to_owned()]));
    sidecar.crash();
    assert_eq!(sidecar.key_log().await, Ok(Vec::new()), "it tells no more");
    let silent = driver("echo '{\"error\": \"no luck\"}'").await;
    assert_eq!(silent.key_log().await, Err("the driver failed: no luck".to_owned()));
}

#[tokio::test]
async fn an_answer_that_comes_late_is_not_taken_for_that_of_another_question() {
    // It thinks about the first question until there is a second.
    let sidecar =
        driver("case $x in *collect*) ;; *) echo '{\"collected\": {}}'; echo '{\"drained\": {}}' ;; esac")
            .await;
    let Kind::Exec(driver) = &sidecar.kind else { panic!("no driver") };
    let nothing = || serde_json::json!({});
    let never = driver.ask(("collect", nothing()), &sidecar.child, Duration::from_millis(20)).await;
    assert!(matches!(never, Err(DriverError::Silent { request: "collect", .. })), "{never:?}");
    let next = driver.ask(("drain", nothing()), &sidecar.child, Duration::from_secs(60)).await;
    assert_eq!(
        next.unwrap_err().to_string(),
        "the driver was not asked to drain: it has not answered collect yet"
    );
}

#[tokio::test]
async fn a_key_log_that_was_promised_and_is_not_there_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display();
    let keys = format!("ready: {{line: up}}\nkey_log: {path}/keys.log");
    for (script, expected) in [
        (format!("echo up; cat {path}/keys.log"), Err("keys.log: No such file or directory (os error 2)")),
        (format!("echo 'A 01 02' > {path}/keys.log; echo up"), Ok(vec!["A 01 02".to_owned()])),
    ] {
        let sidecar = start("idle", &keys, &format!("{script}; exec sleep 100"), LONG)
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(sidecar.key_log().await, Ok(Vec::new()), "not before its end");
        sidecar.crash();
        match (sidecar.key_log().await, expected) {
            (Err(told), Err(end)) => assert!(told.ends_with(end), "{told}"),
            (told, expected) => assert_eq!(told, expected.map_err(str::to_owned)),
        }
    }
}

#[tokio::test]
async fn an_end_in_a_drain_is_a_death_if_it_is_a_failure() {
    for (on_term, death) in [
        ("exit 0", None),
        ("exit 9", Some("exit status: 9; ")),
        ("kill -SEGV $$", Some("signal: 11 (SIGSEGV)")),
        ("trap - TERM; kill -TERM $$", None),
    ] {
        let keys = "ready: {line: up}\ndrain: {signal: TERM, until: exit, within: 60s}";
        let script = format!("trap '{on_term}' TERM; echo up; while :; do sleep 0.01; done");
        let sidecar = start("idle", keys, &script, LONG).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(sidecar.died(), None);
        sidecar.drained().await.unwrap_or_else(|error| panic!("{error}"));
        let told = sidecar.died();
        assert_eq!(told.is_some(), death.is_some(), "{on_term}: {told:?}");
        assert!(death.is_none_or(|death| told.unwrap_or_default().starts_with(death)), "{on_term}");
    }
}
