//! For tests of checks: runs made by hand.

use std::path::PathBuf;
use std::time::Duration;

use super::Dictionaries;
use super::{Answer, Finding, Moment, Run, Slack};
use crate::language::Expectation;
use crate::language::TlsOptions;
use crate::language::http::{HttpApp, HttpScript, HttpVersion};
use crate::language::script::Script;
use crate::language::{ClientScript, ServerScript, Talk};
use crate::language::{Mesh, Mtls, Pod, ProxyKind, Scenario, Step, Target, Verb};
use crate::observe::observation::{End, Ended, Flow};
use crate::observe::{Nanos, Observation, Role, Seen};

/// A run of a scenario with the pods `web` and `backend`, and steps in which `web` calls `backend`.
pub(crate) struct Story {
    pub(crate) run: Run,
    dictionaries: Dictionaries,
    now: Nanos,
}

impl Story {
    /// Steps by name, each a call.
    pub(crate) fn new(steps: &[&str]) -> Self {
        let step = |id: &&str| Step {
            id: (*id).into(),
            after: Duration::ZERO,
            verb: call(None),
            expect: Vec::new(),
        };
        let scenario = Scenario {
            name: "test/story".into(),
            file: PathBuf::from("story.yaml"),
            about: "Made by hand.".into(),
            source: "".into(),
            large: false,
            worlds: None,
            deadline: Duration::from_secs(1),
            mesh: Mesh { mtls: Mtls::Disabled, permissions: None },
            pods: vec![pod("web", None), pod("backend", None)],
            resources: Vec::new(),
            steps: steps.iter().map(step).collect(),
            expect: Vec::new(),
        };
        let run = Run {
            scenario,
            observations: Vec::new(),
            wire: Vec::new(),
            scrapes: Vec::new(),
            sockets: Vec::new(),
        };
        Self { run, dictionaries: Dictionaries::default(), now: 0 }
    }

    /// Client and app bring TLS of their own.
    pub(crate) fn with_tls(mut self) -> Self {
        for step in &mut self.run.scenario.steps {
            step.verb = call(Some(TlsOptions::default()));
        }
        self.run.scenario.pods[1] = pod("backend", Some(TlsOptions::default()));
        self
    }

    /// Client and app speak HTTP/1.1.
    pub(crate) fn with_http(mut self) -> Self {
        let script = HttpScript { version: HttpVersion::V1, requests: Vec::new(), at_once: false };
        for step in &mut self.run.scenario.steps {
            if let Verb::Talk { client, .. } = &mut step.verb {
                client.talk = Talk::Http(script.clone());
            }
        }
        let app = HttpApp { version: HttpVersion::V1, routes: Vec::new() };
        self.run.scenario.pods[1].app = Some(ServerScript::Http(app));
        self
    }

    pub(crate) fn wait(&mut self, millis: u64) {
        self.now += millis * 1_000_000;
    }

    pub(crate) fn begin(&mut self, step: &str) {
        self.see("world", Role::World, Some(step), None, Seen::StepBegan);
    }

    pub(crate) fn end(&mut self, step: &str) {
        self.see("world", Role::World, Some(step), None, Seen::StepEnded);
    }

    pub(crate) fn world(&mut self, what: &str) {
        self.world_sees(Seen::Did { what: what.into() });
    }

    pub(crate) fn world_sees(&mut self, seen: Seen) {
        self.see("world", Role::World, None, None, seen);
    }

    pub(crate) fn client(&mut self, step: &str, conn: u32, seen: Seen) {
        self.see("web", Role::Client, Some(step), Some(conn), seen);
    }

    pub(crate) fn app(&mut self, conn: u32, seen: Seen) {
        self.see("backend", Role::App, None, Some(conn), seen);
    }

    fn see(&mut self, pod: &str, role: Role, step: Option<&str>, conn: Option<u32>, seen: Seen) {
        let (at, pod, step) = (self.now, pod.into(), step.map(Into::into));
        self.run.observations.push(Observation { at, pod, role, step, conn, seen });
    }

