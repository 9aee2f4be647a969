//! A live world without dataplanes: clients and apps of ours over real sockets, with relays between them.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use harness::dataplane::{Dataplane, NotDrained, Pod, Seams, Sidecar, StartError};
use harness::live::network::LiveNetwork;
use harness::live::play::{LiveCase, play};
use harness::observe::observation::{Failure, Observation};
use harness::observe::wire::Layer;
use harness::observe::{Role, Seen};

/// No scenario here has a sidecar.
struct None;

impl Dataplane<LiveNetwork> for None {
    type Sidecar = Never;

    fn name(&self) -> &str {
        "none"
    }

    async fn start(&self, pod: Pod, _: Seams<LiveNetwork>) -> Result<Never, StartError> {
        Err(StartError::Failed { pod: pod.name, reason: "there are no sidecars here".into() })
    }
}

enum Never {}

impl Sidecar for Never {
    async fn drain(&self) -> Result<(), NotDrained> {
        Ok(())
    }

    fn stop(&self) {}

    fn metrics(&self) -> Option<(SocketAddr, &str)> {
        Option::None
    }
}

fn live(text: &str) -> LiveCase {
    let scenarios = harness::scenario::parse("x", Path::new("x.yaml"), text).expect("a scenario");
    play(&scenarios[0], Arc::new(None), 1, 1 << 20).expect("an outcome")
}

fn seen<'a>(case: &'a LiveCase, step: &'a str) -> impl Iterator<Item = &'a Seen> {
    let of_step = move |seen: &&Observation| seen.role == Role::Client && seen.step.as_deref() == Some(step);
    case.run.observations.iter().filter(of_step).map(|observation| &observation.seen)
}

const PODS: &str = "
about: x
mesh: {mtls: disabled}
pods:
  web: {proxy: none}
  echo: {proxy: none, app: {tcp: echo}}
  bye: {proxy: none, app: {tcp: [{expect: hi}, {send: bye}, reset]}}
  shut: {proxy: none, app: refuse}
steps:
";

#[test]
fn bytes_come_back_and_are_on_the_wire() {
    let case = live(&format!(
        "{PODS}  - {{id: talk, from: web, to: echo.app, tcp: [{{send: {{size: 1MiB}}}}, half_close, {{read: eof}}]}}
expect: [{{wire: {{link: web->echo, connections: 1}}, proves: [TCP-1]}}]
"
    ));
    let ended = seen(&case, "talk").find_map(|seen| match seen {
        Seen::Ended(ended) => Some(ended.clone()),
        _ => Option::None,
    });
    let ended = ended.expect("the client's end");
    assert_eq!((ended.received.bytes, &ended.received.blake3), (1 << 20, &ended.sent.blake3));
    let [connection] = &case.run.wire[..] else { panic!("one connection, not {:?}", case.run.wire) };
    assert_eq!((connection.link.from.as_str(), connection.link.to.as_str()), ("web", "echo"));
    assert_eq!((connection.bytes, connection.bytes_back), (1 << 20, 1 << 20));
    assert!(connection.established && matches!(connection.layer, Layer::Plain { .. }));
}

#[test]
fn a_reset_arrives_as_one_behind_what_came_before_it() {
    let case = live(&format!(
        "{PODS}  - {{id: talk, from: web, to: bye.app, tcp: [{{send: hi}}, {{expect: bye}}, {{read: eof}}]}}\n"
    ));
    assert!(seen(&case, "talk").any(|seen| matches!(seen, Seen::Received { bytes: 3, .. })));
    assert!(seen(&case, "talk").any(|seen| matches!(seen, Seen::Failed { error: Failure::Reset })));
}

#[test]
fn nobody_listens_for_an_app_that_refuses() {
    let case = live(&format!("{PODS}  - {{id: talk, from: web, to: shut.app, tcp: [{{send: hi}}]}}\n"));
    assert!(seen(&case, "talk").any(|seen| *seen == Seen::ConnectFailed { error: Failure::Refused }));
}

#[test]
fn faults_delay_refuse_and_reset() {
    let case = live(&format!(
        "{PODS}  - {{fault: {{link: web->echo, latency: 60ms}}}}
  - {{id: slow, from: web, to: echo.app, tcp: [{{send: hi}}, {{expect: hi}}], hold: true}}
  - {{fault: {{link: web->echo, reset: now}}}}
  - {{id: after, on: slow, tcp: [{{read: eof}}]}}
  - {{heal: web->echo}}
  - {{fault: {{link: web->echo, refuse: true}}}}
  - {{id: refused, from: web, to: echo.app, tcp: [{{send: hi}}]}}
  - {{heal: web->echo}}
  - {{id: again, from: web, to: echo.app, tcp: [{{send: hi}}, {{expect: hi}}]}}
"
    ));
    let at = |wanted: &Seen| {
        let found = case
            .run
            .observations
            .iter()
            .find(|seen| seen.step.as_deref() == Some("slow") && seen.seen == *wanted);
        found.expect("the step").at
    };
    let took = at(&Seen::StepEnded) - at(&Seen::StepBegan);
    // Call and answer, there and back: four times on the way.
    assert!(took >= 240_000_000, "{took} ns");
    assert!(seen(&case, "after").any(|seen| matches!(seen, Seen::Failed { error: Failure::Reset })));
    assert!(seen(&case, "refused").any(|seen| *seen == Seen::ConnectFailed { error: Failure::Refused }));
    assert!(seen(&case, "again").any(|seen| matches!(seen, Seen::Received { bytes: 2, .. })));
}
