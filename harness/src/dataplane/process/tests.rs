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

/// Starts a shell script as an adapter's program.
async fn start(pod: &str, keys: &str, script: &str) -> Result<ProcessSidecar, StartError> {
    let dir = tempfile::tempdir().unwrap();
    let script = serde_json::Value::from(script);
    let text =
        format!("about: x\nbinary: {{name: sh}}\nstart: {{args: [-c, {script}], within: 300ms}}\n{keys}\n");
    std::fs::write(dir.path().join("adapter.yaml"), text).unwrap();
    let adapter = Adapter::load(dir.path()).unwrap_or_else(|wrong| panic!("{wrong}"));
    let process = Process::new(adapter, Path::new("")).unwrap();
    let resources = vec![("mesh.yaml".to_owned(), MESH.to_owned())];
    let plan = Plan::resolve(&resources, pod).unwrap();
    let admin = SocketAddr::from(([127, 77, 77, 77], 9901));
    let pod = Pod { name: pod.to_owned(), resources, authority: None, admin };
    process.start(&pod, &plan, &dir.path().join("run"), SystemTime::UNIX_EPOCH).await
}

async fn failure(keys: &str, script: &str) -> StartError {
    start("web", keys, script).await.map(|_| ()).unwrap_err()
}

#[tokio::test]
async fn a_program_that_ends_is_told_with_its_words() {
    let error = failure("ready: {line: up}", "echo out of luck >&2; exit 7").await;
    assert_eq!(error.to_string(), "it ended before it was ready (exit status: 7); stderr.log:\nout of luck");
    assert_eq!(error.unsupported(), None);
    let error = failure("ready: {line: up}", "exit 89").await;
    assert_eq!(error.unsupported().as_deref(), Some("exit code 89"));
}

#[tokio::test]
async fn a_program_that_is_never_ready_is_told_with_what_is_missing() {
    let error = failure("ready: {line: up}", "echo up; exec sleep 100").await;
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
        let error = failure(ready, "echo up; exec sleep 100").await.to_string();
        assert!(error.contains(told), "{error}");
    }
}

#[tokio::test]
async fn what_is_no_address_once_rendered_is_told() {
    let error = failure("ready: {accepts: \"{{ pod }}\"}", "exec sleep 100").await;
    assert_eq!(error.to_string(), "ready is \"web\", which is no IP:PORT");
}

#[tokio::test]
async fn a_driver_that_cannot_says_so() {
    let error = failure("driver: exec", "read x; echo '{\"unsupported\": \"no tcp\"}'; read x").await;
    assert_eq!(error.unsupported().as_deref(), Some("no tcp"));
    let error = failure("driver: exec", "exit 89").await;
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
        let error = failure("driver: exec", script).await;
        assert!(error.to_string().starts_with(told), "{error}");
    }
}

#[tokio::test]
async fn what_does_not_stop_is_killed() {
    let sidecar = start(
        "idle",
        "ready: {line: up}\nstop: {within: 10ms}",
        "trap '' TERM; echo up; while :; do sleep 100; done",
    );
    let sidecar = sidecar.await.unwrap_or_else(|error| panic!("{error}"));
    assert!(matches!(sidecar.drained().await, Err(DrainError::Unknown)));
    sidecar.stop();
    sidecar.ended().await;
    assert!(!Path::new(&format!("/proc/{}", sidecar.id())).exists());
}
