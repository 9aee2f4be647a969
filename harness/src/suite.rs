//! A folder of scenarios with the contract they prove and the dictionaries they read metrics by; runs one case of it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::dataplane::Dataplane;
use crate::expect::Finding;
use crate::language::Level;
use crate::language::Scenario;
use crate::observe::dictionary::{Dictionary, DictionaryError};
use crate::requirements::{Binding, Requirements, RequirementsError};
use crate::sim::network::SimNetwork;
use crate::sim::run::Config;
use crate::verdict::{self, AlwaysVerdict, CaseVerdict, Verdict};
use crate::world::simulated::{self, Case, CaseError};

/// Name of the always-on check that a dataplane's tasks do not panic.
const NO_PANIC: &str = "no panic";

/// What all cases are judged by.
#[derive(Debug)]
pub struct Suite {
    /// The project's folder.
    pub root: PathBuf,
    /// The contract.
    pub requirements: &'static Requirements,
    dictionary: Dictionary,
}

/// Why a suite cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// The contract is broken.
    #[error(transparent)]
    Requirements(#[from] RequirementsError),
    /// A dictionary cannot be read.
    #[error("reading {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A dictionary is broken.
    #[error("{path}: {source}")]
    Dictionary {
        /// The file.
        path: PathBuf,
        /// Why.
        source: DictionaryError,
    },
}

/// What came of a case with one seed.
#[derive(Debug, Clone)]
pub struct CaseResult {
    /// The seed.
    pub seed: u64,
    /// The judgement.
    pub verdict: CaseVerdict,
    /// What it stands on; `None` when the case broke.
    pub case: Option<Box<Case>>,
}

impl Suite {
    /// Opens the suite of the project at `root`, judged by the dictionary of the dataplane called `dataplane`.
    ///
    /// # Errors
    /// The contract or the dictionary cannot be read.
    pub fn open(root: &Path, dataplane: &str) -> Result<Self, SuiteError> {
        let path = root.join("fixtures/dataplanes").join(dataplane).join("dictionary.yaml");
        let text = std::fs::read_to_string(&path)
            .map_err(|source| SuiteError::Read { path: path.clone(), source })?;
        let dictionary =
            Dictionary::parse(&text).map_err(|source| SuiteError::Dictionary { path, source })?;
        Ok(Self { root: root.to_owned(), requirements: Requirements::bundled()?, dictionary })
    }

    /// The folder of scenarios.
    #[must_use]
    pub fn scenarios(&self) -> PathBuf {
        self.root.join("scenarios")
    }

    /// Plays a case in the simulator and judges it.
    #[must_use]
    pub fn run<D: Dataplane<SimNetwork>>(
        &self,
        scenario: &Scenario,
        dataplane: Arc<D>,
        config: &Config,
    ) -> CaseResult {
        let seed = config.seed;
        match simulated::play(scenario, dataplane, config) {
            Ok(case) => CaseResult { seed, verdict: self.judge(&case), case: Some(Box::new(case)) },
            Err(error) => CaseResult { seed, verdict: broken(scenario, &error), case: None },
        }
    }

    /// Judges what a case left.
    #[must_use]
    pub fn judge(&self, case: &Case) -> CaseVerdict {
        let level = |id: &str| {
            self.requirements.get(id).map(|clause| match clause.level {
                Binding::Must => Level::Must,
                Binding::Should => Level::Should,
                Binding::May => Level::May,
            })
        };
        let mut judged = verdict::judge(&case.run, &self.dictionary, &level);
        let findings: Vec<_> = case.dataplane_panics.iter().map(|panic| panic_finding(panic)).collect();
        let verdict = if findings.is_empty() { Verdict::Pass } else { Verdict::Fail };
        if verdict == Verdict::Fail {
            judged.verdict = Verdict::Fail;
        }
        judged.always.push(AlwaysVerdict { name: NO_PANIC.to_owned(), verdict, findings });
        judged
    }
}

fn broken(scenario: &Scenario, error: &CaseError) -> CaseVerdict {
    CaseVerdict::broken(&scenario.name, &error.to_string())
}

fn panic_finding(panic: &str) -> Finding {
    Finding {
        what: "panic".to_owned(),
        expected: "no panic in the dataplane".to_owned(),
        found: panic.to_owned(),
        observation: None,
    }
}
