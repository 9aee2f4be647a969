//! `conform check`: reads scenario files and says what is wrong with them.

use std::io::Write as _;
use std::path::Path;

use super::select::{Select, contract};
use super::{BROKEN, OK};

/// Arguments of `conform check`.
#[derive(Debug, clap::Args)]
pub(super) struct Check {
    #[command(flatten)]
    select: Select,
}

impl Check {
    pub(super) fn main(&self, root: &Path) -> u8 {
        let cases = match contract().and_then(|contract| self.select.cases(&root.join("scenarios"), contract))
        {
            Ok(cases) => cases,
            Err(code) => return code,
        };
        let mut files: Vec<_> = cases.iter().map(|case| &case.file).collect();
        files.dedup();
        let line = format!("{} scenarios in {} files are well formed", cases.len(), files.len());
        if writeln!(anstream::stdout().lock(), "{line}").is_ok() { OK } else { BROKEN }
    }
}
