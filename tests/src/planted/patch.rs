//! Patch files: comments that say what is expected, then an ordinary `git diff`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A planted bug.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// The file's name below `tests/planted`, without `.patch`: `half_close_dropped`, `sim/clock`.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// The file's text.
    pub text: String,
    /// What must turn red.
    pub expects: Expects,
    /// Files that it changes, as paths from the project's folder.
    pub touches: Vec<PathBuf>,
}

/// What a planted bug must turn red.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expects {
    /// Clauses of scenarios, all of them.
    Clauses(Vec<Claim>),
    /// These tests of `tests/tests/determinism.rs`, all of them.
    Determinism(Vec<String>),
}

/// `# expects: SCENARIO CLAUSE [CLAUSE ...]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// A scenario (`tcp/half_close`) or some of its cases (`tcp/half_close[mtls=strict`).
    pub scenario: String,
    /// Ids of clauses.
    pub clauses: Vec<String>,
}

/// Why a patch file is unusable.
#[derive(Debug, thiserror::Error)]
pub enum PatchError {
    /// The file or the folder cannot be read.
    #[error("reading {path}: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file does not say what it expects.
    #[error("{path}: the first line is not `# expects: SCENARIO CLAUSE [CLAUSE ...]`")]
    NoExpects {
        /// Which.
        path: PathBuf,
    },
    /// A line `# expects:` that makes no sense.
    #[error(
        "{path}: `{line}` is neither `# expects: SCENARIO CLAUSE [CLAUSE ...]` nor `# expects: determinism TEST [TEST ...]`"
    )]
    Expects {
        /// Which.
        path: PathBuf,
        /// The line.
        line: String,
    },
    /// The file changes nothing.
    #[error("{path}: no `git diff` in it")]
    NoDiff {
        /// Which.
        path: PathBuf,
    },
    /// No patch has this name.
    #[error("no patch is called `{0}`")]
    Unknown(String),
}

/// All patches below a folder, by name.
///
/// # Errors
/// One of them is unusable.
pub fn all(folder: &Path) -> Result<Vec<Patch>, PatchError> {
    let mut patches = Vec::new();
    collect(folder, "", &mut patches)?;
    patches.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(patches)
}

fn collect(folder: &Path, prefix: &str, patches: &mut Vec<Patch>) -> Result<(), PatchError> {
    let failed = |source| PatchError::Read { path: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            collect(&path, &format!("{prefix}{name}/"), patches)?;
        } else if let Some(name) = name.strip_suffix(".patch") {
            let text = fs::read_to_string(&path)
                .map_err(|source| PatchError::Read { path: path.clone(), source })?;
            patches.push(Patch::parse(&format!("{prefix}{name}"), &path, text)?);
        }
    }
    Ok(())
}

impl Patch {
    /// Reads a patch file's text.
    ///
    /// # Errors
    /// It does not say what it expects, or changes nothing.
    pub fn parse(name: &str, path: &Path, text: String) -> Result<Self, PatchError> {
        let lines = || text.lines().take_while(|line| line.starts_with('#'));
        if !lines().next().is_some_and(|line| line.starts_with("# expects:")) {
            return Err(PatchError::NoExpects { path: path.to_owned() });
        }
        let mut claims = Vec::new();
        let mut tests = Vec::new();
        for line in lines() {
            let Some(claim) = line.strip_prefix("# expects:") else { continue };
            let mut words = claim.split_whitespace().map(str::to_owned);
            match (words.next(), words.collect::<Vec<_>>()) {
                (Some(word), more) if word == "determinism" && !more.is_empty() => tests.extend(more),
                (Some(scenario), clauses) if !clauses.is_empty() => claims.push(Claim { scenario, clauses }),
                _ => return Err(PatchError::Expects { path: path.to_owned(), line: line.to_owned() }),
            }
        }
        // Two ways of being noticed in one patch would hide that one of them fails.
        if !tests.is_empty() && !claims.is_empty() {
            let line = "# expects: determinism, and clauses".to_owned();
            return Err(PatchError::Expects { path: path.to_owned(), line });
        }
        let expects = if tests.is_empty() { Expects::Clauses(claims) } else { Expects::Determinism(tests) };
        let touches = touched(&text);
        if touches.is_empty() {
            return Err(PatchError::NoDiff { path: path.to_owned() });
        }
        Ok(Self { name: name.to_owned(), path: path.to_owned(), text, expects, touches })
    }

