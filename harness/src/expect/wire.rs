//! `wire`: what connections over a link are, read from their packets.

mod http;
mod view;

use std::time::Duration;

use super::metrics::describe;
use super::{Answer, Finding, Moment, Run};
use crate::language::value::Count;
use crate::language::value::Match;
use crate::language::{Check, Link, Scenario, WireCheck};
use crate::observe::wire::WireConnection;
use crate::observe::{Nanos, Role, Seen};
use view::{Unknown, View};

/// What one argument says of one connection: nothing wrong, what was found instead, or why that can't be told.
type Verdict = Result<Option<String>, Unknown>;

/// The links that a scenario looks at, as it names them.
pub(crate) fn looked_at(scenario: &Scenario) -> Vec<Link> {
    let checks = scenario.expectations().into_iter().flat_map(|expectation| &expectation.checks);
    let wire = checks.filter_map(|check| match check {
        Check::Wire(wire) => Some(wire.link.clone()),
        _ => None,
    });
    wire.collect()
}

impl WireCheck {
    /// Judges the connections that the link's first host opened to its second.
    #[must_use]
    pub fn judge(&self, moment: &Moment<'_>) -> Answer {
        let (from, to) = match self.window(moment) {
            Ok(window) => window,
            Err(why) => return Answer::NotRun(why),
        };
        let over_link = || moment.run.wire.iter().filter(|connection| connection.link == self.link);
        let tried: Vec<_> =
            over_link().filter(|connection| (from..=to).contains(&connection.opened)).collect();
        let established: Vec<_> = tried.iter().copied().filter(|connection| connection.established).collect();
        let mut judging = Judging::default();

        let total =
            |bytes: fn(&WireConnection) -> u64| established.iter().map(|connection| bytes(connection)).sum();
        if self.may_miss_refused(moment.run, tried.len() as u64) {
            return Answer::NotRun("refused calls leave no trace in this world".to_owned());
        }
        judging.count("wire.attempts", self.attempts.as_ref(), tried.len() as u64);
        judging.count("wire.connections", self.connections.as_ref(), established.len() as u64);
        judging.count("wire.bytes", self.bytes.as_ref(), total(|connection| connection.bytes));
        judging.count("wire.bytes_back", self.bytes_back.as_ref(), total(|connection| connection.bytes_back));

        let earlier: Vec<_> = over_link().filter(|connection| connection.established).collect();
        let views: Vec<_> = established.iter().map(|connection| View::new(connection, &earlier)).collect();
        self.each_connection(&views, &mut judging);
        self.exchanges(moment, &views, &mut judging);
        match judging.answer() {
            Answer::NotRun(why) => Answer::NotRun(self.with_lost_secrets(moment.run, why)),
            judged => judged,
        }
    }

    /// What was not read, with why a sidecar at the link did not tell its secrets, if one did not.
    fn with_lost_secrets(&self, run: &Run, why: String) -> String {
        let lost = run.observations.iter().find_map(|observation| match &observation.seen {
            Seen::SecretsLost { host, why } if *host == self.link.from || *host == self.link.to => {
                Some(format!("{host}: {why}"))
            }
            _ => None,
        });
        lost.into_iter().fold(why, |why, lost| format!("{why} ({lost})"))
    }

    /// Whether attempts are missing that may have been made all the same.
    fn may_miss_refused(&self, run: &Run, tried: u64) -> bool {
        let misses = self.attempts.as_ref().is_some_and(|wanted| {
            !wanted.allows(Some(tried))
                && (tried..=tried.saturating_add(64)).any(|more| wanted.allows(Some(more)))
        });
        misses && run.observations.iter().any(|observation| observation.seen == Seen::RefusedUnseen)
    }

    /// When connections that count were opened, both ends included: steps share no instant.
    fn window(&self, moment: &Moment<'_>) -> Result<(Nanos, Nanos), String> {
        let Some(step) = &self.step else { return Ok((0, moment.until)) };
        let when = |seen: &Seen| {
            let of_step = |o: &&crate::observe::Observation| {
                o.role == Role::World && o.step.as_ref() == Some(step) && o.seen == *seen
            };
            moment.run.observations.iter().find(of_step).map(|observation| observation.at)
        };
        let began = when(&Seen::StepBegan).ok_or_else(|| format!("step `{step}` never began"))?;
        Ok((began, when(&Seen::StepEnded).unwrap_or(moment.until).min(moment.until)))
    }

