//! `conform list`: which cases there are.

use std::path::Path;

use super::print;
use super::select::{Select, contract};
use crate::report::list;

/// Arguments of `conform list`.
#[derive(Debug, clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    select: Select,
    /// For programs: an array of objects
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) fn main(&self, root: &Path) -> u8 {
        let told = contract().and_then(|contract| {
            let cases = self.select.cases(&root.join("scenarios"), contract)?;
            Ok(if self.json { list::json(contract, &cases) } else { list::pretty(contract, &cases) })
        });
        told.map_or_else(|code| code, |text| print(&text))
    }
}
