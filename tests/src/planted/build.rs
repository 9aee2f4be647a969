//! Cargo in the copy, with one target folder for all patches.

use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Nothing is debugged there and nothing is fast: a changed line costs seconds this way, not most of a minute. Dependencies stay as they are.
const PROFILE: [&str; 4] = [
    "profile.dev.package.reference-dp.debug=0",
    "profile.dev.package.reference-dp.opt-level=0",
    "profile.dev.package.harness.debug=0",
    "profile.dev.package.harness.opt-level=0",
];

/// Cargo at work in the copy.
#[derive(Debug, Clone)]
pub struct Cargo {
    folder: PathBuf,
    target: PathBuf,
    jobs: Option<NonZeroUsize>,
}

/// Why nothing can be run.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A program does not start.
    #[error("running {program}: {source}")]
    Start {
        /// Which.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// It does not compile.
    #[error("it does not build: {0}")]
    Compile(String),
}

impl Cargo {
    /// Builds the copy in `folder` into `target`.
    #[must_use]
    pub fn new(folder: &Path, target: &Path, jobs: Option<NonZeroUsize>) -> Self {
        Self { folder: folder.to_owned(), target: target.to_owned(), jobs }
    }

    /// Builds `conform` and tells where it is.
    ///
    /// # Errors
    /// It does not build.
    pub fn conform(&self) -> Result<PathBuf, BuildError> {
        self.build(&["build", "-q", "-p", "harness", "--bin", "conform"])?;
        Ok(self.target.join("debug/conform"))
    }

    /// Builds the test of determinism.
    ///
    /// # Errors
    /// It does not build.
    pub fn determinism(&self) -> Result<(), BuildError> {
        self.build(&["test", "-q", "-p", "tests", "--test", "determinism", "--no-run"])
    }

    /// Runs tests of determinism, after [`Self::determinism`].
    ///
    /// # Errors
    /// They do not start.
    pub fn test_determinism(&self, arguments: &[&str]) -> Result<Output, BuildError> {
        let mut command = self.command(&["test", "-q", "-p", "tests", "--test", "determinism", "--"]);
        command.args(arguments);
        output(command)
    }

    fn build(&self, arguments: &[&str]) -> Result<(), BuildError> {
        let mut command = self.command(arguments);
        if let Some(jobs) = self.jobs {
            command.args(["--jobs", &jobs.to_string()]);
        }
        let built = output(command)?;
        if built.status.success() {
            return Ok(());
        }
        let errors = String::from_utf8_lossy(&built.stderr);
        let first = errors.lines().find(|line| line.starts_with("error")).or(errors.lines().last());
        Err(BuildError::Compile(first.unwrap_or("cargo says nothing").to_owned()))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        // The toolchain that runs this.
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(PROFILE.iter().flat_map(|setting| ["--config", setting]));
        command.args(arguments).current_dir(&self.folder).env("CARGO_TARGET_DIR", &self.target);
        // Whoever else builds without it: here it is what makes a patch cheap.
        command.env("CARGO_INCREMENTAL", "1").env_remove("CONFORM_BLESS").env_remove("CARGO_BUILD_TARGET");
        command
    }
}

/// Runs a program to its end.
///
/// # Errors
/// It does not start.
pub fn output(mut command: Command) -> Result<Output, BuildError> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.output().map_err(|source| BuildError::Start { program, source })
}
