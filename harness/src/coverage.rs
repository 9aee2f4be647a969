//! How much of the contract the cases prove, clause by clause.

use serde::Serialize;

use crate::language::Scenario;
use crate::planted::Bug;
use crate::requirements::{Binding, Clause, Requirements};
use crate::select::Filter;
use crate::suite::CaseResult;
use crate::verdict::Verdict;

/// How many statuses there are.
pub const COUNT: usize = 7;

/// How well a clause is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It holds, and a planted bug was seen to turn it red.
    Proven,
    /// An expectation that names it was evaluated, and it holds.
    Covered,
    /// It does not hold, and the dataplane's declaration says so.
    KnownFailure,
    /// It does not hold.
    Failing,
    /// It is about what the dataplane does not declare.
    Unsupported,
    /// Cases name it, and none of them could be judged, or was asked for.
    NotRun,
    /// No case names it.
    Uncovered,
}

impl Status {
    /// All, the best first.
    pub const ALL: [Self; COUNT] = [
        Self::Proven,
        Self::Covered,
        Self::KnownFailure,
        Self::Failing,
        Self::Unsupported,
        Self::NotRun,
        Self::Uncovered,
    ];

    /// For people.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Covered => "covered",
            Self::KnownFailure => "known",
            Self::Failing => "failing",
            Self::Unsupported => "unsupp.",
            Self::NotRun => "not run",
            Self::Uncovered => "not yet",
        }
    }
}

/// A clause, and who watches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The clause.
    pub clause: Clause,
    /// How well.
    pub status: Status,
    /// Names of all cases that name it, in order.
    pub cases: Vec<String>,
    /// Names of the planted bugs that were seen to turn it red.
    pub bugs: Vec<String>,
}

/// The contract, or the part of it that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// Areas with their titles, those that have rows, in the contract's order.
    pub areas: Vec<(String, String)>,
    /// Clauses in the contract's order.
    pub rows: Vec<Row>,
    /// Cases that were run.
    pub ran: usize,
}

impl Coverage {
    /// Reckons up. `cases` are all there are, `results` those of the cases that were run.
    #[must_use]
    pub fn of(
        contract: &Requirements,
        filter: &Filter,
        cases: &[Scenario],
        bugs: &[Bug],
        results: &[CaseResult],
    ) -> Self {
        let wanted = contract.iter().filter(|clause| filter.takes(clause));
        let rows: Vec<_> = wanted.map(|clause| row(clause, cases, bugs, results)).collect();
        let has_rows = |area: &str| rows.iter().any(|row| row.clause.area == area);
        let areas = contract.areas().filter(|(area, _)| has_rows(area));
        let areas = areas.map(|(area, title)| (area.to_owned(), title.to_owned())).collect();
        let unplayed = |result: &&CaseResult| result.case.is_none() && !result.verdict.verdict.is_judged();
        let ran = results.iter().filter(|result| !unplayed(result)).count();
        Self { areas, rows, ran }
    }

    /// Clauses of an area (all without one) and a level (all without one) by status, in the order of [`Status::ALL`].
    #[must_use]
    pub fn counts(&self, area: Option<&str>, level: Option<Binding>) -> [usize; COUNT] {
        let of_these = |row: &&Row| {
            area.is_none_or(|area| row.clause.area == area)
                && level.is_none_or(|level| row.clause.level == level)
        };
        Status::ALL.map(|status| self.rows.iter().filter(of_these).filter(|row| row.status == status).count())
    }

    /// Rows of an area.
    pub fn area<'a>(&'a self, area: &'a str) -> impl Iterator<Item = &'a Row> {
        self.rows.iter().filter(move |row| row.clause.area == area)
    }
}

