//! Which cases: paths, parts of names, and words of the contract.

use std::io::Write as _;

use super::{BAD_INPUT, BROKEN, colours, complain};
use crate::language::Scenario;
use crate::requirements::Requirements;
use crate::scenario;
use crate::select::Filter;

/// Arguments that pick cases.
#[derive(Debug, clap::Args)]
pub(super) struct Select {
    /// Scenario files or folders, or parts of case names [default: all scenarios]
    #[arg(value_name = "PATH|FILTER")]
    wanted: Vec<String>,
    /// Only cases that name a clause of this area (`HTTP`); may be repeated, as may the next two
    #[arg(long, value_name = "AREA")]
    area: Vec<String>,
    /// Only cases that name this clause (`HTTP-17`)
    #[arg(long, value_name = "ID")]
    clause: Vec<String>,
    /// Only cases that name a clause of this feature (`mtls`)
    #[arg(long, value_name = "FEATURE")]
    feature: Vec<String>,
}

impl Select {
    /// Whether all cases are asked for.
    pub(super) fn is_whole(&self) -> bool {
        self.wanted.is_empty() && self.area.is_empty() && self.clause.is_empty() && self.feature.is_empty()
    }

    /// The words of the contract among the arguments, or the exit code after what is wrong with them was told.
    pub(super) fn filter(&self, contract: &Requirements) -> Result<Filter, u8> {
        Filter::new(contract, &self.area, &self.clause, &self.feature)
            .map_err(|unknown| complain(&unknown.to_string(), BAD_INPUT))
    }

    /// The cases asked for, at least one; or the exit code after it was told why there are none.
    pub(super) fn cases(
        &self,
        scenarios: &std::path::Path,
        contract: &Requirements,
    ) -> Result<Vec<Scenario>, u8> {
        let filter = self.filter(contract)?;
        let mut cases = find(scenarios, &self.wanted)?;
        cases.retain(|case| filter.takes_case(contract, case));
        if cases.is_empty() {
            return Err(complain("no scenario's name, path or clauses match what was asked for", BAD_INPUT));
        }
        Ok(cases)
    }
}

/// Cases by paths and parts of names, or the exit code after it was told what is wrong with them.
pub(super) fn find(scenarios: &std::path::Path, wanted: &[String]) -> Result<Vec<Scenario>, u8> {
    scenario::find(scenarios, wanted).map_err(|diagnostics| {
        // Without a standard error there is nobody to tell.
        let _ = writeln!(anstream::stderr().lock(), "{}", diagnostics.render(colours()));
        BAD_INPUT
    })
}

/// The contract, or the exit code after it was told why it cannot be read.
pub(super) fn contract() -> Result<&'static Requirements, u8> {
    Requirements::bundled().map_err(|error| complain(&error.to_string(), BROKEN))
}
