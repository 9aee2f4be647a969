//! Planted bugs (tests/planted): which clauses each of them turns red. What they change, and how, is the business of those who plant them.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

/// A bug that a suite must notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bug {
    /// The patch's name, without its ending.
    pub name: String,
    /// What is wrong with it, in one sentence.
    pub about: String,
    /// The cases and clauses that it turns red.
    pub claims: Vec<Claim>,
    /// Whether it was seen to do so (tests/planted/PROVEN), at some time.
    pub proven: bool,
}

/// A line `# expects: SCENARIO CLAUSE [CLAUSE ...]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// A scenario, or some of its cases: `tcp/half_close[mtls=strict`.
    pub scenario: String,
    /// Ids of clauses.
    pub clauses: Vec<String>,
}

impl Bug {
    /// Whether it turns a clause red.
    #[must_use]
    pub fn names(&self, clause: &str) -> bool {
        self.claims.iter().any(|claim| claim.clauses.iter().any(|id| id == clause))
    }

    /// From a patch's head: `# expects:` lines, then what is wrong. `None` if it names no clause: bugs in the simulator are noticed by tests.
    fn parse(name: &str, text: &str, proven: bool) -> Option<Self> {
        let mut claims = Vec::new();
        let mut about = Vec::new();
        for line in text.lines().map_while(|line| line.strip_prefix('#')).map(str::trim) {
            let Some(claim) = line.strip_prefix("expects:") else {
                about.push(line);
                continue;
            };
            let mut words = claim.split_whitespace().map(str::to_owned);
            match words.next() {
                Some(scenario) if scenario != "determinism" => {
                    claims.push(Claim { scenario, clauses: words.collect() });
                }
                _ => {}
            }
        }
        (!claims.is_empty()).then(|| Self { name: name.to_owned(), about: about.join(" "), claims, proven })
    }
}

/// The bugs of the project at `root`, by name; none if it has no folder of them.
///
/// # Errors
/// A file is there and cannot be read.
pub fn read(root: &Path) -> io::Result<Vec<Bug>> {
    let folder = root.join("tests/planted");
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let proven = proven(&folder.join("PROVEN"))?;
    let mut bugs = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".patch")) else {
            continue;
        };
        bugs.extend(Bug::parse(name, &fs::read_to_string(&path)?, proven.contains(name)));
    }
    bugs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(bugs)
}

/// Names of the patches on record.
fn proven(path: &Path) -> io::Result<BTreeSet<String>> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        read => read?,
    };
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    Ok(lines.filter_map(|line| line.split_once(' ')).map(|(name, _)| name.to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_patches_and_the_record() {
        let folder = tempfile::tempdir().expect("a folder");
        let planted = folder.path().join("tests/planted");
        assert_eq!(read(folder.path()).expect("no bugs"), []);
        fs::create_dir_all(planted.join("sim")).expect("folders");
        let write = |name: &str, text: &str| fs::write(planted.join(name), text).expect("a file");
        write(
            "b.patch",
            "# expects: tcp/echo TCP-1 TCP-2\n# expects: tcp/huge TCP-11\n# Two\n# lines.\n--- a/x\n# no\n",
        );
        write("a.patch", "# expects: determinism replay\n# Noticed by a test.\n--- a/x\n");
        write("PROVEN", "# head\nb 0123\n");
        let bugs = read(folder.path()).expect("bugs");
        let [bug] = &bugs[..] else { panic!("{bugs:?}") };
        assert_eq!((bug.name.as_str(), bug.about.as_str(), bug.proven), ("b", "Two lines.", true));
        assert!(bug.names("TCP-2") && bug.names("TCP-11") && !bug.names("TCP-3"));
        fs::remove_file(planted.join("PROVEN")).expect("the record");
        assert!(!read(folder.path()).expect("bugs")[0].proven);
    }
}