fn row(clause: &Clause, cases: &[Scenario], bugs: &[Bug], results: &[CaseResult]) -> Row {
    let naming = cases.iter().filter(|case| case.clauses().contains(&clause.id.as_str()));
    let cases: Vec<_> = naming.map(|case| case.name.clone()).collect();
    let proven = bugs.iter().filter(|bug| bug.proven && bug.names(&clause.id));
    let bugs: Vec<_> = proven.map(|bug| bug.name.clone()).collect();
    let verdicts = || results.iter().filter_map(|result| result.verdict.clauses.get(&clause.id));
    let status = if verdicts().any(|verdict| matches!(verdict, Verdict::Fail | Verdict::Warn)) {
        Status::Failing
    } else if verdicts().any(|verdict| matches!(verdict, Verdict::KnownFailure(_))) {
        Status::KnownFailure
    } else if verdicts().any(|verdict| *verdict == Verdict::Pass) {
        if bugs.is_empty() { Status::Covered } else { Status::Proven }
    } else if verdicts().any(|verdict| matches!(verdict, Verdict::Unsupported(_))) {
        Status::Unsupported
    } else if cases.is_empty() {
        Status::Uncovered
    } else {
        Status::NotRun
    };
    Row { clause: clause.clone(), status, cases, bugs }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planted::Claim;
    use crate::verdict::CaseVerdict;

    fn case(name: &str, clauses: &[&str]) -> Scenario {
        let text = format!(
            "about: x\nmesh: {{mtls: disabled}}\npods:\n  web: {{}}\n  backend: {{app: {{tcp: echo}}}}\nsteps:\n  - {{id: a, from: web, to: backend, tcp: x}}\nexpect:\n  - {{client: {{step: a, received: x}}, proves: [{}]}}\n",
            clauses.join(", ")
        );
        let parsed = crate::scenario::parse(name, std::path::Path::new("case.yaml"), &text);
        parsed.unwrap_or_else(|wrong| panic!("{wrong}")).remove(0)
    }

    fn result(name: &str, clauses: &[(&str, Verdict)]) -> CaseResult {
        let mut verdict = CaseVerdict::broken(name, "made by hand");
        verdict.clauses = clauses.iter().map(|(id, verdict)| ((*id).to_owned(), verdict.clone())).collect();
        CaseResult {
            seed: 0,
            target: std::sync::Arc::default(),
            verdict,
            case: None,
            record: None,
            unrecorded: None,
            files: None,
        }
    }

    fn bug(clause: &str, proven: bool) -> Bug {
        let claims = vec![Claim { scenario: "t/a".into(), clauses: vec![clause.into()] }];
        Bug { name: format!("bug of {clause}"), about: String::new(), claims, proven }
    }

    #[test]
    fn each_status_has_its_reason() {
        let contract = Requirements::bundled().unwrap_or_else(|error| panic!("{error}"));
        let cases = [
            case("t/a", &["TCP-1", "TCP-2", "TCP-3", "TCP-4"]),
            case("t/b", &["TCP-5"]),
            case("t/c", &["TCP-7", "TCP-8"]),
        ];
        let not_run = Verdict::NotRun("no secrets".into());
        let results = [
            result("t/a", &[("TCP-1", Verdict::Pass), ("TCP-2", Verdict::Pass), ("TCP-3", Verdict::Warn)]),
            result("t/a", &[("TCP-3", Verdict::Pass), ("TCP-4", not_run)]),
            result(
                "t/c",
                &[("TCP-7", Verdict::KnownFailure("x".into())), ("TCP-8", Verdict::Unsupported("y".into()))],
            ),
        ];
        let bugs = [bug("TCP-1", true), bug("TCP-2", false), bug("TCP-3", true), bug("TCP-6", true)];
        let filter = Filter::new(contract, &["TCP".into()], &[], &[]).expect("an area");
        let coverage = Coverage::of(contract, &filter, &cases, &bugs, &results);
        let status = |id: &str| coverage.rows.iter().find(|row| row.clause.id == id).map(|row| row.status);
        for (id, wanted) in [
            ("TCP-1", Status::Proven),
            ("TCP-2", Status::Covered),
            ("TCP-3", Status::Failing),
            ("TCP-4", Status::NotRun),
            ("TCP-5", Status::NotRun),
            ("TCP-6", Status::Uncovered),
            ("TCP-7", Status::KnownFailure),
            ("TCP-8", Status::Unsupported),
        ] {
            assert_eq!(status(id), Some(wanted), "{id}");
        }
        assert_eq!(status("HTTP-1"), None, "another area");
        assert_eq!(coverage.counts(Some("TCP"), None)[..6], [1, 1, 1, 1, 1, 2]);
        assert_eq!(coverage.counts(None, None).iter().sum::<usize>(), coverage.rows.len());
        assert_eq!(coverage.areas, [("TCP".to_owned(), "Opaque tcp".to_owned())]);
    }
}
