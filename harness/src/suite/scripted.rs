//! `--peer scripted`: the harness itself on the other side of each call, in place of the sidecars beside pods that are only called.
//!
//! Such a pod's app stands at its inbound address and speaks what a sidecar there would: mesh TLS if the mesh has it, and HTTP/2 for HTTP. What
//! only a sidecar can show (its metrics, its way to the app, what it makes of a request) is *not run* then.

use super::Party;
use crate::expect::{steps, target_pod};
use crate::kuma::Resource;
use crate::language::http::{Act, HttpApp, HttpVersion};
use crate::language::{
    Check, EndCheck, Expectation, Fault, HttpCheck, Link, Mtls, Pod, PodIdentity, ProxyKind, Scenario,
    ServerScript, Step, Target, Verb, World,
};

/// The peer that is the harness.
pub const SCRIPTED: &str = "scripted";

impl Party {
    /// The harness.
    #[must_use]
    pub fn scripted() -> Self {
        Self { name: SCRIPTED.to_owned(), version: None, path: None }
    }
}

/// Protocols whose requests a sidecar understands.
const REQUESTS: [&str; 3] = ["http", "http2", "grpc"];

/// The same case, with the harness in place of the sidecars that the peer would be.
///
/// # Errors
/// It is about what the harness is not in such a place: why, in words.
pub fn stand_in(scenario: &Scenario, world: World) -> Result<Scenario, String> {
    let own = |pod: &&Pod| pod.proxy == ProxyKind::Default && pod.within.is_none();
    let peers: Vec<&Pod> =
        scenario.pods.iter().filter(own).filter(|pod| !scenario.calls(&pod.name)).collect();
    if peers.is_empty() {
        return Err("no pod with a sidecar is only called".to_owned());
    }
    if let Some(allowed) = &scenario.mesh.permissions {
        return Err(format!("a scripted peer lets everybody in, and only {} may call", allowed.join(", ")));
    }
    let resources = || scenario.resources.iter().map(|text| Resource::read(text));
    if resources().any(|resource| resource.is_for_inbounds() || resource.names_services()) {
        return Err("its resources are for the sidecar that the harness stands in for".to_owned());
    }
    peers.iter().try_for_each(|pod| can_stand_in(scenario, pod))?;
    let peers: Vec<String> = peers.into_iter().map(|pod| pod.name.clone()).collect();
    let mut meant = scenario.clone();
    for pod in meant.pods.iter_mut().filter(|pod| peers.contains(&pod.name)) {
        replace(pod, scenario.mesh.mtls);
    }
    let peers = Peers { scenario, world, names: peers };
    peers.steps(&mut meant.steps)?;
    peers.expectations(&mut meant.expect, None);
    Ok(meant)
}

fn speaks_requests(pod: &Pod) -> bool {
    pod.protocol.as_deref().is_some_and(|protocol| REQUESTS.contains(&protocol))
}

fn can_stand_in(scenario: &Scenario, pod: &Pod) -> Result<(), String> {
    let name = &pod.name;
    if scenario.pods.iter().any(|other| other.within.as_ref() == Some(name)) {
        return Err(format!("a scripted peer stands before one app, and `{name}` has more"));
    }
    if let Some(caller) = stranger(&scenario.steps, scenario, name) {
        return Err(format!("`{caller}` calls `{name}` without a sidecar of the dataplane"));
    }
    match &pod.app {
        Some(ServerScript::Refuse) if speaks_requests(pod) => {
            Err(format!("nobody listens at `{name}`, which its sidecar would tell its caller"))
        }
        Some(ServerScript::Listen { .. }) if speaks_requests(pod) => {
            Err(format!("the app of `{name}` is scripted in bytes, which between sidecars are HTTP/2"))
        }
        Some(ServerScript::Http(app)) if speaks_requests(pod) && is_bad_company(app) => Err(format!(
            "the app of `{name}` ends its connections, or reads nothing, which a sidecar makes up for"
        )),
        _ => Ok(()),
    }
}

/// Somebody who calls a pod and has no sidecar of the dataplane.
fn stranger<'a>(steps: &'a [Step], scenario: &Scenario, called: &str) -> Option<&'a str> {
    let has_own = |pod: &str| scenario.pod(pod).is_some_and(|pod| pod.proxy == ProxyKind::Default);
    steps.iter().find_map(|step| match &step.verb {
        Verb::Talk { from, to: Target::Service(to), .. } => {
            (to == called && !has_own(from)).then_some(from.as_str())
        }
        Verb::Parallel(inner) => stranger(inner, scenario, called),
        _ => None,
    })
}

/// Whether an app's connection is of no use to others any more.
fn is_bad_company(app: &HttpApp) -> bool {
    let mut acts = app.routes.iter().flat_map(|route| &route.answers).map(|answer| &answer.act);
    acts.any(|act| match act {
        Act::Respond(response) => response.cut.is_some() || response.early,
        Act::Close | Act::Reset | Act::Stall => true,
    })
}

