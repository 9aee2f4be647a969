//! Reports for people: failures first and whole, then one line an area, then the sum.

use std::path::Path;

use anstyle::{AnsiColor, Style};

use super::observations::{seconds, table};
use super::text::{hung, put, wrapped};
use super::{Area, Summary, reasons};
use crate::expect::Finding;
use crate::language::Level;
use crate::language::{Scenario, World};
use crate::suite::{CaseResult, Target};
use crate::verdict::Verdict;

pub(super) const GOOD: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green))).bold();
pub(super) const BAD: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red))).bold();
pub(super) const SO_SO: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow))).bold();
pub(super) const FAINT: Style = Style::new().dimmed();
pub(super) const STRONG: Style = Style::new().bold();

/// Findings of one expectation that are shown; the rest is counted.
const FINDINGS_MAX: usize = 8;
/// Failures that are shown whole; the rest is listed by name.
const FAILURES_MAX: usize = 20;

/// The report of all results, with ANSI styles.
#[must_use]
pub fn report(cases: &[Scenario], results: &[CaseResult], summary: &Summary) -> String {
    let mut text = String::new();
    // Whoever asked for one case wants to see it.
    let alone = results.len() == 1;
    let (whole, brief): (Vec<_>, Vec<_>) = results
        .iter()
        .filter(|result| result.verdict.verdict != Verdict::Pass)
        .partition(|result| (alone && result.case.is_some()) || is_told_whole(result));
    for result in whole.iter().take(FAILURES_MAX) {
        text.push_str(&case(result, cases.iter().find(|case| case.name == result.verdict.name)));
        text.push('\n');
    }
    for result in whole.iter().skip(FAILURES_MAX) {
        let (style, word) = word(&result.verdict.verdict);
        put(&mut text, format_args!("{style}{word}{style:#} {} seed {}\n", result.verdict.name, result.seed));
    }
    reasons::of_cases(&mut text, &brief);
    for (name, distinct, seeds) in summary.dull() {
        put(
            &mut text,
            format_args!("{SO_SO}dull{SO_SO:#} {name}: {seeds} seeds give only {distinct} schedules\n"),
        );
    }
    areas(&mut text, summary);
    sum(&mut text, summary, results.first().map(|result| &*result.target));
    text
}

/// Whether it is worth more than its name and a reason: it went wrong, or was played and could not be judged.
fn is_told_whole(result: &CaseResult) -> bool {
    match result.verdict.verdict {
        Verdict::Pass | Verdict::KnownFailure(_) | Verdict::Unsupported(_) => false,
        Verdict::NotRun(_) => result.case.is_some(),
        Verdict::Warn | Verdict::Fail | Verdict::Broken(_) => true,
    }
}

/// The report of one case, with ANSI styles.
#[must_use]
pub fn case(result: &CaseResult, scenario: Option<&Scenario>) -> String {
    let mut text = String::new();
    let (style, label) = word(&result.verdict.verdict);
    let (name, seed) = (&result.verdict.name, result.seed);
    put(
        &mut text,
        format_args!("{style}{label}{style:#} {STRONG}{name}{STRONG:#}  {FAINT}seed {seed}{FAINT:#}\n"),
    );
    if let Some(scenario) = scenario {
        text.push_str(&wrapped(&scenario.about, 2));
    }
    if let Verdict::Broken(reason) = &result.verdict.verdict {
        for line in reason.lines() {
            put(&mut text, format_args!("  {line}\n"));
        }
    }
    let mut places = Vec::new();
    for expectation in &result.verdict.expectations {
        if matches!(expectation.verdict, Verdict::Pass | Verdict::Unsupported(_)) {
            continue;
        }
        let (style, label) = word(&expectation.verdict);
        let level = level(expectation.level);
        let file = scenario.map(|scenario| scenario.file.display().to_string()).unwrap_or_default();
        let proves =
            if expectation.proves.is_empty() { "nothing".to_owned() } else { expectation.proves.join(", ") };
        put(
            &mut text,
            format_args!(
                "\n  {style}{label}{style:#} {file}:{}  {}  proves {STRONG}{proves}{STRONG:#} ({level})\n",
                expectation.line, expectation.checks
            ),
        );
        because(&mut text, &expectation.verdict);
        findings(&mut text, &expectation.findings, &mut places);
    }
    for always in result.verdict.always.iter().filter(|always| always.verdict != Verdict::Pass) {
        let (style, label) = word(&always.verdict);
        put(&mut text, format_args!("\n  {style}{label}{style:#} always: {}\n", always.name));
        because(&mut text, &always.verdict);
        findings(&mut text, &always.findings, &mut places);
    }
    reasons::of_expectations(&mut text, &result.verdict);
    if let Some(case) = &result.case {
        put(
            &mut text,
            format_args!(
                "\n  {FAINT}what was seen ({}){FAINT:#}\n{}",
                time_of(result.target.world),
                table(&case.run, &places)
            ),
        );
    }
    // A case of a file that stands elsewhere is not found by its name.
    let place = match scenario {
        Some(scenario) if !is_in_project(&scenario.file) => scenario.file.display().to_string(),
        _ => name.clone(),
    };
    let target = result.target.arguments();
    put(
        &mut text,
        format_args!("\n  {FAINT}reproduce:{FAINT:#} cargo conform run '{place}' --seed {seed}{target}\n"),
    );
    if let Some(record) = &result.record {
        put(&mut text, format_args!("  {FAINT}record:{FAINT:#}    {}\n", record.display()));
    }
    if let Some(why) = &result.unrecorded {
        put(&mut text, format_args!("  {FAINT}record:{FAINT:#}    none: {why}\n"));
    }
    text
}

