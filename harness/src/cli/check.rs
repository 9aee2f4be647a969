//! `conform check`: reads scenario files and says what is wrong with them.

use std::io::Write as _;
use std::path::Path;

use super::{BAD_INPUT, BROKEN, OK, colours, complain};

/// Arguments of `conform check`.
#[derive(Debug, clap::Args)]
pub(super) struct Check {
    /// Scenario files or folders, or parts of case names [default: all scenarios]
    #[arg(value_name = "PATH|FILTER")]
    wanted: Vec<String>,
}

impl Check {
    pub(super) fn main(&self, root: &Path) -> u8 {
        match crate::scenario::find(&root.join("scenarios"), &self.wanted) {
            Ok(cases) if cases.is_empty() => complain("nothing here is a scenario", BAD_INPUT),
            Ok(cases) => {
                let mut files: Vec<_> = cases.iter().map(|case| &case.file).collect();
                files.dedup();
                let line = format!("{} scenarios in {} files are well formed", cases.len(), files.len());
                if writeln!(anstream::stdout().lock(), "{line}").is_ok() { OK } else { BROKEN }
            }
            Err(diagnostics) => {
                // Without a standard error there is nobody to tell.
                let _ = write!(anstream::stderr().lock(), "{}", diagnostics.render(colours()));
                BAD_INPUT
            }
        }
    }
}
