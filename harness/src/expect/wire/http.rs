//! Requests and answers on the wire.

use std::time::Duration;

use indexmap::IndexMap;

use super::view::{Unknown, View};
use super::{Judging, Moment};
use crate::expect::fields;
use crate::language::{FieldMatch, WireCheck};
use crate::observe::Nanos;
use crate::observe::http::Fields;

/// Heads of one kind that came until the moment, each with its time; and why there may be more of them.
struct Heads<'a> {
    seen: Vec<(Nanos, &'a Fields)>,
    unknown: Option<Unknown>,
}

impl WireCheck {
    /// Judges `requests`, `headers` and `answer_headers`.
    pub(super) fn exchanges(&self, moment: &Moment<'_>, views: &[View<'_>], judging: &mut Judging) {
        if self.requests.is_some() || !self.headers.is_empty() {
            let requests = requests(moment, views);
            if let Some(unknown) = &requests.unknown {
                judging.unknown.get_or_insert(unknown.clone());
            } else {
                judging.count("wire.requests", self.requests.as_ref(), requests.seen.len() as u64);
            }
            each(moment, "wire.headers", "request", &self.headers, &requests, judging);
        }
        if !self.answer_headers.is_empty() {
            let answers = answers(moment, views);
            if let Some(unknown) = &answers.unknown {
                judging.unknown.get_or_insert(unknown.clone());
            }
            each(moment, "wire.answer_headers", "answer", &self.answer_headers, &answers, judging);
        }
    }
}

fn requests<'a>(moment: &Moment<'_>, views: &[View<'a>]) -> Heads<'a> {
    let mut heads = Heads { seen: Vec::new(), unknown: None };
    for view in views {
        match view.http() {
            Ok(None) => {}
            Ok(Some(http)) => {
                heads.seen.extend(http.exchanges.iter().map(|exchange| (exchange.at, &exchange.request)));
                heads.cut(http.requests_cut.as_ref());
            }
            Err(why) => heads.unknown = heads.unknown.or(Some(why)),
        }
    }
    heads.until(moment.until)
}

fn answers<'a>(moment: &Moment<'_>, views: &[View<'a>]) -> Heads<'a> {
    let mut heads = Heads { seen: Vec::new(), unknown: None };
    for view in views {
        match view.http() {
            Ok(None) => {}
            Ok(Some(http)) => {
                let answers = http.exchanges.iter().filter_map(|exchange| exchange.answer.as_ref());
                heads.seen.extend(answers.map(|answer| (answer.at, &answer.fields)));
                // Answers to requests that are not seen are not seen either.
                heads.cut(http.answers_cut.as_ref().or(http.requests_cut.as_ref()));
            }
            Err(why) => heads.unknown = heads.unknown.or(Some(why)),
        }
    }
    heads.until(moment.until)
}

impl Heads<'_> {
    fn cut(&mut self, why: Option<&String>) {
        if let Some(why) = why {
            self.unknown.get_or_insert_with(|| Unknown(why.clone()));
        }
    }

    /// Leaves out what came later: connections outlive the moment.
    fn until(mut self, until: Nanos) -> Self {
        self.seen.retain(|(at, _)| *at <= until);
        self
    }
}

/// Judges fields of all heads; one finding a field, which tells of the first head that is not as expected, and of how many are not.
fn each(
    moment: &Moment<'_>,
    what: &str,
    kind: &str,
    wanted: &IndexMap<String, FieldMatch>,
    heads: &Heads<'_>,
    judging: &mut Judging,
) {
    for (name, wanted) in wanted {
        let what = format!("{what}.{name}");
        if heads.seen.is_empty() && heads.unknown.is_none() {
            judging.finding(&what, fields::expected(wanted), format!("no {kind} crossed the link"));
            continue;
        }
        let judge = |(at, head): &(Nanos, &Fields)| {
            fields::judge_seen(moment, wanted, name, head).map(|(expected, found)| (*at, expected, found))
        };
        let mut wrong = heads.seen.iter().filter_map(judge);
        let Some((at, expected, found)) = wrong.next() else { continue };
        let at = Duration::from_nanos(at);
        let which = match heads.seen.len() {
            1 => format!("({kind} at {at:?})"),
            all => format!("({} of {all} {kind}s; the first of them at {at:?})", 1 + wrong.count()),
        };
        judging.finding(&what, expected, format!("{found} {which}"));
    }
}

#[cfg(test)]
mod tests;
