//! A folder of scenarios with the contract they prove, and the dataplane that is judged by it; plays and judges one case of it.
//!
//! * [`Suite`] — what all cases are judged by. [`Target`] — who is judged, beside whom, and where.
//! * [`Player`] — plays a case; [`Simulator`] does so in the simulator, [`RealSockets`] outside.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use crate::dataplane::Dataplane;
use crate::dataplane::declared::Declared;
use crate::dataplane::process::Ward;
use crate::expect::Dictionaries;
use crate::expect::wire::looked_at;
use crate::language::Scenario;
use crate::requirements::{Requirements, RequirementsError};
use crate::scenario::Diagnostics;
use crate::sim::network::SimNetwork;
use crate::sim::run::{Config, Watched};
use crate::verdict::{self, CaseVerdict, Terms, Verdict};
use crate::world::simulated::{self, Case, CaseError};

mod dictionary;
mod live;
mod scripted;
mod target;

pub use live::RealSockets;
pub use scripted::{SCRIPTED, stand_in};
pub use target::{Party, REFERENCE, Target};

/// Plays cases: one dataplane in one world.
pub trait Player: Send + Sync {
    /// Plays one case.
    fn play(&self, scenario: &Scenario, config: &Config) -> Played;
}

/// What a case leaves.
#[derive(Debug)]
pub struct Played {
    /// What was seen. The harness failed, else; never the dataplane's fault but for a sidecar that does not start.
    pub case: Result<Case, CaseError>,
    /// What processes were given and wrote: a folder for each sidecar.
    pub files: Option<RunFolder>,
}

/// A folder for the sidecars of one run: gone when it is dropped, or with this process, even if that is killed.
#[derive(Debug)]
pub struct RunFolder {
    dir: TempDir,
    _ward: Ward,
}

