//! `conform judge`: judges records again, without playing them.

use std::path::PathBuf;

use super::select::contract;
use super::tell::Tell;
use super::{BAD_INPUT, BROKEN, complain};
use crate::record::{self, Record, RecordError};
use crate::report::Summary;

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
        let records = match self.records() {
            Ok(records) => records,
            Err(error) => return complain(&error.to_string(), BAD_INPUT),
        };
        let cases: Vec<_> = records.iter().map(|record| record.scenario.clone()).collect();
        let results: Vec<_> = records.into_iter().map(|record| record.judge(&contract)).collect();
        let summary = Summary::of(&cases, &results);
        match self.tell.report(&cases, &results, &summary) {
            Ok(()) => summary.exit_code(),
            Err(error) => complain(&error.to_string(), BROKEN),
        }
    }

    fn records(&self) -> Result<Vec<Record>, RecordError> {
        let mut found = Vec::new();
        for folder in &self.folders {
            found.extend(record::find(folder)?);
        }
        let mut records: Vec<_> =
            found.iter().map(|folder| Record::read(folder)).collect::<Result<_, _>>()?;
        records.sort_by(|a, b| a.order().cmp(&b.order()));
        Ok(records)
    }
}
