//! `--dataplane`, `--peer` and `--world`: who is judged, beside whom, and where. All commands that play cases get their player from [`Target::open`].

use std::convert::Infallible;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use super::{BAD_INPUT, BROKEN, colours, complain};
use crate::dataplane::adapter::Adapter;
use crate::dataplane::declared::Declared;
use crate::dataplane::process::Process;
use crate::dataplane::reference::Reference;
use crate::language::World;
use crate::scenario::{Diagnostics, nearest};
use crate::suite::{self, Party, Player, REFERENCE, RealSockets, Simulator, Suite, SuiteError};

/// Arguments that say against what cases are played.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Target {
    /// The dataplane that is judged: a folder of fixtures/dataplanes, or any folder with an adapter.yaml
    #[arg(long, value_name = "NAME|DIR", default_value = REFERENCE)]
    dataplane: String,
    /// The dataplane on the other side of each call: `same`, `scripted` (the harness itself), or another one
    #[arg(long, value_name = "same|reference|scripted|NAME", default_value = "same")]
    peer: Peer,
    /// Where cases are played
    #[arg(long, value_enum, default_value = "sim")]
    world: Where,
}

/// A world, on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Where {
    /// The deterministic simulator, in virtual time
    Sim,
    /// Real processes on real sockets
    Live,
}

/// Who stands on the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Peer {
    /// The dataplane that is judged.
    Same,
    /// The harness.
    Scripted,
    /// Another dataplane.
    Named(String),
}

impl FromStr for Peer {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "same" => Self::Same,
            "scripted" => Self::Scripted,
            name => Self::Named(name.to_owned()),
        })
    }
}

/// What cases are judged by, and who plays them.
pub(super) struct Bench {
    pub(super) suite: Suite,
    pub(super) player: Box<dyn Player>,
}

impl Target {
    fn world(&self) -> World {
        match self.world {
            Where::Sim => World::Sim,
            Where::Live => World::Live,
        }
    }

    /// Makes what was asked for; or the exit code after it was told why that is not to be had.
    pub(super) fn open(&self, root: &Path) -> Result<Bench, u8> {
        let bad = |message: String| complain(&message, BAD_INPUT);
        folder(root, &self.dataplane).map_err(bad)?;
        let peer = match &self.peer {
            Peer::Named(name) if *name == self.dataplane => &Peer::Same,
            Peer::Named(name) => {
                folder(root, name).map_err(bad)?;
                &self.peer
            }
            other => other,
        };
        match (self.world(), self.dataplane.as_str(), peer) {
            (World::Sim, REFERENCE, Peer::Same) => simulated(root, suite::Target::default()),
            (World::Sim, REFERENCE, Peer::Scripted) => {
                simulated(root, suite::Target { peer: Some(Party::scripted()), ..suite::Target::default() })
            }
            (World::Live, _, _) => self.live(root, peer),
            _ => Err(bad(self.not_to_be_had())),
        }
    }

    /// Real sockets, with the programs that adapters name.
    fn live(&self, root: &Path, peer: &Peer) -> Result<Bench, u8> {
        let bad = |message: String| complain(&message, BAD_INPUT);
        let tested = program(root, &self.dataplane)?;
        let scripted = (*peer == Peer::Scripted).then(Party::scripted);
        let peer = match peer {
            Peer::Named(name) => Some(program(root, name)?),
            Peer::Same | Peer::Scripted => None,
        };
        let party = |process: &Process, given: &str| {
            let version = process.version().map_err(|error| bad(error.to_string()))?;
            let path = is_path(given).then(|| given.to_owned());
            Ok::<_, u8>(Party { name: process.adapter().name.clone(), version, path })
        };
        let peer_party = match (&peer, &self.peer) {
            (Some(process), Peer::Named(given)) => Some(party(process, given)?),
            _ => scripted,
        };
        let target = suite::Target {
            world: World::Live,
            dataplane: party(&tested, &self.dataplane)?,
            peer: peer_party,
        };
        let suite = Suite::of(root, &tested.adapter().dir, tested.adapter().declared.clone(), target);
        let suite = match &peer {
            Some(peer) => suite.and_then(|suite| suite.beside(&peer.adapter().dir, &peer.adapter().declared)),
            None => suite,
        };
        let suite = suite.map_err(|error| no_suite(&error))?;
        Ok(Bench { suite, player: Box::new(RealSockets::new(tested, peer)) })
    }

    fn not_to_be_had(&self) -> String {
        let peer = match &self.peer {
            Peer::Same => "same",
            Peer::Scripted => "scripted",
            Peer::Named(name) => name,
        };
        format!(
            "--dataplane {} --peer {peer} --world {} is not to be had\nhelp: in the simulator only --dataplane {REFERENCE} is, beside itself or --peer scripted; with --world live any dataplane is, also beside another one",
            self.dataplane,
            self.world().word(),
        )
    }
}

/// The reference dataplane in the simulator.
fn simulated(root: &Path, target: suite::Target) -> Result<Bench, u8> {
    let folder = root.join("fixtures/dataplanes").join(REFERENCE);
    let suite = Suite::of(root, &folder, Declared::reference(), target);
    let suite = suite.map_err(|error| no_suite(&error))?;
    Ok(Bench { suite, player: Box::new(Simulator(Arc::new(Reference))) })
}

/// The program that an adapter names; or the exit code after it was told why it is not to be had.
fn program(root: &Path, dataplane: &str) -> Result<Arc<Process>, u8> {
    let bad = |message: String| complain(&message, BAD_INPUT);
    let folder = folder(root, dataplane).map_err(bad)?;
    let adapter = Adapter::load(&folder).map_err(|errors| tell(&errors))?;
    Process::new(adapter, root).map(Arc::new).map_err(|error| bad(error.to_string()))
}

/// Says what is wrong with a file of an adapter.
fn tell(errors: &Diagnostics) -> u8 {
    // Without standard error there is nobody to tell.
    let _ = writeln!(anstream::stderr().lock(), "{}", errors.render(colours()));
    BAD_INPUT
}

/// Says why there is no suite.
fn no_suite(error: &SuiteError) -> u8 {
    match error {
        SuiteError::Dictionary(errors) => tell(errors),
        SuiteError::Requirements(_) => complain(&error.to_string(), BROKEN),
    }
}

/// Whether a dataplane is given as a folder, rather than by the name of one below fixtures/dataplanes.
fn is_path(dataplane: &str) -> bool {
    dataplane.contains('/') || dataplane.starts_with('.')
}

/// The folder of a dataplane: a path if it is written as one, else below fixtures/dataplanes.
///
/// # Errors
/// There is none: the message, with what may have been meant.
fn folder(root: &Path, dataplane: &str) -> Result<PathBuf, String> {
    let shipped = root.join("fixtures/dataplanes");
    let is_path = is_path(dataplane);
    let folder = if is_path { PathBuf::from(dataplane) } else { shipped.join(dataplane) };
    if !dataplane.is_empty() && folder.is_dir() {
        return Ok(folder);
    }
    if is_path {
        return Err(format!("there is no folder {dataplane}"));
    }
    let mut names: Vec<String> = fs::read_dir(&shipped)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort_unstable();
    let help = match nearest(dataplane, names.iter().map(String::as_str)) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("{} has: {}", shipped.display(), names.join(", ")),
    };
    Err(format!("there is no dataplane `{dataplane}`\nhelp: {help}"))
}
