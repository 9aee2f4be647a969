//! What apps saw and what sidecars counted tell the same story. Always on: a count that is wrong shows in cases that ask for no metrics.
//!
//! Judged at rest, from one scrape of each sidecar. Only equalities that leave no room: a sidecar that crashed or drained, a client or app that
//! is scripted in bytes, traffic round a sidecar, endpoints that share a service or a sidecar take a rule away; faults, failures and retries leave only its inequality.

use super::needs::METRICS;
use super::{AlwaysVerdict, Verdict};
use crate::dataplane::declared::Declared;
use crate::expect::{Dictionaries, Finding, Run, words};
use crate::kuma::Resource;
use crate::language::{ProxyKind, Scenario};
use crate::observe::dictionary::DictionaryError;
use books::{Books, Call, Way};

mod books;
#[cfg(test)]
mod tests;

/// Its name in reports.
pub(super) const NAME: &str = "agree";

/// Signals, by their names in dictionaries.
const REQUESTS: &str = "http.requests";
const ATTEMPTS: &str = "upstream.requests";
const RETRIES: &str = "http.upstream.retries";
const CONNECTIONS: &str = "tcp.connections";

/// Compares the books of a run. Not run where a sidecar shows none or the dictionary lacks a signal that a rule needs; a dataplane that declares
/// metrics must show them.
pub(super) fn judge(run: &Run, dictionaries: &Dictionaries, declared: &Declared) -> AlwaysVerdict {
    let books = Books::of(run, dictionaries);
    let mut findings = Vec::new();
    let mut unread = None;
    for (pod, why) in books.unread() {
        let is_own = !dictionaries.is_of_peer(&run.scenario, pod);
        if is_own && declared.offers(METRICS) && why != books::NOTHING {
            let what = format!("metrics ({pod}.proxy)");
            findings.push(words::finding(what, "metrics, at rest, of a sidecar that runs", why, None));
        }
        unread.get_or_insert(format!("{pod}.proxy shows no metrics: {why}"));
    }
    let mut lacking = None;
    let mut note = |answer: Result<Option<Finding>, DictionaryError>| match answer {
        Ok(finding) => findings.extend(finding),
        Err(error) => {
            lacking.get_or_insert(error);
        }
    };
    for step in books.steps() {
        note(Ok(answers(&books, step)));
    }
    if !names_services_itself(&run.scenario) {
        for pod in run.scenario.pods.iter().filter(|pod| books.is_alive(&pod.name)) {
            let pod = pod.name.as_str();
            note(requests_of_caller(&books, pod));
            if !books.is_alone(pod) {
                continue;
            }
            note(requests_to_app(&books, pod));
            note(requests_between(&books, pod));
            note(connections_to_app(&books, pod));
        }
    }
    let verdict = match lacking {
        _ if !findings.is_empty() => Verdict::Fail,
        Some(error) => Verdict::NotRun(format!("dictionary: {error}")),
        None => unread.map_or(Verdict::Pass, Verdict::NotRun),
    };
    AlwaysVerdict { name: NAME.to_owned(), verdict, findings }
}

/// Whether resources that are taken verbatim may change which service speaks what.
fn names_services_itself(scenario: &Scenario) -> bool {
    scenario.resources.iter().any(|text| Resource::read(text).names_services())
}

/// A client gets no more answers than it made requests.
fn answers(books: &Books<'_>, step: &str) -> Option<Finding> {
    let exchanges: Vec<_> = books.exchanges_of(step).collect();
    let requests: u64 = exchanges.iter().map(|exchange| exchange.requests).sum();
    let answers: u64 = exchanges.iter().map(|exchange| exchange.answers).sum();
    let most = format!("at most {requests}, as many as it made requests");
    (answers > requests)
        .then(|| words::finding(format!("answers (step {step})"), most, answers.to_string(), None))
}

/// A sidecar that is only called through counts the requests that its pod's clients made. One that was not answered, or refused unread, may
/// be missing.
fn requests_of_caller(books: &Books<'_>, pod: &str) -> Result<Option<Finding>, DictionaryError> {
    let calls: Vec<_> = books.calls_through(pod).collect();
    let to_http = |call: &&&Call<'_>| books.speaks_http(call.to);
    if books.calls_to(pod).next().is_some()
        || !calls.iter().any(|call| to_http(&call))
        || calls.iter().any(|call| !books.is_counted(call))
    {
        return Ok(None);
    }
    let exchanges = || calls.iter().filter(to_http).flat_map(|call| books.exchanges_of(call.step));
    let made: u64 = exchanges().map(|exchange| exchange.requests).sum();
    let sure = exchanges().filter(|exchange| exchange.was_read()).count() as u64;
    let counted = books.value(pod, REQUESTS)?;
    let expected = format!("{}, as many as clients of {pod} made", between(sure, made));
    Ok(unless((sure..=made).contains(&counted), pod, REQUESTS, expected, counted))
}

