//! Cargo.toml as far as arrows need it: one dependency a line, as this project writes them.

use std::path::Path;

use super::source::read;

/// A manifest.
pub(crate) struct Manifest(String);

/// A line that names a dependency.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Dependency {
    /// As other crates know it; of a renamed one its true name.
    pub(crate) name: String,
    /// From 1.
    pub(crate) line: usize,
    /// Whether a comment stands above it, or above the lines it stands among.
    pub(crate) has_reason: bool,
}

impl Manifest {
    pub(crate) fn read(path: &Path) -> Self {
        Self(read(path))
    }

    /// All dependencies, those of tests, of builds, of targets and of the workspace too.
    pub(crate) fn dependencies(&self) -> Vec<Dependency> {
        let (mut all, mut within, mut has_reason) = (Vec::new(), false, false);
        for (line, text) in (1..).zip(self.0.lines().map(str::trim)) {
            if let Some(section) = text.strip_prefix('[') {
                within = section.ends_with("dependencies]");
            }
            if text.starts_with('[') || text.is_empty() {
                has_reason = false;
            } else if text.starts_with('#') {
                has_reason = true;
            } else if within {
                all.push(Dependency { name: name(text).to_owned(), line, has_reason });
            }
        }
        all
    }

    /// Folders of the workspace's members, sorted.
    pub(crate) fn members(&self) -> Vec<String> {
        let line = self.0.lines().find_map(|line| line.strip_prefix("members = "));
        let names = line.unwrap_or_default().split('"').skip(1).step_by(2);
        let mut members: Vec<_> = names.map(str::to_owned).collect();
        members.sort();
        members
    }

    pub(crate) fn takes_lints_of_workspace(&self) -> bool {
        let mut lines = self.0.lines().skip_while(|line| *line != "[lints]").skip(1);
        lines.next() == Some("workspace = true")
    }
}

/// The dependency that a line names.
fn name(line: &str) -> &str {
    let renamed = line.split_once("package = \"").and_then(|(_, rest)| rest.split('"').next());
    renamed.unwrap_or_else(|| line.split(['.', '=', ' ']).next().unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::Manifest;

    #[test]
    fn dependencies_are_found_with_their_reasons() {
        let manifest = Manifest(
            "[package]\nname = \"x\"\n\n[dependencies]\na = \"1\"\n# Why.\nb.workspace = true\nc = { version = \"1\", package = \"d\" }\n\ne = \"1\"\n\
             [target.'cfg(unix)'.dev-dependencies]\nf = \"1\"\n[lints]\nworkspace = true\n"
                .to_owned(),
        );
        let found: Vec<_> = manifest
            .dependencies()
            .into_iter()
            .map(|found| (found.name, found.line, found.has_reason))
            .collect();
        let of = |name: &str, line, reason| (name.to_owned(), line, reason);
        assert_eq!(
            found,
            [of("a", 5, false), of("b", 7, true), of("d", 8, true), of("e", 10, false), of("f", 12, false)]
        );
        assert!(manifest.takes_lints_of_workspace());
        assert!(!Manifest("[lints.rust]\nworkspace = true\n".to_owned()).takes_lints_of_workspace());
    }

    #[test]
    fn members_are_found() {
        assert_eq!(Manifest("[workspace]\nmembers = [\"b\", \"a/c\"]\n".to_owned()).members(), ["a/c", "b"]);
    }
}
