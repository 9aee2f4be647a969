//! How much of the contract cases prove, as `conform coverage` tells it.

use anstyle::Style;
use serde_json::{Value, json};

use super::pretty::{BAD, FAINT, GOOD, SO_SO, STRONG};
use super::text::{WIDTH, put, wrapped};
use crate::coverage::{self, Coverage, Row, Status};
use crate::requirements::Binding;

/// Cells of an area's bar at most: one a clause, unless there are more clauses.
const BAR: usize = 36;
/// Columns of a line but for its bar and the counts: the area, the sum, a gap.
const MARGIN: usize = 15 + 6 + 3;
/// Columns of a count.
const COUNT: usize = 8;

/// For a terminal of 100 columns, with ANSI styles: a line an area with a bar, one a level, then the clauses that want looking at.
#[must_use]
pub fn text(coverage: &Coverage) -> String {
    let shown = shown(coverage);
    let legend: Vec<_> =
        shown.iter().map(|status| format!("{} {}", painted(*status, 1), status.word())).collect();
    let mut text = format!("{}\n\n", legend.join("   "));
    put(&mut text, format_args!("{STRONG}{:<15}", "area"));
    for status in &shown {
        put(&mut text, format_args!("{:>COUNT$}", status.word()));
    }
    put(&mut text, format_args!("{:>6}{STRONG:#}", "all"));
    text.push('\n');
    for (area, _) in &coverage.areas {
        let counts = coverage.counts(Some(area), None);
        put(&mut text, format_args!("{STRONG}{area:<15}{STRONG:#}"));
        numbers(&mut text, counts, &shown);
        let width = BAR.min(WIDTH - MARGIN - COUNT * shown.len());
        put(&mut text, format_args!("   {}\n", bar(counts, width)));
        for level in Binding::ALL {
            let counts = coverage.counts(Some(area), Some(level));
            if counts.iter().sum::<usize>() > 0 {
                put(&mut text, format_args!("  {:<13}", level.word()));
                numbers(&mut text, counts, &shown);
                text.push('\n');
            }
        }
    }
    put(&mut text, format_args!("{STRONG}{:<15}{STRONG:#}", "all"));
    numbers(&mut text, coverage.counts(None, None), &shown);
    put(&mut text, format_args!("   {FAINT}{} cases, seed 0{FAINT:#}\n", coverage.ran));
    for status in [
        Status::Failing,
        Status::KnownFailure,
        Status::NotRun,
        Status::Unsupported,
        Status::Covered,
        Status::Uncovered,
    ] {
        let ids: Vec<_> = of_status(coverage, status).map(|row| row.clause.id.as_str()).collect();
        if !ids.is_empty() {
            let (style, word) = (style(status), meaning(status));
            put(&mut text, format_args!("\n{style}{}{style:#} {FAINT}{word}{FAINT:#}\n", status.word()));
            text.push_str(&wrapped(&ids.join(" "), 2));
        }
    }
    text
}

/// For docs/coverage.md.
#[must_use]
pub fn markdown(coverage: &Coverage) -> String {
    let mut text = String::from(
        "# Coverage of the contract\n\nWritten by `cargo conform coverage --format markdown`: each clause of [fixtures/requirements.yaml](../fixtures/requirements.yaml),\nand the scenarios that name it. `conform explain ID` tells more of a clause.\n\n",
    );
    let shown = shown(coverage);
    for status in &shown {
        let status = *status;
        put(&mut text, format_args!("* **{}**: {}\n", status.word(), meaning(status)));
    }
    let columns = shown.iter().map(|status| status.word()).collect::<Vec<_>>().join(" | ");
    put(
        &mut text,
        format_args!(
            "\n| area | level | {columns} | all |\n| --- | --- |{}\n",
            " ---: |".repeat(shown.len() + 1)
        ),
    );
    for (area, _) in &coverage.areas {
        for level in Binding::ALL {
            let counts = coverage.counts(Some(area), Some(level));
            if counts.iter().sum::<usize>() > 0 {
                put(&mut text, format_args!("| {area} | {} | {}\n", level.word(), cells(counts, &shown)));
            }
        }
    }
    put(&mut text, format_args!("| all | | {}\n", cells(coverage.counts(None, None), &shown)));
    for (area, title) in &coverage.areas {
        put(
            &mut text,
            format_args!(
                "\n## {area}: {title}\n\n| clause | level | | scenarios | planted bugs |\n| --- | --- | --- | --- | --- |\n"
            ),
        );
        for row in coverage.area(area) {
            let (clause, status) = (&row.clause, row.status.word());
            let (scenarios, bugs) = (scenarios(row).join(", "), row.bugs.join(", "));
            let level = clause.level.word();
            put(&mut text, format_args!("| {} | {level} | {status} | {scenarios} | {bugs} |\n", clause.id));
        }
    }
    text
}

/// For programs: an array with an object a clause, and a newline.
#[must_use]
pub fn json(coverage: &Coverage) -> String {
    let row = |row: &Row| {
        json!({
            "id": row.clause.id,
            "area": row.clause.area,
            "level": row.clause.level.word(),
            "core": row.clause.core,
            "status": row.status,
            "cases": row.cases,
            "bugs": row.bugs,
        })
    };
    format!("{:#}\n", coverage.rows.iter().map(row).collect::<Value>())
}

fn of_status(coverage: &Coverage, status: Status) -> impl Iterator<Item = &Row> {
    coverage.rows.iter().filter(move |row| row.status == status)
}

