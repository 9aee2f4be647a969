//! Planted bugs: a test of the suite itself.
//!
//! `tests/planted/NAME.patch` is a bug that an engineer could make, and says which clause of which scenario must turn red by it; one in
//! `tests/planted/sim/` breaks the simulator's promise of replay. See tests/planted/README.md.
//!
//! * [`patch`] — patch files: what is expected, which files are touched.
//! * [`select`] — which of them are run. [`proven`] — which were run before, as they are now.
//! * [`tree`] — the copy of the project that bugs are planted in. [`build`] — cargo in that copy.
//! * [`judge`] — what `conform` says about the copy, and whether that is what was expected.
//! * [`run`] — all together. [`options`] — the command line.

pub mod build;
pub mod judge;
pub mod options;
pub mod patch;
pub mod proven;
pub mod run;
pub mod select;
pub mod tree;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser as _;

/// The project's folder.
#[must_use]
pub fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}

/// The command line of the binary: 0 when every bug that was planted was noticed, 1 when one was not, 3 when nothing can be said.
#[must_use]
pub fn main() -> ExitCode {
    let options = options::Options::parse();
    match run::run(&root(), &options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            use std::io::Write as _;
            // Without a standard error there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::from(3)
        }
    }
}
