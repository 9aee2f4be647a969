//! From a folder to a verdict.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{HEAD, Head, OBSERVATIONS, RecordError, SCENARIO, SCRAPES, SOCKETS, VERSION, WIRE};
use crate::expect::Run;
use crate::language::Scenario;
use crate::observe::Observation;
use crate::observe::wire::Capture;
use crate::requirements::Requirements;
use crate::scenario;
use crate::sim::capture::TraceHash;
use crate::suite::CaseResult;
use crate::verdict::{self, CaseVerdict, Terms, Verdict};
use crate::world::simulated::Case;

/// A record that was read.
#[derive(Debug, Clone)]
pub struct Record {
    /// The folder.
    pub folder: PathBuf,
    /// What was run.
    pub scenario: Scenario,
    /// Its place among the cases of its file, from 0.
    place: usize,
    head: Head,
    run: Option<Run>,
}

/// The one field that all versions have.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// The records at or right below a folder, by name.
///
/// # Errors
/// There is none, or the folder cannot be read.
pub fn find(folder: &Path) -> Result<Vec<PathBuf>, RecordError> {
    let is_record = |folder: &Path| folder.join(HEAD).is_file();
    if is_record(folder) {
        return Ok(vec![folder.to_owned()]);
    }
    let unread = |source| RecordError::Read { path: folder.to_owned(), source };
    let mut records = Vec::new();
    for entry in fs::read_dir(folder).map_err(unread)? {
        let path = entry.map_err(unread)?.path();
        if is_record(&path) {
            records.push(path);
        }
    }
    records.sort();
    if records.is_empty() { Err(RecordError::None(folder.to_owned())) } else { Ok(records) }
}

impl Record {
    /// Reads a record.
    ///
    /// # Errors
    /// It is not whole, malformed, or of another version.
    pub fn read(folder: &Path) -> Result<Self, RecordError> {
        let path = folder.join(HEAD);
        let text = text(&path)?;
        let Versioned { version } = json(&path, &text)?;
        if version != VERSION {
            return Err(RecordError::Version { path, found: version });
        }
        let head: Head = json(&path, &text)?;
        let (place, scenario) = scenario_of(folder, &head)?;
        let run = match head.unjudged {
            Some(_) => None,
            None => Some(Run {
                // What could be played then can be now.
                scenario: head.target.meant(&scenario).unwrap_or(Cow::Borrowed(&scenario)).into_owned(),
                observations: observations(&folder.join(OBSERVATIONS))?,
                wire: file(&folder.join(WIRE))?,
                scrapes: file(&folder.join(SCRAPES))?,
                sockets: file(&folder.join(SOCKETS))?,
            }),
        };
        Ok(Self { folder: folder.to_owned(), scenario, place, head, run })
    }

    /// By what records come into the order in which their cases were run: the case's file, its place there, the seed.
    #[must_use]
    pub fn order(&self) -> (String, usize, u64) {
        (self.scenario.base_name().to_owned(), self.place, self.head.seed)
    }

    /// Judges it: what came of the run, by the contract and the checks of this build.
    #[must_use]
    pub fn judge(self, requirements: &Requirements) -> CaseResult {
        let Self { folder, head, run, scenario, .. } = self;
        let target = Arc::new(head.target);
        let result = |verdict, case| CaseResult {
            seed: head.seed,
            target: Arc::clone(&target),
            verdict,
            case,
            record: Some(folder),
            unrecorded: None,
            files: None,
        };
        let run = match (head.unjudged, run) {
            (Some(Verdict::Broken(why)), _) => {
                return result(CaseVerdict::broken(&scenario.name, &why), None);
            }
            (Some(why), _) => return result(CaseVerdict::unplayed(&scenario, &why), None),
            (None, None) => return result(CaseVerdict::broken(&scenario.name, "nothing was recorded"), None),
            (None, Some(run)) => run,
        };
        let terms = Terms {
            requirements,
            dictionaries: &head.dictionaries,
            declared: &head.declared,
            version: target.dataplane.version.as_deref(),
            world: target.world,
        };
        let verdict = verdict::judge(&run, &head.panics, &terms);
        let unknown = TraceHash { packets: String::new(), schedule: String::new(), count: 0 };
        let case = Case {
            run,
            capture: Capture::default(),
            hash: head.hash.unwrap_or(unknown),
            dataplane_panics: head.panics,
            draws: (0, Vec::new()),
        };
        result(verdict, Some(Box::new(case)))
    }
}

/// The case that was run and its place among those of its file, from the scenario file that was kept.
fn scenario_of(folder: &Path, head: &Head) -> Result<(usize, Scenario), RecordError> {
    let path = folder.join(SCENARIO);
    let base = head.case.split('[').next().unwrap_or_default();
    let cases = scenario::parse(base, &path, &text(&path)?).map_err(RecordError::Scenario)?;
    let (place, mut found) = cases
        .into_iter()
        .enumerate()
        .find(|(_, case)| case.name == head.case)
        .ok_or_else(|| RecordError::Case { path, case: head.case.clone() })?;
    // Findings point at the file that a person has open.
    found.file.clone_from(&head.file);
    Ok((place, found))
}

fn observations(path: &Path) -> Result<Vec<Observation>, RecordError> {
    let text = text(path)?;
    let line = |(number, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| RecordError::Malformed {
            path: path.to_owned(),
            reason: format!("line {number}: {error}"),
        })
    };
    (1..).zip(text.lines()).map(line).collect()
}

fn text(path: &Path) -> Result<String, RecordError> {
    fs::read_to_string(path).map_err(|source| RecordError::Read { path: path.to_owned(), source })
}

fn json<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, RecordError> {
    serde_json::from_str(text)
        .map_err(|error| RecordError::Malformed { path: path.to_owned(), reason: error.to_string() })
}

fn file<T: DeserializeOwned>(path: &Path) -> Result<T, RecordError> {
    json(path, &text(path)?)
}