/// A sidecar that only serves made the requests that its app saw, and no other if all went well.
fn requests_to_app(books: &Books<'_>, pod: &str) -> Result<Option<Finding>, DictionaryError> {
    if !books.speaks_http(pod)
        || !books.app_is_counted(pod)
        || books.calls_through(pod).next().is_some()
        || books.calls_to(pod).any(|call| call.way == Way::App)
    {
        return Ok(None);
    }
    let seen = books.requests_at_app(pod);
    let counted = books.value(pod, ATTEMPTS)?;
    let exact = books.went_well(pod, RETRIES)?;
    let holds = if exact { counted == seen } else { counted >= seen };
    let most = if exact { seen } else { u64::MAX };
    let expected = format!("{}, as many as the app of {pod} saw", between(seen, most));
    Ok(unless(holds, pod, ATTEMPTS, expected, counted))
}

/// A sidecar that only serves was asked what its callers' sidecars say they asked it, and no more.
fn requests_between(books: &Books<'_>, pod: &str) -> Result<Option<Finding>, DictionaryError> {
    if !books.speaks_http(pod) || books.calls_through(pod).next().is_some() {
        return Ok(None);
    }
    let calls: Vec<_> = books.calls_to(pod).filter(|call| call.way != Way::App).collect();
    let mut asked = 0;
    let mut callers: Vec<&str> = Vec::new();
    for call in &calls {
        match call.way {
            Way::Direct if books.is_counted(call) => {
                asked += books.exchanges_of(call.step).map(|exchange| exchange.requests).sum::<u64>();
            }
            Way::Sidecar if books.calls_nobody_but(call.from, pod) => callers.push(call.from),
            _ => return Ok(None),
        }
    }
    callers.sort_unstable();
    callers.dedup();
    for caller in &callers {
        asked += books.value(caller, ATTEMPTS)?;
    }
    let counted = books.value(pod, REQUESTS)?;
    let exact = books.went_well(pod, RETRIES)?;
    let holds = if exact { counted == asked } else { counted <= asked };
    let least = if exact { asked } else { 0 };
    let expected = format!("{}, as many as its callers and their sidecars sent it", between(least, asked));
    Ok(unless(holds, pod, REQUESTS, expected, counted))
}

/// A sidecar before an opaque app that only serves counted each connection that the app accepted; if all of its clients' got there, no other.
fn connections_to_app(books: &Books<'_>, pod: &str) -> Result<Option<Finding>, DictionaryError> {
    if !books.is_opaque(pod)
        || books.calls_through(pod).next().is_some()
        || books.calls_to(pod).any(|call| call.way == Way::App)
    {
        return Ok(None);
    }
    let accepted = books.connections_at_app(pod);
    let counted = books.value(pod, CONNECTIONS)?;
    let exact = !books.has_faults() && books.connections_to(pod) == accepted;
    let holds = if exact { counted == accepted } else { counted >= accepted };
    let most = if exact { accepted } else { u64::MAX };
    let expected = format!("{}, as many as the app of {pod} accepted", between(accepted, most));
    Ok(unless(holds, pod, CONNECTIONS, expected, counted))
}

fn unless(holds: bool, pod: &str, signal: &str, expected: String, counted: u64) -> Option<Finding> {
    let found = format!("{counted} counted at {pod}.proxy");
    (!holds).then(|| words::finding(format!("{signal} ({pod}.proxy)"), expected, found, None))
}

/// A range in words.
fn between(least: u64, most: u64) -> String {
    match (least, most) {
        (least, most) if least == most => least.to_string(),
        (least, u64::MAX) => format!("at least {least}"),
        (0, most) => format!("at most {most}"),
        (least, most) => format!("{least} to {most}"),
    }
}

/// Whether a sidecar stands beside a pod.
fn has_sidecar(scenario: &Scenario, pod: &str) -> bool {
    scenario.pod(pod).is_some_and(|pod| pod.proxy == ProxyKind::Default)
}