/// The app of a pod comes to its inbound address, as itself.
fn replace(pod: &mut Pod, mtls: Mtls) {
    pod.proxy = ProxyKind::Scripted;
    pod.identity = (mtls == Mtls::Strict).then(|| PodIdentity::Service(pod.service.clone()));
    let speaks_requests = speaks_requests(pod);
    if let Some(ServerScript::Http(app)) = &mut pod.app
        && speaks_requests
    {
        app.version = HttpVersion::V2;
    }
}

/// Pods whose sidecar the harness is.
struct Peers<'a> {
    scenario: &'a Scenario,
    world: World,
    names: Vec<String>,
}

impl Peers<'_> {
    fn are_sidecar(&self, host: &str) -> bool {
        host.strip_suffix(".proxy").is_some_and(|pod| self.have(pod))
    }

    fn have(&self, pod: &str) -> bool {
        self.names.iter().any(|name| name == pod)
    }

    fn steps(&self, steps: &mut [Step]) -> Result<(), String> {
        for step in steps {
            self.verb(&mut step.verb).map_err(|why| format!("step `{}` {why}", step.id))?;
            self.expectations(&mut step.expect, Some(&step.id));
        }
        Ok(())
    }

    fn verb(&self, verb: &mut Verb) -> Result<(), String> {
        match verb {
            Verb::Talk { to: Target::Inbound(pod) | Target::App(pod), .. } if self.have(pod) => {
                Err("goes round the caller's sidecar".to_owned())
            }
            Verb::Proxy { pod, .. } if self.have(pod) => Err(format!("is about the sidecar of `{pod}`")),
            // Kernels take calls to apps of this process by themselves, at once.
            Verb::Fault(Fault { link, .. }) | Verb::Heal(link)
                if self.world == World::Live
                    && (self.are_sidecar(&link.from) || self.are_sidecar(&link.to)) =>
            {
                Err(format!("is about {link}, which leads to the harness; in the simulator it is played"))
            }
            Verb::Fault(Fault { link, .. }) | Verb::Heal(link) => {
                let told = format!("is about {link}");
                self.link(link).then_some(()).ok_or(told)
            }
            Verb::Parallel(inner) => self.steps(inner),
            _ => Ok(()),
        }
    }

    /// Names a link as it is now: the pod is its own sidecar. `false`: there is no such link any more.
    fn link(&self, link: &mut Link) -> bool {
        let Link { from, to } = link;
        for (one, other) in [(&*from, &*to), (&*to, &*from)] {
            if self.are_sidecar(one) && one.strip_suffix(".proxy") == Some(other) {
                return false;
            }
        }
        for host in [from, to] {
            if self.are_sidecar(host) {
                host.truncate(host.len() - ".proxy".len());
            }
        }
        true
    }

    /// Whether something breaks connections with mesh TLS.
    fn ends_badly(&self) -> bool {
        let breaks = |step: &&Step| matches!(step.verb, Verb::Fault(_) | Verb::Proxy { .. });
        self.scenario.mesh.mtls == Mtls::Strict && steps(self.scenario).iter().any(breaks)
    }

    fn expectations(&self, expectations: &mut [Expectation], nest: Option<&str>) {
        for expectation in expectations {
            let cannot = expectation.checks.iter_mut().find_map(|check| self.cannot(check, nest));
            expectation.not_run = cannot.map(|why| format!("{why}, and the peer is the harness"));
        }
    }

    /// Why a check cannot be judged; those that can be are made to fit.
    fn cannot(&self, check: &mut Check, nest: Option<&str>) -> Option<String> {
        match check {
            Check::Metrics(check) if self.are_sidecar(&check.at) => {
                Some(format!("it is about metrics of {}", check.at))
            }
            Check::Quiet(check) => {
                let host = check.at.iter().find(|host| self.are_sidecar(host))?;
                Some(format!("it is about sockets of {host}"))
            }
            Check::Wire(check) => {
                let told = format!("it is about {}", check.link);
                let certified = !check.server_uris.is_empty();
                (!self.link(&mut check.link) || certified).then_some(told)
            }
            Check::App(check) => {
                let called = || target_pod(self.scenario, check.step.as_deref().or(nest)?);
                let pod = check.pod.as_deref().or_else(called)?;
                let requests = self.scenario.pod(pod).is_some_and(speaks_requests);
                // Its end is that of mesh TLS, and comes when the caller's sidecar gives up.
                let ends = check.ended.is_some() || check.end.is_some() && self.ends_badly();
                (self.have(pod) && (ends || requests && !is_of_any_hop(check)))
                    .then(|| format!("it is about the way from {pod}.proxy to {pod}"))
            }
            _ => None,
        }
    }
}

