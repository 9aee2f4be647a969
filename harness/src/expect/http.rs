//! The arguments of `client` and `app` about requests and answers, judged over the exchanges of one end.

mod exchange;
mod times;

use indexmap::IndexMap;

use super::scene::{self, Connection};
use super::words::{self, finding};
use super::{Finding, Moment, fields, received};
use crate::language::value::{Count, Match};
use crate::language::{FieldMatch, HttpCheck, StatusMatch};
use crate::observe::Nanos;
use crate::observe::observation::BodyFacts;
use exchange::{Exchange, Sight};

/// Field lines, and the observation that shows them.
type Lines<'e> = (&'e [(String, String)], Option<usize>);

/// One check at work.
pub(super) struct Judge<'a> {
    check: &'a HttpCheck,
    moment: &'a Moment<'a>,
    /// The client of a step, or an app.
    is_client: bool,
    /// When the step began.
    began: Option<Nanos>,
    /// Never empty: a client without an exchange, or an app without a request, has a blank one, so that nothing holds for want of one.
    exchanges: Vec<Exchange>,
}

/// Judges what the client of step `id` asked and was answered.
pub(super) fn client(check: &HttpCheck, moment: &Moment<'_>, id: &str) -> Vec<Finding> {
    let in_bytes = scene::client_in_bytes(&moment.run.scenario, id);
    let exchanges = scene::client_connections(moment, id).into_iter().flat_map(|connection| {
        let all =
            if in_bytes { exchange::scripted(&connection, true) } else { exchange::recorded(&connection) };
        if all.is_empty() { vec![blank(Some(&connection))] } else { all }
    });
    judge(check, moment, true, Some(id), exchanges.collect())
}

/// Judges what the app of `pod` was asked and answered: in a step, if one is given, the requests that came in it, whenever their connection
/// was opened.
pub(super) fn app(check: &HttpCheck, moment: &Moment<'_>, pod: &str, id: Option<&str>) -> Vec<Finding> {
    let scenario = &moment.run.scenario;
    let exchanges: Vec<Exchange> = if scene::app_in_bytes(scenario, pod) {
        // When each of their requests came is not known: a connection counts where it was accepted.
        let opener = id.map(|id| scene::opener(scenario, id));
        let connections = scene::app_connections(moment, pod, opener);
        connections.iter().flat_map(|connection| exchange::scripted(connection, false)).collect()
    } else {
        let window = id.map(|id| scene::window(moment, id).unwrap_or(0..0));
        let here = |exchange: &Exchange| match (&window, exchange.first) {
            (Some(window), Some(first)) => window.contains(&first),
            _ => window.is_none(),
        };
        let connections = scene::app_connections(moment, pod, None);
        connections.iter().flat_map(exchange::recorded).filter(here).collect()
    };
    judge(check, moment, false, id, exchanges)
}

fn blank(connection: Option<&Connection<'_>>) -> Exchange {
    Exchange {
        connection: connection.map_or(0, |connection| connection.number),
        last: connection.and_then(Connection::last),
        ..Exchange::default()
    }
}

fn judge(
    check: &HttpCheck,
    moment: &Moment<'_>,
    is_client: bool,
    id: Option<&str>,
    mut exchanges: Vec<Exchange>,
) -> Vec<Finding> {
    if exchanges.is_empty() {
        exchanges.push(blank(None));
    }
    let began = id.and_then(|id| scene::began(moment, id)).map(|(_, at)| at);
    let judge = Judge { check, moment, is_client, began, exchanges };
    let mut findings = judge.counts();
    judge.foreign(&mut findings);
    for exchange in judge.exchanges.iter().filter(|exchange| judge.is_asked_about(exchange)) {
        judge.status(exchange, &mut findings);
        judge.request(exchange, &mut findings);
        judge.fields(exchange, &mut findings);
        judge.body(exchange, &mut findings);
    }
    judge.times(&mut findings);
    findings
}

