//! dictionary.yaml of an adapter, read as strictly as adapter.yaml.

use std::path::Path;
use std::sync::LazyLock;

use indexmap::IndexMap;
use serde::Deserialize;

use crate::observe::dictionary::{Dictionary, Signal};
use crate::scenario::{At, Diagnostics, Kind, Problem, Strict};

/// Where it is in an adapter's folder.
const FILE: &str = "dictionary.yaml";

/// All signals that scenarios ask for are in that of the reference dataplane.
static KNOWN: LazyLock<Vec<String>> = LazyLock::new(|| {
    let text = include_str!("../../../fixtures/dataplanes/reference/dictionary.yaml");
    Dictionary::parse(text).map(|known| known.signals.into_keys().collect()).unwrap_or_default()
});

/// A dictionary as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    without: IndexMap<String, String>,
    signals: IndexMap<String, At<Signal>>,
}

/// Reads the dictionary in a folder.
///
/// # Errors
/// All that is wrong with it, with file, line and column.
pub(super) fn read(folder: &Path) -> Result<Dictionary, Diagnostics> {
    let path = folder.join(FILE);
    Strict::<File>::read(&path)?.meant(&path, meant)
}

fn meant(written: File, problems: &mut Vec<Problem>) -> Dictionary {
    for (name, signal) in &written.signals {
        if !KNOWN.contains(name) {
            let problem = Problem::new(Kind::Name, format!("no scenario asks for a signal `{name}`"));
            let problem = problem.at(signal.key.clone()).did_you_mean(name, KNOWN.iter().map(String::as_str));
            problems.push(problem.help("all signals are in fixtures/dataplanes/reference/dictionary.yaml"));
        }
        if signal.value.families.is_empty() {
            let problem = Problem::new(Kind::Missing, format!("signal `{name}` names no family"));
            problems.push(problem.at(signal.span.clone()).help("leave out a signal that is not counted"));
        }
    }
    let signals = written.signals.into_iter().map(|(name, signal)| (name, signal.value));
    Dictionary { without: written.without, signals: signals.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> String {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join(FILE), text).expect("a file");
        read(dir.path()).expect_err(text).to_string()
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        for (text, told) in [
            ("signals:\n  tcp.conections: {families: [x]}\n", "did you mean `tcp.connections`?"),
            ("signals:\n  tcp.conections: {families: [x]}\n", "dictionary.yaml:2:3"),
            ("signals:\n  tcp.connections: {families: []}\n", "names no family"),
            ("signals:\n  tcp.connections: {family: [x]}\n", "expected one of `families`, `labels`"),
            ("signals: {}\nwihtout: {a: b}\n", "did you mean `without`?"),
            ("signals: [", "dictionary.yaml:"),
        ] {
            let found = wrong(text);
            assert!(found.contains(told), "{told} is not in\n{found}");
        }
        assert!(read(Path::new("/nowhere")).is_err_and(|wrong| wrong.to_string().contains("/nowhere")));
    }

    #[test]
    fn every_dictionary_of_the_project_is_sound() {
        let folders = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/dataplanes");
        for entry in std::fs::read_dir(folders).expect("dataplanes") {
            let folder = entry.expect("a folder").path();
            let read = read(&folder).unwrap_or_else(|wrong| panic!("{wrong}"));
            let text = std::fs::read_to_string(folder.join(FILE)).expect("a file");
            assert_eq!(Dictionary::parse(&text).as_ref(), Ok(&read));
        }
    }
}
