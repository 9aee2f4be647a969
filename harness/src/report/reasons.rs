//! Why cases, expectations and clauses are as they are, each reason once with all that it is the reason of.

use super::Summary;
use super::pretty::{FAINT, STRONG, word};
use super::text::{WIDTH, put, wrapped};
use crate::suite::CaseResult;
use crate::verdict::{CaseVerdict, Verdict};

/// Names of cases that are told where many have the same reason; the others are counted.
const CASES_MAX: usize = 4;

/// Cases that are not worth more than their names.
pub(super) fn of_cases(text: &mut String, results: &[&CaseResult]) {
    let named = results.iter().map(|result| (&result.verdict.verdict, result.verdict.name.as_str()));
    let groups = grouped(named);
    for (verdict, names) in &groups {
        let (style, word) = word(verdict);
        let (reason, count) = (verdict.reason().unwrap_or_default(), names.len());
        let s = if count == 1 { "" } else { "s" };
        put(text, format_args!("{style}{word}{style:#} {STRONG}{count} case{s}{STRONG:#}\n"));
        text.push_str(&wrapped(reason, 2));
        let more = count.saturating_sub(CASES_MAX);
        let told = names.iter().take(CASES_MAX).copied().collect::<Vec<_>>().join(", ");
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        put(text, format_args!("{FAINT}{}{FAINT:#}", wrapped(&format!("{told}{more}"), 4)));
    }
    if !groups.is_empty() {
        text.push('\n');
    }
}

/// Expectations of a case that are about what the dataplane does not declare: their lines.
pub(super) fn of_expectations(text: &mut String, case: &CaseVerdict) {
    let lines: Vec<_> = case.expectations.iter().map(|one| (&one.verdict, one.line.to_string())).collect();
    let unsupported = lines.iter().filter(|(verdict, _)| matches!(verdict, Verdict::Unsupported(_)));
    for (verdict, lines) in grouped(unsupported.map(|(verdict, line)| (*verdict, line.as_str()))) {
        let (style, word) = word(verdict);
        let s = if lines.len() == 1 { "" } else { "s" };
        let (lines, reason) = (lines.join(", "), verdict.reason().unwrap_or_default());
        put(text, format_args!("\n  {style}{word}{style:#} {FAINT}line{s} {lines}: {reason}{FAINT:#}\n"));
    }
}

/// Clauses that do not hold, or of which it is not known.
pub(super) fn of_clauses(text: &mut String, summary: &Summary) {
    let not_held = summary.clauses.iter().filter(|(_, verdict)| **verdict != Verdict::Pass);
    for (verdict, ids) in grouped(not_held.map(|(id, verdict)| (verdict, id.as_str()))) {
        let (style, word) = word(verdict);
        // A failure is found by its clause; what nobody can change today need not fill the screen.
        match verdict.reason() {
            None => {
                for id in ids {
                    put(text, format_args!("  {style}{word}{style:#} {id}\n"));
                }
            }
            Some(reason) => {
                put(text, format_args!("  {style}{word}{style:#} "));
                if word.len() + reason.chars().count() + 3 <= WIDTH {
                    put(text, format_args!("{FAINT}{reason}{FAINT:#}\n"));
                } else {
                    put(text, format_args!("\n{FAINT}{}{FAINT:#}", wrapped(reason, 4)));
                }
                text.push_str(&wrapped(&ids.join(" "), 4));
            }
        }
    }
}

/// What bears the same verdict, in order of the first that does.
fn grouped<'a>(all: impl Iterator<Item = (&'a Verdict, &'a str)>) -> Vec<(&'a Verdict, Vec<&'a str>)> {
    let mut groups: Vec<(&Verdict, Vec<&str>)> = Vec::new();
    for (verdict, name) in all {
        match groups.iter_mut().find(|(other, _)| *other == verdict) {
            // A case that ran with many seeds is one.
            Some((_, names)) if names.last() == Some(&name) => {}
            Some((_, names)) => names.push(name),
            None => groups.push((verdict, vec![name])),
        }
    }
    groups
}
