//! Where a dataplane's program is.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// How a program is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binary {
    /// Its name.
    pub name: String,
    /// Variable of the environment that says where it is.
    pub env: Option<String>,
    /// Whether it is one of this project's own: beside this program, or in `target`.
    pub project: bool,
}

/// A program that is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoBinary {
    /// What the environment names cannot be run.
    #[error("{variable} names {}, which is no program", path.display())]
    Named {
        /// The variable.
        variable: String,
        /// Its value.
        path: PathBuf,
    },
    /// Found nowhere.
    #[error("there is no program `{name}` {places}{}", hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default())]
    Nowhere {
        /// Its name.
        name: String,
        /// Where it was looked for.
        places: String,
        /// What helps.
        hint: Option<String>,
    },
}

impl Binary {
    /// Finds it: where its variable says, else (one of the project's own) beside this program and in `root`/target, else on the PATH.
    ///
    /// # Errors
    /// It is not there.
    pub fn find(&self, root: &Path) -> Result<PathBuf, NoBinary> {
        let named = self.env.as_ref().and_then(|variable| Some((variable, env::var_os(variable)?)));
        if let Some((variable, path)) = named.filter(|(_, path)| !path.is_empty()) {
            let path = PathBuf::from(path);
            // A bare name is looked up as a shell would.
            let found =
                if path.components().count() > 1 { Some(path.clone()) } else { on_path(path.as_os_str()) };
            return found
                .filter(|path| is_program(path))
                .map(absolute)
                .ok_or(NoBinary::Named { variable: variable.clone(), path });
        }
        let name = OsStr::new(&self.name);
        let found = if self.project { own(root, name) } else { None };
        found.or_else(|| on_path(name)).map(absolute).ok_or_else(|| NoBinary::Nowhere {
            name: self.name.clone(),
            places: if self.project { "beside this one, in target or on the PATH" } else { "on the PATH" }
                .to_owned(),
            hint: self.env.as_ref().map(|variable| format!("say where it is with {variable}")),
        })
    }
}

fn own(root: &Path, name: &OsStr) -> Option<PathBuf> {
    let this = env::current_exe().unwrap_or_default();
    // Tests stand one folder deeper than the programs of the same build.
    let beside = this.ancestors().skip(1).take(2).map(|folder| folder.join(name));
    let built = ["release", "debug"].map(|profile| root.join("target").join(profile).join(name));
    beside.chain(built).find(|path| is_program(path))
}

fn on_path(name: &OsStr) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Processes run in folders of their own.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary(name: &str, env: Option<&str>) -> Binary {
        Binary { name: name.to_owned(), env: env.map(str::to_owned), project: false }
    }

    #[test]
    fn programs_are_found_on_the_path() {
        assert!(binary("sh", None).find(Path::new("")).is_ok_and(|path| path.is_absolute()));
    }

    #[test]
    fn what_is_nowhere_is_told_with_what_helps() {
        let error = binary("no-such-program", Some("NO_SUCH_VARIABLE")).find(Path::new("")).unwrap_err();
        let told = "there is no program `no-such-program` on the PATH; say where it is with NO_SUCH_VARIABLE";
        assert_eq!(error.to_string(), told);
    }

    #[test]
    fn a_variable_that_names_no_program_is_no_reason_to_look_elsewhere() {
        // HOME is a folder.
        let error = binary("sh", Some("HOME")).find(Path::new("")).unwrap_err();
        assert!(matches!(error, NoBinary::Named { .. }), "{error}");
    }
}
