//! `tests/planted/PROVEN`: what each patch depended on when it was last seen to turn its clauses red.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::patch::{Expects, Patch};

/// Digests by the patches' names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proven(BTreeMap<String, String>);

impl Proven {
    /// Reads the file; without it nothing is proven.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn load(path: &Path) -> io::Result<Self> {
        match fs::read_to_string(path) {
            Ok(text) => Ok(Self::parse(&text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// A line that is not a name and a digest proves nothing, which costs no more than a run.
    fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let entries = lines.filter_map(|line| line.split_once(' '));
        Self(entries.map(|(name, digest)| (name.to_owned(), digest.trim().to_owned())).collect())
    }

    /// Whether the patch was proven with this digest.
    #[must_use]
    pub fn holds(&self, patch: &Patch, digest: &str) -> bool {
        self.0.get(&patch.name).is_some_and(|proven| proven == digest)
    }

    /// Notes what was proven.
    pub fn note(&mut self, name: &str, digest: String) {
        self.0.insert(name.to_owned(), digest);
    }

    /// Forgets a patch that is not proven any more.
    pub fn forget(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Forgets patches that are gone.
    pub fn keep(&mut self, patches: &[String]) {
        self.0.retain(|name, _| patches.contains(name));
    }

    /// Writes the file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let mut text = "# Written by `cargo run -p tests --bin planted -- --record`: a patch, and SHA-256 of what it depends on.\n"
            .to_owned();
        for (name, digest) in &self.0 {
            text += &format!("{name} {digest}\n");
        }
        fs::write(path, text)
    }
}

/// SHA-256 over the patch, the sources it touches and what judges it, as they are now. A file that is missing counts as empty; running the
/// patch will tell.
#[must_use]
pub fn digest(root: &Path, patch: &Patch) -> String {
    let mut hasher = Sha256::new();
    let mut add = |name: &str, content: &[u8]| {
        // Lengths keep one file's end from passing for another one's beginning.
        hasher.update((name.len() as u64).to_be_bytes());
        hasher.update(name);
        hasher.update((content.len() as u64).to_be_bytes());
        hasher.update(content);
    };
    add("patch", patch.text.as_bytes());
    for path in patch.touches.iter().cloned().chain(judges(patch)) {
        add(&path.to_string_lossy(), &fs::read(root.join(&path)).unwrap_or_default());
    }
    hex::encode(hasher.finalize())
}

/// The files that decide whether the bug is noticed.
fn judges(patch: &Patch) -> Vec<PathBuf> {
    match &patch.expects {
        Expects::Determinism(_) => vec![PathBuf::from("tests/tests/determinism.rs")],
        Expects::Clauses(claims) => {
            let mut files: Vec<_> = claims.iter().map(super::patch::Claim::file).collect();
            files.sort();
            files.dedup();
            files
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch() -> Patch {
        let text = "# expects: tcp/echo TCP-1\n--- a/a.rs\n+++ b/a.rs\n".to_owned();
        Patch::parse("echo", Path::new("echo.patch"), text).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn any_change_of_source_patch_or_scenario_changes_the_digest() {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let root = folder.path();
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap_or(root)).unwrap_or_else(|error| panic!("{error}"));
            fs::write(path, text).unwrap_or_else(|error| panic!("{error}"));
        };
        write("a.rs", "1");
        write("b.rs", "1");
        write("scenarios/tcp/echo.yaml", "1");
        let first = digest(root, &patch());
        write("b.rs", "2");
        assert_eq!(digest(root, &patch()), first, "a file that it does not touch");
        write("a.rs", "2");
        let second = digest(root, &patch());
        write("scenarios/tcp/echo.yaml", "2");
        let third = digest(root, &patch());
        let mut other = patch();
        other.text += "x";
        let fourth = digest(root, &other);
        let mut all = vec![first, second, third, fourth];
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 4);
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let path = folder.path().join("PROVEN");
        assert_eq!(Proven::load(&path).ok(), Some(Proven::default()));
        let mut proven = Proven::default();
        for name in ["echo", "gone", "sim/clock"] {
            proven.note(name, format!("{name}-digest"));
        }
        proven.keep(&["echo".to_owned(), "sim/clock".to_owned()]);
        proven.save(&path).unwrap_or_else(|error| panic!("{error}"));
        let loaded = Proven::load(&path).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(loaded, proven);
        assert!(loaded.holds(&patch(), "echo-digest") && !loaded.holds(&patch(), "other"));
    }
}
