//! Scenario files below a folder, and which of their cases are wanted.

use std::fs;
use std::io;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use super::diagnostic::{Diagnostic, Diagnostics, Kind, Problem};
use super::load::{load_as, name_below};
use crate::language::Scenario;

/// How deep folders may nest; nobody sorts scenarios deeper.
const MAX_DEPTH: usize = 16;

/// Loads the wanted cases of the scenario files below `root`, sorted by path, each once. Each of `wanted` is a path to a file or folder (as it
/// stands, or below `root`) or else a part of the names of cases: `tls/`, `echo`, `mtls=strict`. Without any: all.
///
/// # Errors
/// If a folder can't be read, a file that had to be looked at has errors, or one of `wanted` meets nothing.
pub fn find(root: &Path, wanted: &[String]) -> Result<Vec<Scenario>, Diagnostics> {
    let mut errors = Vec::new();
    let mut paths: Vec<PathBuf> = Vec::new();
    let mut filters: Vec<&str> = Vec::new();
    for want in wanted {
        match place(root, want) {
            Some(path) => collect(&path, &mut paths, &mut errors),
            None => filters.push(want),
        }
    }
    let named = load_all(root, paths, &mut errors);
    let mut all = Vec::new();
    if wanted.is_empty() || !filters.is_empty() {
        let mut paths = Vec::new();
        collect(root, &mut paths, &mut errors);
        all = load_all(root, paths, &mut errors);
    }
    for filter in &filters {
        // A file with errors may be the one that was meant; then its errors are the answer.
        if errors.is_empty() && !all.iter().any(|case| case.name.contains(filter)) {
            errors.push(nothing(root, filter, &all));
        }
    }
    if !errors.is_empty() {
        return Err(Diagnostics::new(errors));
    }
    let mut found = named;
    for case in all {
        let meets = wanted.is_empty() || filters.iter().any(|filter| case.name.contains(filter));
        if meets && !found.iter().any(|other| other.name == case.name) {
            found.push(case);
        }
    }
    // Stable: the cases of one file stay in the order of their matrix.
    found.sort_by(|a, b| base(a).cmp(base(b)));
    Ok(found)
}

/// The name without matrix values.
fn base(case: &Scenario) -> &str {
    case.name.split('[').next().unwrap_or_default()
}

fn nothing(root: &Path, filter: &str, all: &[Scenario]) -> Diagnostic {
    let problem =
        Problem::new(Kind::Io, format!("no scenario is called like `{filter}`, and there is no such path"));
    let names: Vec<&str> = all.iter().flat_map(|case| [case.name.as_str(), base(case)]).collect();
    Diagnostic::new(problem.did_you_mean(filter, names), root, &Arc::from(""))
}

/// The file or folder that a wish names, if it is there.
fn place(root: &Path, want: &str) -> Option<PathBuf> {
    let below = root.join(want);
    [below, PathBuf::from(want)].into_iter().find(|path| path.exists())
}

fn load_all(root: &Path, mut paths: Vec<PathBuf>, errors: &mut Vec<Diagnostic>) -> Vec<Scenario> {
    paths.sort();
    paths.dedup();
    let load = |path: &PathBuf| load_as(&name_below(root, path), path);
    // Whoever runs one case waits for all files to be read.
    let share = paths.len().div_ceil(thread::available_parallelism().map_or(1, NonZeroUsize::get)).max(1);
    let loaded: Vec<_> = thread::scope(|scope| {
        let shares = paths.chunks(share);
        let readers: Vec<_> =
            shares.map(|paths| scope.spawn(move || paths.iter().map(load).collect::<Vec<_>>())).collect();
        readers
            .into_iter()
            .flat_map(|reader| reader.join().unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    });
    let mut cases = Vec::new();
    for result in loaded {
        match result {
            Ok(more) => cases.extend(more),
            Err(diagnostics) => errors.extend(diagnostics.into_items()),
        }
    }
    cases
}

/// Adds a file, or the scenario files below a folder.
fn collect(path: &Path, paths: &mut Vec<PathBuf>, errors: &mut Vec<Diagnostic>) {
    if path.is_file() {
        paths.push(path.to_path_buf());
        return;
    }
    if let Err(error) = walk(path, 0, paths) {
        let problem = Problem::new(Kind::Io, format!("can't be read: {error}"));
        errors.push(Diagnostic::new(problem, path, &Arc::from("")));
    }
}

fn walk(folder: &Path, depth: usize, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    if depth > MAX_DEPTH {
        return Err(io::Error::other("folders nest too deep"));
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        // Links to folders are not followed: they may lead in circles.
        if entry.file_type()?.is_dir() {
            walk(&path, depth + 1, paths)?;
        } else if path.extension().is_some_and(|ending| ending == "yaml") && path.is_file() {
            paths.push(path);
        }
    }
    Ok(())
}
