//! `metrics`: a sidecar's signals by meaning.

use super::{Answer, Finding, Moment};
use crate::language::MetricsCheck;
use crate::language::value::Count;
use crate::observe::dictionary::{Dictionary, DictionaryError};
use crate::observe::metrics::Metrics;

impl MetricsCheck {
    /// Judges the scrape of this moment. Nothing is believed to be absent on the word of a scrape without a single sample. A signal that a
    /// dataplane never counted may be left out of its text, so that `0` is satisfied by a missing sample, too; `absent` only by that.
    #[must_use]
    pub fn judge(&self, moment: &Moment<'_>) -> Answer {
        // Not by time: a scrape is asked for when the moment has come, and takes some itself.
        let of_this =
            |scrape: &&super::Scrape| scrape.host == self.at && scrape.step.as_deref() == moment.step;
        let Some(scrape) = moment.run.scrapes.iter().rfind(of_this) else {
            return Answer::NotRun(format!("{} was not scraped at this moment", self.at));
        };
        let body = match &scrape.body {
            Ok(body) => body,
            Err(why) => return finding("metrics", "an answer to the scrape", format!("none: {why}")),
        };
        let metrics = match Metrics::parse(body) {
            Ok(metrics) => metrics,
            Err(_) if self.valid == Some(false) && self.signals.is_empty() => {
                return Answer::Judged(Vec::new());
            }
            Err(error) => return finding("metrics.valid", "valid Prometheus text", error.to_string()),
        };
        if metrics.samples().next().is_none() {
            return finding("metrics", "at least one sample", "none, which shows nothing".to_owned());
        }
        let mut findings = Vec::new();
        if self.valid == Some(false) {
            findings.push(found("metrics.valid", "invalid Prometheus text", "valid text".to_owned()));
        }
        let dictionary = moment.dictionaries.of(&moment.run.scenario, pod_of(&self.at));
        for (pattern, count) in &self.signals {
            match judge_signal(dictionary, &metrics, pattern, count) {
                Ok(more) => findings.extend(more),
                Err(error) => return Answer::NotRun(format!("dictionary: {error}")),
            }
        }
        Answer::Judged(findings)
    }
}

/// Judges each signal that a name or pattern stands for.
fn judge_signal(
    dictionary: &Dictionary,
    metrics: &Metrics,
    pattern: &str,
    count: &Count,
) -> Result<Vec<Finding>, DictionaryError> {
    let mut findings = Vec::new();
    for name in dictionary.names(pattern)? {
        let value = dictionary.value(metrics, name)?;
        if !allows(count, value) {
            let seen = value.map_or_else(|| "no sample".to_owned(), |value| value.to_string());
            let seen = if name == pattern { seen } else { format!("{name}: {seen}") };
            findings.push(found(&format!("metrics.{pattern}"), &describe(count), seen));
        }
    }
    Ok(findings)
}

/// The pod of a sidecar, `POD.proxy`.
fn pod_of(host: &str) -> &str {
    host.strip_suffix(".proxy").unwrap_or(host)
}

fn allows(count: &Count, value: Option<f64>) -> bool {
    match value {
        None => count.allows(None) || count.allows(Some(0)),
        Some(value) => whole(value).is_some_and(|value| count.allows(Some(value))),
    }
}

/// A value as the whole number it is, if it is one that floats hold exactly.
fn whole(value: f64) -> Option<u64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if !(0.0..=EXACT).contains(&value) || value.fract() != 0.0 {
        return None;
    }
    format!("{value:.0}").parse().ok()
}

/// A count in words.
pub(super) fn describe(count: &Count) -> String {
    match count {
        Count::Absent => "absent".to_owned(),
        Count::Within(ranges) => {
            let range = |(from, to): &(u64, u64)| match (from, to) {
                (from, to) if from == to => from.to_string(),
                (from, &u64::MAX) => format!("at least {from}"),
                (0, to) => format!("at most {to}"),
                (from, to) => format!("{from} to {to}"),
            };
            ranges.iter().map(range).collect::<Vec<_>>().join(" or ")
        }
    }
}

fn finding(what: &str, expected: &str, seen: String) -> Answer {
    Answer::Judged(vec![found(what, expected, seen)])
}

fn found(what: &str, expected: &str, seen: String) -> Finding {
    Finding { what: what.to_owned(), expected: expected.to_owned(), found: seen, observation: None }
}

#[cfg(test)]
mod tests;
