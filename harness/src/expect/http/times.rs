//! When things of exchanges happened.

use super::Judge;
use super::exchange::Exchange;
use crate::expect::Finding;
use crate::expect::words::{self, finding};
use crate::language::value::Span;
use crate::observe::Nanos;

/// Said of ends that are scripted in bytes, whose exchanges have no instants.
const NO_INSTANT: &str = "no instant: it is read from bytes";

/// An instant, and the observation that shows it.
type Instant = (Nanos, Option<usize>);

impl Judge<'_> {
    pub(super) fn times(&self, findings: &mut Vec<Finding>) {
        // The earliest of those that came; without any, why the first did not.
        let heads = self.exchanges.iter().map(|one| self.head_at(one));
        let head = heads.reduce(|one, other| match (one, other) {
            (Ok(one), Ok(other)) => Ok(one.min(other)),
            (Ok(one), Err(_)) | (Err(_), Ok(one)) => Ok(one),
            (Err(why), Err(_)) => Err(why),
        });
        self.since(
            "head_at",
            &self.check.head_at,
            head.unwrap_or_else(|| Err("no request".into())),
            findings,
        );
        let first =
            self.exchanges.iter().filter_map(|one| Some((*one.pieces.as_ref()?.first()?, one.last))).min();
        let no_body =
            if self.exchanges.iter().any(|one| one.pieces.is_some()) { "no body" } else { NO_INSTANT };
        self.since("body_at", &self.check.body_at, first.ok_or_else(|| no_body.to_owned()), findings);
        let over: Result<Vec<Instant>, String> = self.exchanges.iter().map(|one| self.over_at(one)).collect();
        let over = over.and_then(|over| over.into_iter().max().ok_or_else(|| "no request".to_owned()));
        self.since("over_at", &self.check.over_at, over, findings);
        self.gaps(findings);
        self.pieces(findings);
    }

    /// When the head of the answer (client) or request (app) came.
    fn head_at(&self, exchange: &Exchange) -> Result<Instant, String> {
        let seen = if self.is_client {
            exchange.response.as_ref().map(|seen| (seen.at, seen.index))
        } else {
            exchange.request.as_ref().map(|seen| (seen.at, seen.index))
        };
        match seen {
            None => Err(self.nothing(exchange)),
            Some((None, _)) => Err(NO_INSTANT.into()),
            Some((Some(at), index)) => Ok((at, index)),
        }
    }

    /// When the answer (client) or request (app) was over, whole or not.
    fn over_at(&self, exchange: &Exchange) -> Result<Instant, String> {
        let body = self.over(exchange).map(|seen| (seen.at, seen.index));
        let failed = exchange.failed.as_ref().map(|seen| (seen.at, seen.index));
        match body.or(failed) {
            Some((Some(at), index)) => Ok((at, index)),
            Some((None, _)) => Err(NO_INSTANT.into()),
            None if self.head(exchange).is_some() => Err("one is not over".into()),
            None => Err(self.nothing(exchange)),
        }
    }

    /// A time since the step's begin.
    fn since(
        &self,
        argument: &str,
        wanted: &Option<Span>,
        seen: Result<Instant, String>,
        findings: &mut Vec<Finding>,
    ) {
        let Some(wanted) = wanted else { return };
        let took = seen.and_then(|(at, index)| match self.began {
            Some(began) => Ok((at.saturating_sub(began), index)),
            None => Err("no step to count from".to_owned()),
        });
        let (found, at) = match took {
            Ok((took, _)) if self.moment.slack.allows(wanted, took) => return,
            Ok((took, index)) => (words::nanos(took), index),
            Err(why) => (why, self.exchanges.iter().filter_map(|exchange| exchange.last).max()),
        };
        findings.push(finding(self.name(argument), words::span(wanted), found, at));
    }

    /// The time between each request and the next.
    fn gaps(&self, findings: &mut Vec<Finding>) {
        let Some(wanted) = &self.check.gaps else { return };
        let seen = self.exchanges.iter().filter_map(|exchange| exchange.request.as_ref());
        let mut instants: Vec<Nanos> = seen.clone().filter_map(|request| request.at).collect();
        instants.sort_unstable();
        let gaps: Vec<Nanos> = instants.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
        let fits = gaps.len() == wanted.len()
            && wanted.iter().zip(&gaps).all(|(span, gap)| self.moment.slack.allows(span, *gap));
        if !fits {
            let expected: Vec<String> = wanted.iter().map(words::span).collect();
            let found: Vec<String> = gaps.iter().map(|gap| words::nanos(*gap)).collect();
            let found = match (found.is_empty(), instants.len() < seen.clone().count()) {
                (_, true) => NO_INSTANT.into(),
                (true, _) => format!("no gap, {} requests", instants.len()),
                _ => found.join(", "),
            };
            let at = seen.filter_map(|request| request.index).max();
            findings.push(finding(self.name("gaps"), expected.join(", "), found, at));
        }
    }

    /// At how many instants parts of each body came.
    fn pieces(&self, findings: &mut Vec<Finding>) {
        let Some(wanted) = &self.check.pieces else { return };
        for exchange in &self.exchanges {
            let found = match (self.head(exchange), &exchange.pieces) {
                (None, _) => self.nothing(exchange),
                (Some(_), None) => NO_INSTANT.into(),
                (Some(_), Some(pieces)) => {
                    let mut instants = pieces.clone();
                    instants.dedup();
                    let n = instants.len() as u64;
                    if words::allows(wanted, n) {
                        continue;
                    }
                    n.to_string()
                }
            };
            findings.push(finding(self.what("pieces", exchange), words::count(wanted), found, exchange.last));
        }
    }
}
