//! `conform explain`: what a clause says, why, and what proves it.

use std::path::Path;

use super::select::{contract, find};
use super::{BAD_INPUT, BROKEN, complain, print};
use crate::planted;
use crate::report::explain;
use crate::select::Filter;

/// Arguments of `conform explain`.
#[derive(Debug, clap::Args)]
pub(super) struct Explain {
    /// Clauses of the contract: `HTTP-17`
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
}

impl Explain {
    pub(super) fn main(&self, root: &Path) -> u8 {
        self.told(root).map_or_else(|code| code, |text| print(&text))
    }

    fn told(&self, root: &Path) -> Result<String, u8> {
        let contract = contract()?;
        let clauses = self.ids.iter().map(|id| {
            let unknown = |error: crate::select::Unknown| complain(&error.to_string(), BAD_INPUT);
            let filter = Filter::new(contract, &[], std::slice::from_ref(id), &[]).map_err(unknown)?;
            Ok(contract.iter().filter(move |clause| filter.takes(clause)))
        });
        let clauses: Vec<_> = clauses.collect::<Result<Vec<_>, u8>>()?.into_iter().flatten().collect();
        let cases = find(&root.join("scenarios"), &[])?;
        let bugs = planted::read(root)
            .map_err(|error| complain(&format!("reading tests/planted: {error}"), BROKEN))?;
        let told: Vec<_> =
            clauses.iter().map(|clause| explain::clause(contract, clause, &cases, &bugs)).collect();
        Ok(told.join("\n"))
    }
}