    /// Judges the arguments that each connection must satisfy.
    fn each_connection(&self, views: &[View<'_>], judging: &mut Judging) {
        let mut text = |what, wanted: Option<&Match<String>>, value: fn(&View<'_>) -> view::Text| {
            if let Some(wanted) = wanted {
                judging.each(what, expected(wanted), views, |view| match_text(view, wanted, value(view)));
            }
        };
        text("wire.version", self.version.as_ref(), |view| view.version());
        text("wire.sni", self.sni.as_ref(), |view| view.sni());
        text("wire.alpn", self.alpn.as_ref(), |view| view.alpn());
        text("wire.inner_sni", self.inner_sni.as_ref(), |view| view.inner_sni());
        text("wire.inner_alpn", self.inner_alpn.as_ref(), |view| view.inner_alpn());
        if let Some(wanted) = &self.outer {
            judging.each("wire.outer", expected(wanted), views, |view| view.outer(wanted));
        }
        if let Some(wanted) = &self.inner {
            judging.each("wire.inner", expected(wanted), views, |view| view.inner(wanted));
        }
        if !self.client_uris.is_empty() {
            let wanted = &self.client_uris;
            judging.each("wire.client_uris", wanted.join(", "), views, |view| view.client_uris(wanted));
        }
        if !self.server_uris.is_empty() {
            let wanted = &self.server_uris;
            judging.each("wire.server_uris", wanted.join(", "), views, |view| view.server_uris(wanted));
        }
        if let Some(wanted) = self.lifetime {
            let expected = format!("certificates valid for {:?} to {:?}", wanted.from, wanted.to);
            judging.each("wire.lifetime", expected, views, |view| view.lifetime(wanted));
        }
    }
}

/// Findings, and reasons why something could not be judged.
#[derive(Default)]
struct Judging {
    findings: Vec<Finding>,
    unknown: Option<Unknown>,
}

impl Judging {
    fn count(&mut self, what: &str, wanted: Option<&Count>, found: u64) {
        if let Some(wanted) = wanted.filter(|wanted| !wanted.allows(Some(found))) {
            self.finding(what, describe(wanted), found.to_string());
        }
    }

    /// Judges one argument for all connections; one finding tells of the first that is not as expected, and of how many are not.
    fn each(
        &mut self,
        what: &str,
        expected: String,
        views: &[View<'_>],
        judge: impl Fn(&View<'_>) -> Verdict,
    ) {
        if views.is_empty() {
            self.finding(what, expected, "no connection crossed the link".to_owned());
            return;
        }
        let mut wrong = 0;
        let mut first = None;
        for view in views {
            match judge(view) {
                Ok(None) => {}
                Ok(Some(found)) => {
                    wrong += 1;
                    first.get_or_insert((found, view.connection.opened));
                }
                Err(why) => {
                    self.unknown.get_or_insert(why);
                }
            }
        }
        if let Some((found, opened)) = first {
            let opened = Duration::from_nanos(opened);
            let which = match views.len() {
                1 => format!("(opened at {opened:?})"),
                all => format!("({wrong} of {all} connections; the first of them opened at {opened:?})"),
            };
            self.finding(what, expected, format!("{found} {which}"));
        }
    }

    fn finding(&mut self, what: &str, expected: String, found: String) {
        self.findings.push(Finding { what: what.to_owned(), expected, found, observation: None });
    }

    /// What is known to be wrong is wrong whatever else can't be told.
    fn answer(self) -> Answer {
        match self.unknown {
            Some(Unknown(why)) if self.findings.is_empty() => Answer::NotRun(why),
            _ => Answer::Judged(self.findings),
        }
    }
}

/// Allowed values in words.
fn expected(wanted: &Match<String>) -> String {
    match wanted {
        Match::Any(values) => values.join(" or "),
        Match::Absent => "absent".to_owned(),
    }
}

fn match_text(view: &View<'_>, wanted: &Match<String>, value: view::Text) -> Verdict {
    let value = value?;
    let fits = match (wanted, &value) {
        (Match::Any(values), Some(value)) => values.contains(value),
        (Match::Absent, None) => true,
        _ => false,
    };
    Ok((!fits).then(|| value.unwrap_or_else(|| format!("none; the connection is {}", view.describe()))))
}

#[cfg(test)]
mod tests;
