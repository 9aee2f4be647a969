//! The copy of the project that bugs are planted in. It stays at one place and only differing files are written, so that cargo rebuilds no
//! more than it must.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::patch::Patch;

/// A copy of the project below `target/planted`.
#[derive(Debug, Clone)]
pub struct Tree {
    root: PathBuf,
    /// The copy's folder.
    pub folder: PathBuf,
}

/// Why the copy is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// git does not run.
    #[error("running git: {0}")]
    Git(#[source] io::Error),
    /// git does not list the project's files.
    #[error("git ls-files failed: {0}")]
    List(String),
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The patch does not fit the sources as they are.
    #[error("the patch no longer applies: {0}")]
    Apply(String),
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> TreeError + use<'_> {
    move |source| TreeError::File { path: path.to_owned(), source }
}

impl Tree {
    /// The copy of the project at `root`; nothing is there before [`Self::reset`].
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), folder: root.join("target/planted/tree") }
    }

    /// Makes the copy equal to the project as it is now, uncommitted changes and all.
    ///
    /// # Errors
    /// git or the file system fail.
    pub fn reset(&self) -> Result<(), TreeError> {
        let wanted = self.project_files()?;
        fs::create_dir_all(&self.folder).map_err(at(&self.folder))?;
        let mut present = BTreeSet::new();
        files(&self.folder, Path::new(""), &mut present)?;
        for gone in present.difference(&wanted) {
            let path = self.folder.join(gone);
            fs::remove_file(&path).map_err(at(&path))?;
        }
        for path in &wanted {
            self.copy(path)?;
        }
        Ok(())
    }

    /// Files that git tracks, or would if they were added. Cargo's own settings are left out: the copy lies below the project, whose settings
    /// count there too, and twice the same flags would be other flags, with which every dependency is built anew.
    fn project_files(&self) -> Result<BTreeSet<PathBuf>, TreeError> {
        let listed = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(&self.root)
            .output()
            .map_err(TreeError::Git)?;
        if !listed.status.success() {
            return Err(TreeError::List(String::from_utf8_lossy(&listed.stderr).into_owned()));
        }
        let names = String::from_utf8_lossy(&listed.stdout).into_owned();
        // A tracked file may have been deleted.
        let present = |path: &PathBuf| !path.starts_with(".cargo") && self.root.join(path).is_file();
        Ok(names.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).filter(present).collect())
    }

    fn copy(&self, path: &Path) -> Result<(), TreeError> {
        let (from, to) = (self.root.join(path), self.folder.join(path));
        let content = fs::read(&from).map_err(at(&from))?;
        if fs::read(&to).is_ok_and(|present| present == content) {
            return Ok(());
        }
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).map_err(at(folder))?;
        }
        fs::write(&to, content).map_err(at(&to))
    }

    /// Plants a bug.
    ///
    /// # Errors
    /// The patch does not fit.
    pub fn plant(&self, patch: &Patch) -> Result<(), TreeError> {
        let applied = Command::new("git")
            .args(["apply", "--whitespace=nowarn"])
            .arg(&patch.path)
            .current_dir(&self.folder)
            // Inside a repository git would skip what lies outside of its own idea of the folder.
            .env("GIT_CEILING_DIRECTORIES", self.folder.parent().unwrap_or(&self.folder))
            .output()
            .map_err(TreeError::Git)?;
        if applied.status.success() {
            Ok(())
        } else {
            Err(TreeError::Apply(String::from_utf8_lossy(&applied.stderr).trim().replace('\n', "; ")))
        }
    }
}

/// All files below a folder, as paths from it.
fn files(root: &Path, below: &Path, found: &mut BTreeSet<PathBuf>) -> Result<(), TreeError> {
    let folder = root.join(below);
    for entry in fs::read_dir(&folder).map_err(at(&folder))? {
        let entry = entry.map_err(at(&folder))?;
        let path = below.join(entry.file_name());
        if entry.file_type().map_err(at(&folder))?.is_dir() {
            files(root, &path, found)?;
        } else {
            found.insert(path);
        }
    }
    Ok(())
}