impl RunFolder {
    /// A new one, where the system keeps such folders.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn new() -> io::Result<Self> {
        let dir = tempfile::Builder::new().prefix("conform-").tempdir()?;
        let _ward = Ward::folder(dir.path());
        Ok(Self { dir, _ward })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Plays cases in the simulator, with a dataplane that runs in this process.
#[derive(Debug, Clone)]
pub struct Simulator<D>(pub Arc<D>);

impl<D: Dataplane<SimNetwork>> Player for Simulator<D> {
    fn play(&self, scenario: &Scenario, config: &Config) -> Played {
        Played { case: simulated::play(scenario, Arc::clone(&self.0), config), files: None }
    }
}

/// What all cases are judged by.
#[derive(Debug)]
pub struct Suite {
    /// The project's folder.
    pub root: PathBuf,
    /// The contract.
    pub requirements: &'static Requirements,
    /// Signals to metrics, by sidecar.
    pub dictionaries: Dictionaries,
    /// What it says of itself.
    pub declared: Declared,
    /// Who is judged, beside whom, and where.
    pub target: Arc<Target>,
}

/// Why a suite cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// The contract is broken.
    #[error(transparent)]
    Requirements(#[from] RequirementsError),
    /// A dictionary cannot be read, or is broken.
    #[error(transparent)]
    Dictionary(#[from] Diagnostics),
}

/// What came of a case with one seed.
#[derive(Debug, Clone)]
pub struct CaseResult {
    /// The seed.
    pub seed: u64,
    /// Who was judged.
    pub target: Arc<Target>,
    /// The judgement.
    pub verdict: CaseVerdict,
    /// What it stands on; `None` when the case broke, or was not played.
    pub case: Option<Box<Case>>,
    /// The folder of its record, if it was recorded.
    pub record: Option<PathBuf>,
    /// Why a failure was not recorded, in words.
    pub unrecorded: Option<String>,
    /// What its processes were given and wrote, until it was recorded or forgotten.
    pub files: Option<Arc<RunFolder>>,
}

impl CaseResult {
    /// Lets go of what nobody asks for after a pass: thousands fit into memory only without their packets.
    pub fn forget_if_passed(&mut self) {
        self.files = None;
        if self.verdict.verdict == Verdict::Pass
            && let Some(case) = &mut self.case
        {
            case.forget();
        }
    }
}

impl Suite {
    /// Opens the suite of the project at `root`, to judge the reference dataplane in the simulator; `dataplane` names the folder below
    /// fixtures/dataplanes whose dictionary is read.
    ///
    /// # Errors
    /// The contract or the dictionary cannot be read.
    pub fn open(root: &Path, dataplane: &str) -> Result<Self, SuiteError> {
        let folder = root.join("fixtures/dataplanes").join(dataplane);
        Self::of(root, &folder, Declared::reference(), Target::default())
    }

    /// The suite of the project at `root`, to judge a dataplane whose dictionary is in `folder`.
    ///
    /// # Errors
    /// The contract or the dictionary cannot be read.
    pub fn of(root: &Path, folder: &Path, declared: Declared, target: Target) -> Result<Self, SuiteError> {
        let dictionaries = dictionary::read(folder)?.into();
        let (requirements, target) = (Requirements::bundled()?, Arc::new(target));
        Ok(Self { root: root.to_owned(), requirements, dictionaries, declared, target })
    }

    /// The same beside another dataplane, whose dictionary is in `folder`, and which declares this.
    ///
    /// # Errors
    /// The dictionary cannot be read.
    pub fn beside(mut self, folder: &Path, declared: &Declared) -> Result<Self, SuiteError> {
        self.dictionaries.peer = Some(dictionary::read(folder)?);
        let version = self.target.peer.as_ref().and_then(|peer| peer.version.as_deref());
        self.declared = self.declared.beside(declared, version);
        Ok(self)
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
        self.play(&Simulator(dataplane), scenario, config)
    }

    /// Plays a case and judges it. If only some links are to be watched, they are those that the case looks at. Not played is what belongs to another world, and what the dataplane can't be judged by.
    #[must_use]
    pub fn play(&self, player: &dyn Player, scenario: &Scenario, config: &Config) -> CaseResult {
        let result = |verdict, case| CaseResult {
            seed: config.seed,
            target: Arc::clone(&self.target),
            verdict,
            case,
            record: None,
            unrecorded: None,
            files: None,
        };
        let meant = match self.plays(scenario).and_then(|()| self.target.meant(scenario)) {
            Ok(meant) => meant,
            Err(why) => return result(CaseVerdict::unplayed(scenario, &why), None),
        };
        let mut config = config.clone();
        if let Watched::Links(links) = &mut config.watched {
            *links = looked_at(&meant).into();
        }
        let played = player.play(&meant, &config);
        let result = match played.case {
            Ok(case) => result(self.judge(&case), Some(Box::new(case))),
            Err(CaseError::Unsupported(why)) => {
                result(CaseVerdict::unplayed(scenario, &Verdict::Unsupported(why)), None)
            }
            Err(error) => result(CaseVerdict::broken(&scenario.name, &error.to_string()), None),
        };
        CaseResult { files: played.files.map(Arc::new), ..result }
    }

    /// Whether a case is played at all.
    ///
    /// # Errors
    /// It is not: [`Verdict::NotRun`] in this world, or [`Verdict::Unsupported`] by the dataplane.
    pub fn plays(&self, scenario: &Scenario) -> Result<(), Verdict> {
        scenario.runs_in(self.target.world).map_err(Verdict::NotRun)?;
        verdict::supported(scenario, self.requirements, &self.declared).map_err(Verdict::Unsupported)
    }

    /// Judges what a case left.
    #[must_use]
    pub fn judge(&self, case: &Case) -> CaseVerdict {
        let terms = Terms {
            requirements: self.requirements,
            dictionaries: &self.dictionaries,
            declared: &self.declared,
            version: self.target.dataplane.version.as_deref(),
            world: self.target.world,
        };
        verdict::judge(&case.run, &case.dataplane_panics, &terms)
    }
}
