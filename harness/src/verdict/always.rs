//! What holds in every case without being asked for: no hang, no leak, no app that was told something else than its script expects.

use super::{AFTER_DRAIN, AlwaysVerdict, DEADLINE, Verdict};
use crate::expect::{Finding, Run, SocketCount, quiet, scene, words};
use crate::language::{Check, EndCheck, Expectation, ProxyKind, Target, Verb};
use crate::observe::observation::HttpEvent;
use crate::observe::{Observation, Role, Seen};

/// Judges all of them. `is_peers` tells the hosts of another dataplane, whose leaks are warned of: they are not those of the one that is judged.
pub(super) fn judge(run: &Run, is_peers: impl Fn(&str) -> bool) -> Vec<AlwaysVerdict> {
    let verdict = |findings: &[Finding]| if findings.is_empty() { Verdict::Pass } else { Verdict::Fail };
    let always = |name: &str, findings: Vec<Finding>| AlwaysVerdict {
        name: name.to_owned(),
        verdict: verdict(&findings),
        findings,
    };
    vec![always("no hang", hangs(run)), no_leak(run, is_peers), always("no mismatch", mismatches(run))]
}

/// Nothing is left of a sidecar that was drained. One that says itself when that is, and does not get there, is warned of.
fn no_leak(run: &Run, is_peers: impl Fn(&str) -> bool) -> AlwaysVerdict {
    let undrained = undrained(run);
    let (peers, own): (Vec<_>, Vec<_>) = leaking(run).partition(|count| is_peers(&count.host));
    let mut findings: Vec<_> = own.iter().chain(&peers).map(|count| leak(count)).collect();
    let verdict = if !own.is_empty() {
        Verdict::Fail
    } else if !undrained.is_empty() || !peers.is_empty() {
        Verdict::Warn
    } else if let Some(why) = run.observations.iter().find_map(unknown) {
        Verdict::NotRun(why)
    } else if !run.sockets.iter().any(|count| count.step.as_deref() == Some(AFTER_DRAIN)) {
        Verdict::NotRun("no sockets were counted after the drain".into())
    } else {
        Verdict::Pass
    };
    findings.extend(undrained);
    AlwaysVerdict { name: "no leak".to_owned(), verdict, findings }
}

/// Drains that did not come to their end when all had ended.
fn undrained(run: &Run) -> Vec<Finding> {
    let finding = |(index, observation): (usize, &Observation)| match &observation.seen {
        Seen::NotDrained { host, why } => {
            let what = format!("drain ({host})");
            Some(words::finding(what, "the end of its drain, with all apps gone", why, Some(index)))
        }
        _ => None,
    };
    run.observations.iter().enumerate().filter_map(finding).collect()
}

/// Why what is left of a host is not known.
fn unknown(observation: &Observation) -> Option<String> {
    match &observation.seen {
        Seen::Undrainable { host, why } | Seen::Uncounted { host, why } => Some(format!("{host}: {why}")),
        _ => None,
    }
}

/// Steps that did not end, and the deadline.
fn hangs(run: &Run) -> Vec<Finding> {
    let ended = |id: &str| {
        run.observations.iter().any(|seen| seen.seen == Seen::StepEnded && seen.step.as_deref() == Some(id))
    };
    let mut findings = Vec::new();
    for (index, observation) in run.observations.iter().enumerate() {
        match (&observation.seen, observation.step.as_deref()) {
            (Seen::StepBegan, Some(id)) if !ended(id) => {
                findings.push(words::finding(
                    "hang",
                    format!("step `{id}` to end"),
                    "it never did",
                    Some(index),
                ));
            }
            (Seen::Did { what }, _) if what == DEADLINE => {
                let found = format!("still running after {}", words::nanos(observation.at));
                findings.push(words::finding("hang", "an end before the deadline", found, Some(index)));
            }
            _ => {}
        }
    }
    findings
}

/// Counts of sockets left after the drain. Waiting out old segments is the kernel's business and no leak.
fn leaking(run: &Run) -> impl Iterator<Item = &SocketCount> {
    let left = |state: &str| !matches!(state, "TIME_WAIT" | "CLOSED");
    run.sockets
        .iter()
        .filter(|count| count.step.as_deref() == Some(AFTER_DRAIN))
        .filter(move |count| count.by_state.iter().any(|(state, n)| *n > 0 && left(state)))
}

