//! Adapters: what it takes to run a dataplane that is a program of its own, as a folder with an `adapter.yaml` and templates, no Rust.
//!
//! ```text
//! adapter.yaml -> file: as written -> resolve: as meant, an [`Adapter`] -> dataplane::process runs it
//! ```
//!
//! docs/adapters.md says how to write one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use indexmap::IndexMap;

use super::declared::Declared;
use crate::observe::dictionary::Dictionary;
use crate::scenario::{Diagnostics, Strict};

mod binary;
mod file;
mod resolve;
mod sample;
mod template;
#[cfg(test)]
mod tests;
mod version;

pub use binary::{Binary, NoBinary};
pub use template::{Context, IdentityFiles, Inline, TemplateError, Templates};
pub use version::{NoVersion, Version};

/// The file that makes a folder an adapter.
const FILE: &str = "adapter.yaml";

/// How to run a dataplane, as meant.
#[derive(Debug)]
pub struct Adapter {
    /// Its folder's name.
    pub name: String,
    /// Its folder.
    pub dir: PathBuf,
    /// What it is, in a sentence.
    pub about: String,
    /// Its program.
    pub binary: Binary,
    /// How its version is asked for, if it can be.
    pub version: Option<Version>,
    /// What it declares.
    pub declared: Declared,
    /// How the program is started.
    pub command: Command,
    /// Files that are rendered into the run's folder before: name there, template in the adapter's folder.
    pub files: IndexMap<String, String>,
    /// Time to become ready.
    pub ready_within: Duration,
    /// Where metrics are served, if over HTTP at an address known beforehand.
    pub metrics: Option<Metrics>,
    /// Where it writes TLS secrets, if it does.
    pub key_log: Option<Inline>,
    /// Whether the program is the dataplane, or drives one.
    pub driver: Driver,
    /// Samples that its dictionary leaves out, by label. What is wrong with the dictionary, whoever reads its signals tells.
    pub without: IndexMap<String, String>,
    templates: Templates,
}

/// A program, its arguments and environment; arguments that come out empty are left out.
#[derive(Debug)]
pub struct Command {
    /// The program.
    pub program: Inline,
    /// Its arguments.
    pub args: Vec<Inline>,
    /// Added to the environment.
    pub env: IndexMap<String, Inline>,
}

/// What the program is.
#[derive(Debug)]
pub enum Driver {
    /// The dataplane itself.
    Template(Box<Life>),
    /// A program that speaks JSON lines and drives a dataplane.
    Exec,
}

/// How a process that is the dataplane is watched and ended.
#[derive(Debug)]
pub struct Life {
    /// By what it is known to be ready.
    pub ready: Ready,
    /// How it is drained; `None`: it cannot.
    pub drain: Option<Drain>,
    /// The signal that ends it.
    pub stop: Signal,
    /// How long it may take to end before it is killed.
    pub stop_within: Duration,
}

/// By what a process is known to be ready.
#[derive(Debug)]
pub enum Ready {
    /// A path at the admin address answers 200.
    Get(Inline),
    /// This address accepts connections.
    Accepts(Inline),
    /// It has written a line with this text.
    Line(Inline),
}

/// Where metrics are served, at the admin address' IP.
#[derive(Debug)]
pub struct Metrics {
    /// The path.
    pub path: String,
    /// The port; `None`: the admin address'.
    pub port: Option<Inline>,
    /// It gathers when it is asked, and shows what it gathered when it is asked again.
    pub twice: bool,
}

/// How a process is drained.
#[derive(Debug)]
pub struct Drain {
    /// What begins it.
    pub by: DrainBy,
    /// When it is over, besides that it listens nowhere any more.
    pub until: Option<DrainedWhen>,
    /// How long it may take.
    pub within: Duration,
}

/// What begins a drain.
#[derive(Debug)]
pub enum DrainBy {
    /// A POST to this path at the admin address.
    Post(Inline),
    /// A signal.
    Signal(Signal),
}

/// When a drain is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DrainedWhen {
    /// The process has ended.
    Exit,
    /// All samples of these metrics are zero.
    Zero(Vec<String>),
}

/// What the dictionary in a folder leaves out.
fn without(dir: &Path) -> IndexMap<String, String> {
    let text = std::fs::read_to_string(dir.join("dictionary.yaml")).unwrap_or_default();
    Dictionary::parse(&text).map(|dictionary| dictionary.without).unwrap_or_default()
}

/// A signal to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM.
    Term,
    /// SIGINT.
    Int,
    /// SIGQUIT.
    Quit,
    /// SIGHUP.
    Hup,
    /// SIGUSR1.
    Usr1,
    /// SIGUSR2.
    Usr2,
    /// SIGKILL.
    Kill,
}

impl Adapter {
    /// Reads the adapter in a folder.
    ///
    /// # Errors
    /// All that is wrong with its adapter.yaml and the templates it names, with file, line and column.
    pub fn load(dir: &Path) -> Result<Self, Diagnostics> {
        let path = dir.join(FILE);
        let (templates, broken) = Templates::of(dir);
        Strict::<file::File>::read(&path)?
            .meant(&path, |written, problems| resolve::adapter(written, dir, (templates, &broken), problems))
    }

    /// The adapter called `name` of the project at `root`; or, if it has a `/` or is a folder with an adapter.yaml, the one in that folder.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn find(root: &Path, name: &str) -> Result<Self, Diagnostics> {
        let own = root.join("fixtures/dataplanes").join(name);
        let given = Path::new(name);
        if name.contains('/') || (!own.join(FILE).is_file() && given.join(FILE).is_file()) {
            Self::load(given)
        } else {
            Self::load(&own)
        }
    }

    /// Its templates.
    #[must_use]
    pub fn templates(&self) -> &Templates {
        &self.templates
    }
}

impl Signal {
    /// The words of adapter.yaml.
    const ALL: [(&str, Self); 7] = [
        ("TERM", Self::Term),
        ("INT", Self::Int),
        ("QUIT", Self::Quit),
        ("HUP", Self::Hup),
        ("USR1", Self::Usr1),
        ("USR2", Self::Usr2),
        ("KILL", Self::Kill),
    ];
}
