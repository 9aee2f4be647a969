//! `conform coverage`: how much of the contract the cases prove.

use std::num::NonZeroUsize;
use std::path::Path;

use super::play::Play;
use super::select::{Select, find};
use super::target::{Bench, Target};
use super::{BROKEN, complain, print};
use crate::coverage;
use crate::planted;
use crate::report::coverage as report;
use crate::suite::CaseResult;
use crate::verdict::exit_code;

/// Arguments of `conform coverage`.
#[derive(Debug, clap::Args)]
pub(super) struct Coverage {
    #[command(flatten)]
    select: Select,
    #[command(flatten)]
    target: Target,
    /// Cases at once [default: the number of cores]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// How to tell it
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For a terminal
    Text,
    /// For docs/coverage.md
    Markdown,
    /// For programs: an array with an object a clause
    Json,
}

impl Coverage {
    pub(super) fn main(&self, root: &Path) -> u8 {
        let bench = match self.target.open(root) {
            Ok(bench) => bench,
            Err(code) => return code,
        };
        match self.reckon(root, &bench) {
            Ok((coverage, results)) => {
                let text = match self.format {
                    Format::Text => report::text(&coverage),
                    Format::Markdown => report::markdown(&coverage),
                    Format::Json => report::json(&coverage),
                };
                let verdicts = results.iter().map(|result| &result.verdict.verdict);
                print(&text).max(exit_code(verdicts))
            }
            Err(code) => code,
        }
    }

    fn reckon(&self, root: &Path, bench: &Bench) -> Result<(coverage::Coverage, Vec<CaseResult>), u8> {
        let suite = &bench.suite;
        let contract = suite.requirements;
        let filter = self.select.filter(contract)?;
        let broken = |error: std::io::Error| complain(&error.to_string(), BROKEN);
        let bugs = planted::read(root).map_err(broken)?;
        let cases = self.select.cases(&suite.scenarios(), contract)?;
        let all = find(&suite.scenarios(), &[])?;
        let work = (0..cases.len()).map(|case| (case, 0)).collect();
        let play = Play { jobs: self.jobs, lean: true, ..Play::default() };
        let results = play.all(bench, &cases, work).map_err(broken)?;
        Ok((coverage::Coverage::of(contract, &filter, &all, &bugs, &results), results))
    }
}