fn leak(count: &SocketCount) -> Finding {
    let what = format!("leak ({})", count.host);
    words::finding(what, "no socket left after the drain", quiet::states(count), None)
}

/// Ends that got something else than their script expects, where no expectation reckons with it (`done: false`), and apps that got no HTTP where a
/// sidecar stands for it that it is some.
fn mismatches(run: &Run) -> Vec<Finding> {
    let mut findings: Vec<_> =
        run.observations.iter().enumerate().filter_map(|seen| no_http(run, seen)).collect();
    for (index, observation) in run.observations.iter().enumerate() {
        let Seen::Mismatch { expected, found } = &observation.seen else { continue };
        if calls_for_nothing(run, observation) {
            continue;
        }
        let reckoned_with = match observation.role {
            Role::Client => expected_stops(run, |check, nested, at_client| {
                at_client && check.step.as_deref().or(nested) == observation.step.as_deref()
            }),
            _ => expected_stops(run, |check, nested, at_client| {
                let target = || scene::target_pod(&run.scenario, check.step.as_deref().or(nested)?);
                !at_client && check.pod.as_deref().or_else(target) == Some(&observation.pod)
            }),
        };
        if !reckoned_with {
            let what = match &observation.step {
                Some(step) => format!("mismatch ({}, step {step})", observation.pod),
                None => format!("mismatch ({})", observation.pod),
            };
            findings.push(words::finding(what, expected, found, Some(index)));
        }
    }
    findings
}

/// What an app got from the sidecar before it, which speaks HTTP, and could not read. Whoever calls the app itself may send it anything.
fn no_http(run: &Run, (index, observation): (usize, &Observation)) -> Option<Finding> {
    let Seen::Http { event: HttpEvent::Malformed { what }, .. } = &observation.seen else { return None };
    let called_itself = scene::steps(&run.scenario)
        .iter()
        .any(|step| matches!(&step.verb, Verb::Talk { to: Target::App(pod), .. } if *pod == observation.pod));
    let found = format!("bytes that are no HTTP: {what}");
    (is_behind_http(run, &observation.pod) && !called_itself)
        .then(|| words::finding(format!("mismatch ({})", observation.pod), "HTTP", found, Some(index)))
}

/// Whether the sidecar of a pod must understand the HTTP that it passes on.
fn is_behind_http(run: &Run, pod: &str) -> bool {
    let pod = run.scenario.pod(pod).filter(|pod| pod.proxy == ProxyKind::Default);
    let protocol = pod.and_then(|pod| pod.protocol.as_deref());
    protocol
        .is_some_and(|protocol| ["http", "http2", "grpc"].contains(&protocol.to_ascii_lowercase().as_str()))
}

/// Whether it is an app's that is called for each request, on a connection that brought not one byte: a sidecar may open one for a request that it
/// then finds it must refuse.
fn calls_for_nothing(run: &Run, observation: &Observation) -> bool {
    let is_same = |other: &&Observation| {
        (other.role, &other.pod, other.conn) == (Role::App, &observation.pod, observation.conn)
    };
    is_behind_http(run, &observation.pod)
        && observation.role == Role::App
        && run
            .observations
            .iter()
            .filter(is_same)
            .any(|other| matches!(&other.seen, Seen::Ended(ended) if ended.wire_received.bytes == 0))
}

/// Whether an expectation says `done: false` of an end that `names` picks by check, nesting step, and whether it is the client's.
fn expected_stops(run: &Run, names: impl Fn(&EndCheck, Option<&str>, bool) -> bool) -> bool {
    let stops = |expectation: &Expectation, nested: Option<&str>| {
        expectation.checks.iter().any(|check| match check {
            Check::Client(check) => check.done == Some(false) && names(check, nested, true),
            Check::App(check) => check.done == Some(false) && names(check, nested, false),
            _ => false,
        })
    };
    run.scenario.expect.iter().any(|expectation| stops(expectation, None))
        || scene::steps(&run.scenario)
            .iter()
            .any(|step| step.expect.iter().any(|expectation| stops(expectation, Some(&step.id))))
}
