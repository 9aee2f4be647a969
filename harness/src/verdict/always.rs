//! What holds in every case without being asked for: no hang, no leak, no app that was told something else than its script expects.

use super::{AFTER_DRAIN, AlwaysVerdict, DEADLINE, Verdict};
use crate::expect::{Finding, Run, quiet, scene, words};
use crate::language::{Check, EndCheck, Expectation};
use crate::observe::{Observation, Role, Seen};

/// Judges all of them.
pub(super) fn judge(run: &Run) -> Vec<AlwaysVerdict> {
    let verdict = |findings: &[Finding]| if findings.is_empty() { Verdict::Pass } else { Verdict::Fail };
    let always = |name: &str, findings: Vec<Finding>| AlwaysVerdict {
        name: name.to_owned(),
        verdict: verdict(&findings),
        findings,
    };
    vec![always("no hang", hangs(run)), no_leak(run), always("no mismatch", mismatches(run))]
}

/// Nothing is left of a sidecar that was drained. One that says itself when that is, and does not get there, is warned of.
fn no_leak(run: &Run) -> AlwaysVerdict {
    let undrained = undrained(run);
    let mut findings = leaks(run);
    let verdict = if !findings.is_empty() {
        Verdict::Fail
    } else if !undrained.is_empty() {
        Verdict::Warn
    } else if let Some(why) = run.observations.iter().find_map(cannot_be_drained) {
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

fn cannot_be_drained(observation: &Observation) -> Option<String> {
    match &observation.seen {
        Seen::Undrainable { host, why } => Some(format!("{host}: {why}")),
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

/// Sockets left after the drain. Waiting out old segments is the kernel's business and no leak.
fn leaks(run: &Run) -> Vec<Finding> {
    let left = |state: &str| !matches!(state, "TIME_WAIT" | "CLOSED");
    run.sockets
        .iter()
        .filter(|count| count.step.as_deref() == Some(AFTER_DRAIN))
        .filter(|count| count.by_state.iter().any(|(state, n)| *n > 0 && left(state)))
        .map(|count| {
            let what = format!("leak ({})", count.host);
            words::finding(what, "no socket left after the drain", quiet::states(count), None)
        })
        .collect()
}

/// Ends that got something else than their script expects, where no expectation reckons with it (`done: false`).
fn mismatches(run: &Run) -> Vec<Finding> {
    let mut findings = Vec::new();
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

/// Whether it is an app's that is called for each request, on a connection that brought not one byte: a sidecar may open one for a request that it
/// then finds it must refuse.
fn calls_for_nothing(run: &Run, observation: &Observation) -> bool {
    let is_same = |other: &&Observation| {
        (other.role, &other.pod, other.conn) == (Role::App, &observation.pod, observation.conn)
    };
    let speaks_http = run.scenario.pod(&observation.pod).and_then(|pod| pod.protocol.as_deref());
    speaks_http.is_some_and(|protocol| ["http", "http2", "grpc"].contains(&protocol))
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
