//! Files of other kinds, read as strictly as scenarios, with errors that look alike.

use std::path::Path;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::decode::decode;
use super::diagnostic::{Diagnostics, Kind, Problem};
use super::{load, yaml};

/// A file as written, and what it takes to complain about it.
#[derive(Debug)]
pub(crate) struct Strict<T> {
    pub(crate) written: T,
    source: Arc<str>,
}

impl<T: DeserializeOwned> Strict<T> {
    /// Reads a file of one YAML document.
    ///
    /// # Errors
    /// It can't be read, or has not the form of `T`.
    pub(crate) fn read(path: &Path) -> Result<Self, Diagnostics> {
        let whole = |problem| Diagnostics::of(vec![problem], path, &Arc::from(""));
        let bytes = load::read(path)
            .map_err(|error| whole(Problem::new(Kind::Io, format!("can't be read: {error}"))))?;
        Self::parse(path, yaml::text(&bytes).map_err(whole)?)
    }

    /// Reads a text; `path` is what errors point at.
    ///
    /// # Errors
    /// It has not the form of `T`.
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, Diagnostics> {
        let source: Arc<str> = text.into();
        let tree =
            yaml::read(text).map_err(|problem| Diagnostics::of(vec![problem], path, &Arc::clone(&source)))?;
        let mut problems = Vec::new();
        match decode(&tree, &mut problems) {
            Some(written) if problems.is_empty() => Ok(Self { written, source }),
            _ => Err(Diagnostics::of(problems, path, &source)),
        }
    }
}

impl<T> Strict<T> {
    /// What is written, and the complaints about it once it is understood; none, no error.
    pub(crate) fn meant<M>(
        self,
        path: &Path,
        mean: impl FnOnce(T, &mut Vec<Problem>) -> M,
    ) -> Result<M, Diagnostics> {
        let mut problems = Vec::new();
        let meant = mean(self.written, &mut problems);
        if problems.is_empty() { Ok(meant) } else { Err(Diagnostics::of(problems, path, &self.source)) }
    }
}
