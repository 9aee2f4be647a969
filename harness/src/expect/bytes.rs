//! `bytes`: what one end wrote to its socket against what the other end read from its own.

use super::app::unfinished;
use super::scene::{self, Connection};
use super::words::finding;
use super::{Answer, Finding, Moment};
use crate::language::Verb;
use crate::language::{BytesCheck, Sameness};
use crate::observe::observation::{Ended, Flow};

/// Totals of one connection, and where they were seen.
type Totals<'a> = (usize, &'a Ended);

impl BytesCheck {
    /// Judges the connections of the step, from their begin to their end in whatever step: those of a step that goes on with held ones are
    /// the first step's. Both ends' connections are paired by what passed, for a proxy may keep another order.
    #[must_use]
    pub fn judge(&self, moment: &Moment<'_>) -> Answer {
        let scenario = &moment.run.scenario;
        let Some(id) = self.step.as_deref().or(moment.step) else {
            return Answer::Judged(vec![finding("bytes.step", "a step", "none named", None)]);
        };
        if let Some(missing) = unfinished(moment, "bytes", id) {
            return Answer::Judged(vec![missing]);
        }
        let Some(pod) = scene::target_pod(scenario, id) else {
            return Answer::Judged(vec![finding("bytes.step", "a step that calls a pod", id, None)]);
        };
        let opener = scene::opener(scenario, id);
        let mut findings = Vec::new();
        let clients = client_totals(moment, opener, &mut findings);
        let apps = app_totals(&scene::app_connections(moment, pod, Some(opener)), &mut findings);
        if clients.is_empty() && findings.is_empty() {
            findings.push(finding("bytes", "a connection of the client", "none", None));
        }
        if findings.is_empty() {
            self.nothing(&clients, &apps, &mut findings);
            self.identical(&clients, apps, &mut findings);
        }
        Answer::Judged(findings)
    }

    /// `nothing`: not one byte arrived.
    fn nothing(&self, clients: &[Totals<'_>], apps: &[Totals<'_>], findings: &mut Vec<Finding>) {
        let mut none = |what: &str, ends: &[Totals<'_>]| {
            for (index, ended) in ends.iter().filter(|(_, ended)| ended.wire_received.bytes > 0) {
                findings.push(finding(what, "nothing", flow(&ended.wire_received), Some(*index)));
            }
        };
        if self.app_got == Some(Sameness::Nothing) {
            none("bytes.app_got", apps);
        }
        if self.client_got == Some(Sameness::Nothing) {
            none("bytes.client_got", clients);
        }
    }

    /// `identical`: each client connection has an app connection of its own whose flows are the same.
    fn identical(&self, clients: &[Totals<'_>], apps: Vec<Totals<'_>>, findings: &mut Vec<Finding>) {
        let forth = self.app_got == Some(Sameness::Identical);
        let back = self.client_got == Some(Sameness::Identical);
        if !forth && !back {
            return;
        }
        let same = |client: &Ended, app: &Ended| {
            (!forth || alike(&client.wire_sent, &app.wire_received))
                && (!back || alike(&app.wire_sent, &client.wire_received))
        };
        let mut free = apps;
        let mut unpaired = Vec::new();
        for client in clients {
            match free.iter().position(|app| same(client.1, app.1)) {
                Some(found) => {
                    free.remove(found);
                }
                None => unpaired.push(*client),
            }
        }
        let mut free = free.into_iter();
        for (index, client) in unpaired {
            let Some((at, app)) = free.next() else {
                findings.push(finding(
                    "bytes",
                    "a connection of the app for each of the client",
                    "none",
                    Some(index),
                ));
                continue;
            };
            if forth && !alike(&client.wire_sent, &app.wire_received) {
                findings.push(differ("bytes.app_got", &client.wire_sent, &app.wire_received, at));
            }
            if back && !alike(&app.wire_sent, &client.wire_received) {
                findings.push(differ("bytes.client_got", &app.wire_sent, &client.wire_received, index));
            }
        }
        for (at, app) in free {
            let found = format!("one more, which got {}", flow(&app.wire_received));
            findings.push(finding(
                "bytes",
                "a connection of the client for each of the app",
                found,
                Some(at),
            ));
        }
    }
}

/// The client's totals: the last ones, when later steps went on with a connection.
fn client_totals<'a>(moment: &Moment<'a>, opener: &'a str, findings: &mut Vec<Finding>) -> Vec<Totals<'a>> {
    let scenario = &moment.run.scenario;
    let later: Vec<_> = scene::steps(scenario)
        .into_iter()
        .filter(|step| matches!(step.verb, Verb::GoOn { .. }) && scene::opener(scenario, &step.id) == opener)
        .flat_map(|step| scene::client_connections(moment, &step.id))
        .collect();
    let mut totals = Vec::new();
    for first in scene::client_connections(moment, opener).iter().filter(|connection| connection.stood()) {
        let last = later.iter().rfind(|connection| connection.number == first.number).unwrap_or(first);
        match last.ended() {
            Some(ended) => totals.push(ended),
            None => findings.push(still_open("client", last)),
        }
    }
    totals
}

fn app_totals<'a>(connections: &[Connection<'a>], findings: &mut Vec<Finding>) -> Vec<Totals<'a>> {
    let mut totals = Vec::new();
    for connection in connections {
        match connection.ended() {
            Some(ended) => totals.push(ended),
            None => findings.push(still_open("app", connection)),
        }
    }
    totals
}

fn still_open(side: &str, connection: &Connection<'_>) -> Finding {
    let what = format!("bytes ({side}'s connection {})", connection.number);
    finding(what, "the connection to end, for its totals", "still open", connection.last())
}

/// Whether two flows are the same, by length and digest.
fn alike(a: &Flow, b: &Flow) -> bool {
    a.bytes == b.bytes && a.blake3 == b.blake3
}

fn differ(what: &str, sent: &Flow, got: &Flow, at: usize) -> Finding {
    let heads = sent.head.as_bytes().iter().zip(got.head.as_bytes());
    let first = heads.take_while(|(a, b)| a == b).count() / 2;
    let expected = format!("identical: {}", flow(sent));
    let compared = (sent.head.len().min(got.head.len())) / 2;
    let place = if first < compared { format!(", differs at byte {first}") } else { String::new() };
    finding(what, expected, format!("{}{place}", flow(got)), Some(at))
}

/// A flow in words.
fn flow(flow: &Flow) -> String {
    match flow.bytes {
        0 => "nothing".into(),
        bytes => format!("{bytes} bytes, blake3 {}…", flow.blake3.get(..12).unwrap_or(&flow.blake3)),
    }
}

#[cfg(test)]
mod tests;