fn meaning(status: Status) -> &'static str {
    match status {
        Status::Proven => "holds, and a planted bug was seen to turn it red",
        Status::Covered => "holds; no planted bug is on record as turning it red",
        Status::KnownFailure => "does not hold, and the dataplane's adapter says so",
        Status::Failing => "does not hold",
        Status::Unsupported => "about a feature that the dataplane does not declare",
        Status::NotRun => "named by cases that were not asked for, or could not judge it",
        Status::Uncovered => "no case names it",
    }
}

fn style(status: Status) -> Style {
    match status {
        Status::Proven | Status::Covered => GOOD,
        Status::Failing => BAD,
        Status::NotRun | Status::KnownFailure => SO_SO,
        Status::Uncovered | Status::Unsupported => FAINT,
    }
}

/// Cells of a bar, told apart without colours, too.
fn painted(status: Status, cells: usize) -> String {
    let cell = match status {
        Status::Proven => "█",
        Status::Covered => "▒",
        Status::KnownFailure => "~",
        Status::Failing => "×",
        Status::Unsupported => "-",
        Status::NotRun => "?",
        Status::Uncovered => "·",
    };
    let style = style(status);
    format!("{style}{}{style:#}", cell.repeat(cells))
}

/// Statuses that are told apart: those of declarations only where there are some.
fn shown(coverage: &Coverage) -> Vec<Status> {
    let counts = coverage.counts(None, None);
    let told = Status::ALL.into_iter().zip(counts);
    let rare = |status| matches!(status, Status::KnownFailure | Status::Unsupported);
    told.filter(|(status, count)| *count > 0 || !rare(*status)).map(|(status, _)| status).collect()
}

/// A bar of the best statuses first, at most so wide.
fn bar(counts: [usize; coverage::COUNT], width: usize) -> String {
    let all: usize = counts.iter().sum();
    let width = all.min(width);
    let mut bar = String::new();
    let (mut before, mut drawn) = (0, 0);
    for (status, count) in Status::ALL.into_iter().zip(counts) {
        before += count;
        let to = (before * width).checked_div(all).unwrap_or(0);
        bar.push_str(&painted(status, to - drawn));
        drawn = to;
    }
    bar
}

/// Counts of the statuses shown and their sum; none is a dot.
fn numbers(text: &mut String, counts: [usize; coverage::COUNT], shown: &[Status]) {
    for (status, count) in Status::ALL.into_iter().zip(counts).filter(|(status, _)| shown.contains(status)) {
        let style = if count == 0 { FAINT } else { style(status) };
        let number = if count == 0 { "·".to_owned() } else { count.to_string() };
        put(text, format_args!("{style}{number:>COUNT$}{style:#}"));
    }
    put(text, format_args!("{:>6}", counts.iter().sum::<usize>()));
}

/// As `numbers`, for a table in Markdown.
fn cells(counts: [usize; coverage::COUNT], shown: &[Status]) -> String {
    let sum = counts.iter().sum::<usize>();
    let told = Status::ALL.into_iter().zip(counts).filter(|(status, _)| shown.contains(status));
    told.map(|(_, count)| count).chain([sum]).map(|count| format!("{count} |")).collect::<Vec<_>>().join(" ")
}

/// The scenarios of a row's cases, each once.
fn scenarios(row: &Row) -> Vec<&str> {
    let mut names: Vec<_> = row.cases.iter().filter_map(|case| case.split('[').next()).collect();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requirements::Requirements;

    fn whole() -> Coverage {
        let contract = Requirements::bundled().unwrap_or_else(|error| panic!("{error}"));
        let mut coverage = Coverage::of(contract, &Default::default(), &[], &[], &[]);
        for (row, status) in coverage.rows.iter_mut().zip(Status::ALL.into_iter().cycle()) {
            row.status = status;
            row.cases = vec!["a/b[x=1]".into(), "a/b[x=2]".into(), "c".into()];
        }
        coverage
    }

    #[test]
    fn the_text_fits_a_terminal_and_counts_all() {
        let coverage = whole();
        let told = anstream::adapter::strip_str(&text(&coverage)).to_string();
        assert!(told.lines().all(|line| line.chars().count() <= WIDTH), "{told}");
        let sum = coverage.rows.len().to_string();
        assert!(told.lines().any(|line| line.starts_with("all ") && line.contains(&sum)), "{told}");
        let first = coverage.rows.iter().find(|row| row.status == Status::Uncovered).expect("a row");
        assert!(told.contains(&first.clause.id), "{told}");
    }

    #[test]
    fn bars_keep_their_length() {
        let cells = |counts| anstream::adapter::strip_str(&bar(counts, BAR)).to_string();
        assert_eq!(cells([2, 1, 0, 1, 0, 1, 3]), "██▒×?···");
        assert_eq!(cells([2, 1, 1, 1, 1, 1, 1]), "██▒~×-?·");
        assert_eq!(cells([100, 100, 0, 0, 0, 0, 0]).chars().count(), BAR);
        assert_eq!(cells([0; 7]), "");
    }

    #[test]
    fn programs_get_an_object_a_clause_and_people_a_table() {
        let coverage = whole();
        let rows: Value = serde_json::from_str(&json(&coverage)).expect("JSON");
        assert_eq!(rows.as_array().map(Vec::len), Some(coverage.rows.len()));
        assert_eq!(rows[2]["status"], "known_failure");
        assert_eq!(rows[3]["status"], "failing");
        let told = markdown(&coverage);
        assert!(told.contains("| a/b, c |"), "{told}");
        assert!(told.contains("## TCP: Opaque tcp"), "{told}");
    }
}
