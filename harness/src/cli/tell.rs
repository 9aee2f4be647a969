//! `--format` and `--output`: how results are told.

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use crate::language::Scenario;
use crate::report::{Summary, json, junit, pretty};
use crate::suite::CaseResult;

/// Arguments that say how to tell what came of cases.
#[derive(Debug, clap::Args)]
pub(super) struct Tell {
    /// How to tell what came of it
    #[arg(long, value_enum, default_value = "pretty")]
    format: Format,
    /// Write the report here instead of to standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    Pretty,
    /// For programs; the same bytes for the same cases and seeds
    Json,
    /// For CI servers: JUnit's XML, one test suite a folder of scenarios
    Junit,
}

impl Tell {
    /// Whether the report has digests of packets.
    pub(super) fn tells_traces(&self) -> bool {
        self.format == Format::Json
    }

    /// Writes the report.
    pub(super) fn report(
        &self,
        cases: &[Scenario],
        results: &[CaseResult],
        summary: &Summary,
    ) -> io::Result<()> {
        let text = match self.format {
            Format::Pretty => pretty::report(cases, results, summary),
            Format::Json => json::report(results, summary)?,
            Format::Junit => junit::report(cases, results).map_err(io::Error::other)?,
        };
        match &self.output {
            Some(path) => fs::write(path, anstream::adapter::strip_str(&text).to_string()),
            None => anstream::stdout().lock().write_all(text.as_bytes()),
        }
    }
}