/// The reason of a verdict, if it has one, below its line.
fn because(text: &mut String, verdict: &Verdict) {
    if let Some(reason) = verdict.reason() {
        text.push_str(&wrapped(reason, 6));
    }
}

/// Whether a scenario's file is one of the project's.
fn is_in_project(file: &Path) -> bool {
    file.components().any(|part| part.as_os_str() == "scenarios")
}

fn findings(text: &mut String, findings: &[Finding], places: &mut Vec<usize>) {
    for finding in findings.iter().take(FINDINGS_MAX) {
        put(text, format_args!("      {STRONG}{}{STRONG:#}\n", finding.what));
        put(text, format_args!("        expected  {}\n", hung(&finding.expected, 18)));
        put(text, format_args!("        found     {}\n", hung(&finding.found, 18)));
        places.extend(finding.observation);
    }
    if let Some(more) = findings.len().checked_sub(FINDINGS_MAX).filter(|more| *more > 0) {
        put(text, format_args!("      … and {more} more\n"));
    }
}

fn areas(text: &mut String, summary: &Summary) {
    let width = summary.areas.keys().map(String::len).max().unwrap_or(0);
    for (area, counts) in &summary.areas {
        let Area { passed, failed, unjudged, not_run, all } = counts;
        if unjudged == all {
            let counted = [(all - not_run, "unsupported"), (*not_run, "not run")];
            let counted = counted.into_iter().filter(|(count, _)| *count > 0);
            let told: Vec<_> = counted.map(|(count, word)| format!("{count} {word}")).collect();
            put(text, format_args!("  {area:<width$}  {FAINT}{}{FAINT:#}\n", told.join(", ")));
            continue;
        }
        let style = match counts {
            _ if *failed > 0 => BAD,
            _ if passed == all => GOOD,
            _ => SO_SO,
        };
        put(text, format_args!("  {area:<width$}  {style}{passed:>4}{style:#} of {all} passed\n"));
    }
}

/// The sum of all; `target` is that of the first.
fn sum(text: &mut String, summary: &Summary, target: Option<&Target>) {
    let mut parts = vec![format!("{GOOD}{} passed{GOOD:#}", summary.passed)];
    let mut part = |count: usize, style: Style, label: &str| {
        if count > 0 {
            parts.push(format!("{style}{count} {label}{style:#}"));
        }
    };
    part(summary.failed, BAD, "failed");
    part(summary.broken, BAD, "broken");
    part(summary.warned, SO_SO, "with warnings");
    part(summary.known_failures, SO_SO, "known to fail");
    part(summary.unsupported, FAINT, "unsupported");
    part(summary.not_run, SO_SO, "not run");
    part(summary.left_out, SO_SO, "left out after the first failure");
    reasons::of_clauses(text, summary);
    let held = summary.clauses.values().filter(|verdict| **verdict == Verdict::Pass).count();
    let clauses = summary.clauses.len();
    let clock = time_of(target.map_or(World::Sim, |target| target.world));
    let played = summary.areas.values().map(|area| area.all - area.unjudged).sum::<usize>();
    // In real time cases are played beside each other.
    let clock = if clock == REAL && played > 1 { "real time, all cases added up" } else { clock };
    let (time, packets) = (seconds(summary.virtual_ns), summary.packets);
    put(
        text,
        format_args!(
            "\n{}; {held} of {clauses} clauses hold\n{FAINT}{time} of {clock}, {packets} packets{FAINT:#}\n",
            parts.join(", ")
        ),
    );
    if let Some(target) = target.filter(|target| !target.is_usual()) {
        put(text, format_args!("{FAINT}{target}{FAINT:#}\n"));
    }
}

/// The time of a live world.
const REAL: &str = "real time";

/// Which time it is that is told.
fn time_of(world: World) -> &'static str {
    match world {
        World::Sim => "virtual time",
        World::Live => REAL,
    }
}

/// How a verdict looks; what must be looked at in capitals.
pub(super) fn word(verdict: &Verdict) -> (Style, &'static str) {
    match verdict {
        Verdict::Pass => (GOOD, verdict.word()),
        Verdict::Fail => (BAD, "FAIL"),
        Verdict::Broken(_) => (BAD, "BROKEN"),
        Verdict::Unsupported(_) => (FAINT, verdict.word()),
        Verdict::Warn | Verdict::KnownFailure(_) | Verdict::NotRun(_) => (SO_SO, verdict.word()),
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Must => "must",
        Level::Should => "should",
        Level::May => "may",
    }
}