impl Judge<'_> {
    /// Whether an exchange is to match. One without an answer (client) or a request (app) is, and does not, unless the check says how many
    /// there may be: then only those that came are looked at.
    fn is_asked_about(&self, exchange: &Exchange) -> bool {
        let counted = if self.is_client { &self.check.answers } else { &self.check.requests };
        counted.is_none() || self.head(exchange).is_some()
    }

    /// `client.status`.
    fn name(&self, argument: &str) -> String {
        format!("{}.{argument}", if self.is_client { "client" } else { "app" })
    }

    /// `client.status`, and which exchange if there are several.
    fn what(&self, argument: &str, exchange: &Exchange) -> String {
        match self.exchanges.len() {
            1 => self.name(argument),
            _ => format!(
                "{} (connection {}, exchange {})",
                self.name(argument),
                exchange.connection,
                exchange.number
            ),
        }
    }

    /// What is missing where an answer (client) or a request (app) is asked about.
    fn nothing(&self, exchange: &Exchange) -> String {
        if let Some(what) = &exchange.foreign {
            return format!("bytes that are no HTTP: {what}");
        }
        match (&exchange.failed, self.is_client) {
            (Some(failed), true) => format!("no answer: {}", failed.what),
            (None, true) if exchange.request.is_some() => "no answer".into(),
            _ => "no request".into(),
        }
    }

    /// Header fields of the answer (client) or request (app).
    fn head<'e>(&self, exchange: &'e Exchange) -> Option<Lines<'e>> {
        if self.is_client {
            exchange.response.as_ref().map(|seen| (seen.what.headers.as_slice(), seen.index))
        } else {
            exchange.request.as_ref().map(|seen| (seen.what.headers.as_slice(), seen.index))
        }
    }

    /// Body of the answer (client) or request (app), once it is over.
    fn over<'e>(&self, exchange: &'e Exchange) -> Option<&'e Sight<BodyFacts>> {
        if self.is_client { exchange.response_body.as_ref() } else { exchange.request_body.as_ref() }
    }

    fn is_whole(&self, exchange: &Exchange) -> bool {
        self.head(exchange).is_some() && self.over(exchange).is_some_and(|body| body.what.whole)
    }

    /// Arguments that look at all exchanges together.
    fn counts(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let last = self.exchanges.iter().filter_map(|exchange| exchange.last).max();
        let mut count = |argument: &str, wanted: &Option<Count>, has: &dyn Fn(&Exchange) -> bool| {
            let Some(wanted) = wanted else { return };
            let n = self.exchanges.iter().filter(|exchange| has(exchange)).count() as u64;
            if !words::allows(wanted, n) {
                findings.push(finding(self.name(argument), words::count(wanted), n.to_string(), last));
            }
        };
        count("requests", &self.check.requests, &|exchange| exchange.request.is_some());
        count("answers", &self.check.answers, &|exchange| exchange.response.is_some());
        count("wholes", &self.check.wholes, &|exchange| self.is_whole(exchange));
        if let Some(wanted) = &self.check.statuses {
            let answers = self.exchanges.iter().filter_map(|exchange| exchange.response.as_ref());
            let found: Vec<u16> = answers.map(|answer| answer.what.status).collect();
            if found != *wanted {
                findings.push(finding(self.name("statuses"), list(wanted), list(&found), last));
            }
        }
        findings
    }

    /// An end that hears HTTP hears nothing else: bytes that nobody can read are not the same as no bytes. Where nothing is to come, what came in
    /// its stead is not looked at here.
    fn foreign(&self, findings: &mut Vec<Finding>) {
        let (argument, counted) = if self.is_client {
            ("answers", &self.check.answers)
        } else {
            ("requests", &self.check.requests)
        };
        if counted.as_ref().is_some_and(words::is_none) {
            return;
        }
        // One that is asked about and not there is told of by what is asked.
        let told = |exchange: &&Exchange| counted.is_some() || self.head(exchange).is_some();
        for exchange in self.exchanges.iter().filter(told) {
            if let Some(what) = &exchange.foreign {
                let found = format!("bytes that are no HTTP: {what}");
                findings.push(finding(self.what(argument, exchange), "HTTP", found, exchange.last));
            }
        }
    }

    fn status(&self, exchange: &Exchange, findings: &mut Vec<Finding>) {
        let answer = exchange.response.as_ref();
        let at = answer.and_then(|answer| answer.index).or(exchange.last);
        if let Some(wanted) = &self.check.status {
            let holds = match (wanted, answer) {
                (Match::Absent, answer) => answer.is_none(),
                (Match::Any(statuses), Some(answer)) => {
                    statuses.iter().any(|status| status.takes(answer.what.status))
                }
                (Match::Any(_), None) => false,
            };
            if !holds {
                let found =
                    answer.map_or_else(|| self.nothing(exchange), |answer| answer.what.status.to_string());
                let expected = words::choice(wanted, |status| status_word(*status));
                findings.push(finding(self.what("status", exchange), expected, found, at));
            }
        }
        if let Some(wanted) = &self.check.interim
            && (answer.is_none() || exchange.interim != *wanted)
        {
            let found = match answer {
                None if exchange.interim.is_empty() => self.nothing(exchange),
                None => format!("{}, then {}", list(&exchange.interim), self.nothing(exchange)),
                Some(_) => list(&exchange.interim),
            };
            findings.push(finding(self.what("interim", exchange), list(wanted), found, at));
        }
    }

    /// What was asked, and how.
    fn request(&self, exchange: &Exchange, findings: &mut Vec<Finding>) {
        let head = exchange.request.as_ref().map(|request| &request.what);
        let at = exchange.request.as_ref().and_then(|request| request.index).or(exchange.last);
        let mut compare = |argument: &str, wanted: &Option<Match<String>>, found: Option<&str>| {
            let Some(wanted) = wanted else { return };
            let holds = match (wanted, found) {
                (Match::Absent, found) => found.is_none(),
                (Match::Any(words), Some(found)) => words.iter().any(|word| word == found),
                (Match::Any(_), None) => false,
            };
            if !holds {
                let found = match (found, head) {
                    (Some(found), _) => found.to_owned(),
                    (None, Some(_)) => "none".to_owned(),
                    (None, None) => self.nothing(exchange),
                };
                let expected = words::choice(wanted, String::clone);
                findings.push(finding(self.what(argument, exchange), expected, found, at));
            }
        };
        let spoken = match &exchange.response {
            Some(answer) if self.is_client => Some(answer.what.protocol.as_str()),
            _ => head.map(|head| head.protocol.as_str()),
        };
        compare("protocol", &self.check.protocol, spoken);
        compare("method", &self.check.method, head.map(|head| head.method.as_str()));
        compare("path", &self.check.path, head.map(|head| head.path.as_str()));
        compare("authority", &self.check.authority, head.and_then(|head| head.authority.as_deref()));
    }

    fn fields(&self, exchange: &Exchange, findings: &mut Vec<Finding>) {
        let trailers = self.over(exchange).map(|body| (body.what.trailers.as_slice(), body.index));
        self.lines("headers", &self.check.headers, self.head(exchange), exchange, findings);
        self.lines("trailers", &self.check.trailers, trailers, exchange, findings);
    }

    /// Fields are believed to be absent only where there was a place for them.
    fn lines(
        &self,
        argument: &str,
        wanted: &IndexMap<String, FieldMatch>,
        seen: Option<Lines<'_>>,
        exchange: &Exchange,
        findings: &mut Vec<Finding>,
    ) {
        for (name, wanted) in wanted {
            let what = || self.what(&format!("{argument}.{name}"), exchange);
            match seen {
                None => {
                    let expected = fields::expected(wanted);
                    findings.push(finding(what(), expected, self.unseen(exchange), exchange.last));
                }
                Some((lines, at)) => {
                    if let Some((expected, found)) = fields::judge_seen(self.moment, wanted, name, lines) {
                        findings.push(finding(what(), expected, found, at.or(exchange.last)));
                    }
                }
            }
        }
    }

    /// Why there is nothing to look at: no head, or a body that is not over.
    fn unseen(&self, exchange: &Exchange) -> String {
        if self.head(exchange).is_some() { "its body is not over".into() } else { self.nothing(exchange) }
    }

    fn body(&self, exchange: &Exchange, findings: &mut Vec<Finding>) {
        let body = self.over(exchange).filter(|_| self.head(exchange).is_some());
        let at = body.and_then(|body| body.index).or(exchange.last);
        if let Some(wanted) = &self.check.body {
            let found = match body {
                Some(body) => received::differs(wanted, &body.what.flow),
                None => Some(self.unseen(exchange)),
            };
            findings.extend(
                found.map(|found| finding(self.what("body", exchange), words::bytes(wanted), found, at)),
            );
        }
        if let Some(wanted) = self.check.whole {
            let words = |whole| if whole { "whole" } else { "not whole" };
            let found = match self.head(exchange) {
                None if wanted || exchange.request.is_none() => Some(self.nothing(exchange)),
                _ if self.is_whole(exchange) != wanted => Some(match &exchange.failed {
                    Some(failed) if wanted => format!("not whole: {}", failed.what),
                    _ => words(!wanted).to_owned(),
                }),
                _ => None,
            };
            findings
                .extend(found.map(|found| finding(self.what("whole", exchange), words(wanted), found, at)));
        }
    }
}

fn status_word(status: StatusMatch) -> String {
    match status {
        StatusMatch::Code(code) => code.to_string(),
        StatusMatch::Class(class) => format!("{class}xx"),
    }
}

fn list(statuses: &[u16]) -> String {
    if statuses.is_empty() {
        return "none".into();
    }
    statuses.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
