//! `conform judge`: judges records again, without playing them.

use std::path::PathBuf;

use super::select::contract;
use super::tell::Tell;
use super::{BAD_INPUT, BROKEN, complain};
use crate::language::Scenario;
use crate::record::{self, Record, RecordError};
use crate::report::Summary;
use crate::requirements::Requirements;
use crate::suite::CaseResult;

/// Arguments of `conform judge`.
#[derive(Debug, clap::Args)]
pub(super) struct Judge {
    /// Records that `conform run` made, or folders of them
    #[arg(value_name = "DIR", required = true)]
    folders: Vec<PathBuf>,
    #[command(flatten)]
    tell: Tell,
}

impl Judge {
    pub(super) fn main(&self) -> u8 {
        let contract = match contract() {
            Ok(contract) => contract,
            Err(code) => return code,
        };
        let (cases, results) = match self.judged(contract) {
            Ok(judged) => judged,
            Err(error) => return complain(&error.to_string(), BAD_INPUT),
        };
        let summary = Summary::of(&cases, &results);
        match self.tell.report(&cases, &results, &summary) {
            Ok(()) => summary.exit_code(),
            Err(error) => complain(&error.to_string(), BROKEN),
        }
    }

    /// Cases and what came of them, in the order in which they were run.
    fn judged(&self, contract: &Requirements) -> Result<(Vec<Scenario>, Vec<CaseResult>), RecordError> {
        let mut judged = Vec::new();
        for folder in &self.folders {
            for folder in record::find(folder)? {
                let record = Record::read(&folder)?;
                let (order, scenario) = (record.order(), record.scenario.clone());
                let mut result = record.judge(contract);
                result.forget_if_passed();
                judged.push((order, (scenario, result)));
            }
        }
        judged.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(judged.into_iter().map(|(_, judged)| judged).unzip())
    }
}