    /// The scenarios it names, each once.
    #[must_use]
    pub fn scenarios(&self) -> Vec<&str> {
        let Expects::Clauses(claims) = &self.expects else { return Vec::new() };
        let mut scenarios: Vec<_> = claims.iter().map(|claim| claim.scenario.as_str()).collect();
        scenarios.sort_unstable();
        scenarios.dedup();
        scenarios
    }
}

impl Claim {
    /// Whether a case is one of the scenario's that is meant: `tcp/echo` is not `tcp/echo_twice`.
    #[must_use]
    pub fn covers(&self, case: &str) -> bool {
        case.strip_prefix(self.scenario.as_str()).is_some_and(|rest| {
            !rest.starts_with(|next: char| next.is_alphanumeric() || matches!(next, '_' | '-' | '/'))
        })
    }

    /// The scenario's file, as a path from the project's folder.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        scenario_file(&self.scenario)
    }
}

/// The file of a scenario, or of some of its cases, as a path from the project's folder.
#[must_use]
pub fn scenario_file(scenario: &str) -> PathBuf {
    let base = scenario.split('[').next().unwrap_or_default();
    PathBuf::from(format!("scenarios/{base}.yaml"))
}

/// The files that a diff changes, from its `---` lines; new files have no content to depend on.
fn touched(text: &str) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    let mut previous = "";
    for line in text.lines() {
        // A removed line that begins with `--` would look the same, but has no `+++` line after it.
        if let (Some(old), true) = (previous.strip_prefix("--- "), line.starts_with("+++ ")) {
            let old = old.split('\t').next().unwrap_or_default();
            paths.extend(old.strip_prefix("a/").map(PathBuf::from));
        }
        previous = line;
    }
    paths.sort();
    paths.dedup();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIFF: &str = "diff --git a/x/y.rs b/x/y.rs\n--- a/x/y.rs\n+++ b/x/y.rs\n@@ -1 +1 @@\n-a\n+b\n";

    fn parse(header: &str) -> Result<Patch, PatchError> {
        Patch::parse("name", Path::new("name.patch"), format!("{header}{DIFF}"))
    }

    #[test]
    fn a_patch_says_what_it_expects_and_touches() {
        let patch = parse("# expects: tcp/echo TCP-1 TCP-2\n# why\n# expects: tls/x[mtls=strict TLS-1\n");
        let patch = patch.unwrap_or_else(|error| panic!("{error}"));
        let claim = |scenario: &str, clauses: &[&str]| Claim {
            scenario: scenario.to_owned(),
            clauses: clauses.iter().map(|clause| (*clause).to_owned()).collect(),
        };
        let claims = vec![claim("tcp/echo", &["TCP-1", "TCP-2"]), claim("tls/x[mtls=strict", &["TLS-1"])];
        assert_eq!(claims[1].file(), PathBuf::from("scenarios/tls/x.yaml"));
        assert_eq!(patch.expects, Expects::Clauses(claims));
        assert_eq!(patch.touches, [PathBuf::from("x/y.rs")]);
        assert_eq!(patch.scenarios(), ["tcp/echo", "tls/x[mtls=strict"]);
    }

    #[test]
    fn a_patch_without_claim_or_diff_is_refused() {
        assert!(matches!(parse("# bug\n# expects: tcp/echo TCP-1\n"), Err(PatchError::NoExpects { .. })));
        assert!(matches!(parse("# expects: tcp/echo\n"), Err(PatchError::Expects { .. })));
        assert!(matches!(parse("# expects: determinism\n"), Err(PatchError::Expects { .. })));
        assert!(matches!(parse("# expects:\n"), Err(PatchError::Expects { .. })));
        let both = "# expects: determinism golden\n# expects: tcp/echo TCP-1\n";
        assert!(matches!(parse(both), Err(PatchError::Expects { .. })));
        let empty = Patch::parse("name", Path::new("n"), "# expects: tcp/echo TCP-1\n".to_owned());
        assert!(matches!(empty, Err(PatchError::NoDiff { .. })));
    }

    #[test]
    fn a_claim_ends_where_the_name_ends() {
        let claim = |scenario: &str| Claim { scenario: scenario.to_owned(), clauses: Vec::new() };
        assert!(claim("tcp/echo").covers("tcp/echo"));
        assert!(claim("tcp/echo").covers("tcp/echo[mtls=strict,size=1]"));
        assert!(claim("tcp/echo[mtls=strict").covers("tcp/echo[mtls=strict,size=1]"));
        assert!(!claim("tcp/echo[size=1").covers("tcp/echo[size=10]"));
        for other in ["tcp/echo_twice", "tcp/echo-2", "tcp/echo/x", "xtcp/echo", "tcp/ech"] {
            assert!(!claim("tcp/echo").covers(other), "{other}");
        }
    }
}