/// Whether what an app must have seen is the same wherever on their way requests are looked at.
fn is_of_any_hop(check: &EndCheck) -> bool {
    let HttpCheck { requests, method, path, body, whole, wholes, status, statuses, answers, .. } =
        check.http.clone();
    let http = HttpCheck {
        requests,
        method,
        path,
        body,
        whole,
        wholes,
        status,
        statuses,
        answers,
        ..HttpCheck::default()
    };
    let EndCheck { pod, step, done, .. } = check.clone();
    *check == EndCheck { pod, step, done, http, ..EndCheck::default() }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn case(text: &str) -> Scenario {
        let text = format!("about: A case.\n{text}");
        crate::scenario::parse("x", Path::new("x.yaml"), &text)
            .unwrap_or_else(|wrong| panic!("{wrong}"))
            .remove(0)
    }

    const CALL: &str = "steps:\n  - {id: call, from: web, to: backend, http: {get: /}}\n";
    const HTTP: &str = "  backend: {protocol: http, app: {http: {\"*\": {body: ok}}}}\n";

    #[test]
    fn an_app_stands_where_its_sidecar_stood() {
        let expect = "expect:\n  - {client: {step: call, status: 200}, app: {step: call, requests: 1}, proves: [HTTP-1]}\n\
                      \x20 - {app: {step: call, headers: {x-a: b}}, proves: [HTTP-1]}\n\
                      \x20 - {wire: {link: web.proxy->backend.proxy, outer: mesh-tls}, proves: [HTTP-1]}\n\
                      \x20 - {metrics: {at: backend.proxy, http.requests: 1}, proves: [HTTP-1]}\n\
                      \x20 - {metrics: {at: web.proxy, http.requests: 1}, proves: [HTTP-1]}\n";
        let written = case(&format!("mesh: {{mtls: strict}}\npods:\n  web: {{}}\n{HTTP}{CALL}{expect}"));
        let meant = stand_in(&written, World::Live).expect("a case for it");
        let pod = meant.pod("backend").expect("the pod");
        assert_eq!(
            (pod.proxy, &pod.identity),
            (ProxyKind::Scripted, &Some(PodIdentity::Service("backend".into())))
        );
        let Some(ServerScript::Http(app)) = &pod.app else { panic!("{pod:?}") };
        assert_eq!(app.version, HttpVersion::V2);
        let judged: Vec<bool> = meant.expect.iter().map(|one| one.not_run.is_none()).collect();
        assert_eq!(judged, [true, false, true, false, true]);
        let Check::Wire(wire) = &meant.expect[2].checks[0] else { panic!("{:?}", meant.expect[2]) };
        assert_eq!(wire.link.to_string(), "web.proxy->backend");
        assert_eq!(meant.pod("web").map(|pod| pod.proxy), Some(ProxyKind::Default));
    }

    #[test]
    fn what_the_harness_is_not_is_not_played() {
        let raw = "  backend: {protocol: http, app: {raw: [{send: x}]}}\n";
        let stall = "  backend: {protocol: http, app: {http: {\"*\": stall}}}\n";
        for (pods, mesh, more, why) in [
            (raw, "mtls: disabled", "", "scripted in bytes"),
            (stall, "mtls: disabled", "", "reads nothing"),
            (HTTP, "{mtls: strict, permissions: [web]}", "", "lets everybody in"),
            (HTTP, "mtls: disabled", "  - {proxy: {pod: backend, do: crash}}\n", "the sidecar of `backend`"),
            (
                HTTP,
                "mtls: disabled",
                "  - {id: round, from: web, to: backend.app, http: {get: /}}\n",
                "goes round",
            ),
            (HTTP, "mtls: disabled", "  - {heal: backend.proxy->backend}\n", "backend.proxy->backend"),
            (
                HTTP,
                "mtls: disabled",
                "  - {id: back, from: backend, to: backend, http: {get: /}}\n",
                "no pod",
            ),
        ] {
            let mesh = if mesh.starts_with('{') { mesh.to_owned() } else { format!("{{{mesh}}}") };
            let text = format!("mesh: {mesh}\npods:\n  web: {{}}\n{pods}{CALL}{more}");
            let told = stand_in(&case(&text), World::Sim).expect_err(&text);
            assert!(told.contains(why), "{told}");
        }
        let slow = "  - {fault: {link: web.proxy->backend.proxy, latency: 5ms}}\n";
        let slow = case(&format!("mesh: {{mtls: strict}}\npods:\n  web: {{}}\n{HTTP}{CALL}{slow}"));
        assert!(stand_in(&slow, World::Sim).is_ok());
        assert!(stand_in(&slow, World::Live).expect_err("a fault").contains("leads to the harness"));
    }
}