    /// What a check may look at, at the bottom or at the end of a step.
    pub(crate) fn moment<'a>(&'a self, step: Option<&'a str>) -> Moment<'a> {
        let ended = |o: &&Observation| o.seen == Seen::StepEnded && o.step.as_deref() == step;
        let until = match step {
            Some(_) => self.run.observations.iter().find(ended).map_or(Nanos::MAX, |o| o.at),
            None => Nanos::MAX,
        };
        Moment { run: &self.run, step, until, dictionaries: &self.dictionaries, slack: Slack::NONE }
    }

    /// One whole call in step `id`: `forth` from client to app, `back` from app to client, ended by both in order.
    pub(crate) fn whole_call(&mut self, id: &str, forth: &[u8], back: &[u8]) {
        self.begin(id);
        self.client(id, 0, connected());
        self.app(0, accepted());
        self.app(0, received(forth));
        self.wait(10);
        self.client(id, 0, received(back));
        self.app(0, Seen::Ended(totals(back, forth)));
        self.wait(10);
        self.client(id, 0, Seen::Eof);
        self.client(id, 0, Seen::Ended(totals(forth, back)));
        self.end(id);
    }
}

fn call(tls: Option<TlsOptions>) -> Verb {
    Verb::Talk {
        from: "web".into(),
        to: Target::Service("backend".into()),
        client: ClientScript { tls, talk: Talk::Bytes(Script::default()), connections: 1 },
        times: 1,
        hold: false,
    }
}

fn pod(name: &str, tls: Option<TlsOptions>) -> Pod {
    Pod {
        name: name.into(),
        service: name.into(),
        within: None,
        protocol: None,
        app: Some(ServerScript::Listen { tls, turns: vec![Script::default()] }),
        proxy: ProxyKind::Default,
        identity: None,
        ready: true,
        outbounds: crate::language::Outbounds::default(),
    }
}

pub(crate) fn connected() -> Seen {
    Seen::Connected { peer: "127.0.0.1:80".into() }
}

pub(crate) fn accepted() -> Seen {
    Seen::Accepted { peer: "127.0.0.1:4000".into() }
}

pub(crate) fn received(bytes: &[u8]) -> Seen {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(64)]).into_owned();
    Seen::Received { bytes: bytes.len() as u64, head }
}

pub(crate) fn flow(bytes: &[u8]) -> Flow {
    if bytes.is_empty() {
        return Flow::default();
    }
    let head = hex::encode(&bytes[..bytes.len().min(4096)]);
    Flow { bytes: bytes.len() as u64, blake3: blake3::hash(bytes).to_hex().to_string(), head }
}

/// Totals of an end without TLS.
pub(crate) fn totals(sent: &[u8], received: &[u8]) -> Ended {
    Ended {
        end: End::Eof,
        done: true,
        wire_sent: flow(sent),
        wire_received: flow(received),
        sent: flow(sent),
        received: flow(received),
    }
}

/// The findings' arguments, in order.
pub(crate) fn whats(answer: &Answer) -> Vec<&str> {
    match answer {
        Answer::Judged(findings) => findings.iter().map(|finding| finding.what.as_str()).collect(),
        Answer::NotRun(reason) => panic!("not run: {reason}"),
    }
}

/// The only finding.
pub(crate) fn only(answer: Answer) -> Finding {
    let Answer::Judged(findings) = answer else { panic!("not run") };
    let [finding] = <[Finding; 1]>::try_from(findings).expect("one finding");
    finding
}

/// An expectation of these checks.
pub(crate) fn expectation(checks: Vec<crate::language::Check>, proves: &[&str]) -> Expectation {
    let proves = proves.iter().map(|clause| (*clause).to_owned()).collect();
    Expectation { checks, proves, level: None, line: 7, not_run: None }
}
