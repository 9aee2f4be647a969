//! Text or files to scenarios.

use std::fs;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::decode::decode;
use super::diagnostic::{Diagnostics, Kind, Problem};
use super::file::File;
use super::matrix::Matrix;
use super::node::{Node, ScalarKind, Value};
use super::{resolve, yaml};
use crate::language::Scenario;
use crate::requirements::Requirements;

/// Reads the scenarios of a text: one, or one for each combination of its matrix. `name` is the case's name without matrix values, `file` is
/// what errors point at.
///
/// # Errors
/// All that is wrong with it, as far as it can be told in one go.
pub fn parse(name: &str, file: &Path, text: &str) -> Result<Vec<Scenario>, Diagnostics> {
    let source: Arc<str> = text.into();
    cases(name, file, &source).map_err(|problems| Diagnostics::of(problems, file, &source))
}

/// Reads the scenarios of a file. Their name is the path below the last folder `scenarios`, or else the file's name, without its ending.
///
/// # Errors
/// If it can't be read, or as [`parse`].
pub fn load(path: &Path) -> Result<Vec<Scenario>, Diagnostics> {
    load_as(&name_of(path), path)
}

/// As [`load`], under another name.
pub(super) fn load_as(name: &str, path: &Path) -> Result<Vec<Scenario>, Diagnostics> {
    let fail = |problem| Diagnostics::of(vec![problem], path, &Arc::from(""));
    let bytes =
        read(path).map_err(|error| fail(Problem::new(Kind::Io, format!("can't be read: {error}"))))?;
    let text = yaml::text(&bytes).map_err(fail)?;
    parse(name, path, text)
}

/// Reads a file, but not much more than may be in one.
pub(super) fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = yaml::MAX_BYTES as u64 + 1;
    fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The name of a file's cases.
fn name_of(path: &Path) -> String {
    let stem = path.with_extension("");
    let parts: Vec<String> = stem
        .components()
        .filter_map(|part| match part {
            Component::Normal(part) => Some(part.to_string_lossy().into_owned()),
            _ => None,
        })
        .collect();
    let below =
        parts.iter().rposition(|part| part == "scenarios").map_or(parts.len().saturating_sub(1), |at| at + 1);
    parts.get(below..).unwrap_or_default().join("/")
}

/// The name of a file's cases below a folder; else as [`load`] would name it.
pub(super) fn name_below(root: &Path, path: &Path) -> String {
    match path.strip_prefix(root) {
        Ok(below) => {
            let below: PathBuf = below.with_extension("");
            let parts: Vec<_> =
                below.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
            parts.join("/")
        }
        Err(_) => name_of(path),
    }
}

fn cases(name: &str, file: &Path, source: &str) -> Result<Vec<Scenario>, Vec<Problem>> {
    if source.trim().is_empty() {
        return Err(vec![
            Problem::new(Kind::Yaml, "the file is empty")
                .help("scenarios/README.md shows what a scenario looks like"),
        ]);
    }
    let root = yaml::read(source).map_err(|problem| vec![problem])?;
    if is_nothing(&root) {
        return Err(vec![Problem::new(Kind::Yaml, "the file holds only comments")]);
    }
    let contract =
        Requirements::bundled().map_err(|error| vec![Problem::new(Kind::Io, error.to_string())])?;
    let mut problems = Vec::new();
    let matrix = Matrix::read(&root, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut scenarios = Vec::new();
    for case in matrix.cases() {
        let before = problems.len();
        let tree = case.fill(&root, &mut problems);
        // What a placeholder without a value would be can't be judged.
        if problems.len() > before {
            continue;
        }
        if let Some(written) = decode::<File>(&tree, &mut problems).filter(|_| problems.len() == before) {
            scenarios.push(resolve::scenario(
                name,
                file,
                (source, &tree),
                (written, &case),
                &contract,
                &mut problems,
            ));
        }
    }
    if problems.is_empty() { Ok(scenarios) } else { Err(problems) }
}

fn is_nothing(root: &Node) -> bool {
    matches!(&root.value, Value::Scalar(scalar) if scalar.kind == ScalarKind::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_paths_below_scenarios() {
        assert_eq!(name_of(Path::new("/x/scenarios/tcp/echo.yaml")), "tcp/echo");
        assert_eq!(name_of(Path::new("scenarios/a.b.yaml")), "a.b");
        assert_eq!(name_of(Path::new("/tmp/bug-12.yaml")), "bug-12");
        assert_eq!(name_below(Path::new("/x/s"), Path::new("/x/s/tcp/echo.yaml")), "tcp/echo");
    }
}
