//! Dataplanes that are programs of their own, on real sockets: started as an adapter says, watched, drained, stopped, reaped.
//!
//! * [`Process`] — an adapter with its program; starts sidecars.
//! * `folder` — what a sidecar is given as files; `child` — a process that cannot outlive us; `ready` — when it is ready;
//!   `driver` — a program of theirs that drives a dataplane.
//!
//! It needs a tokio runtime with IO and time. A sidecar dies with the thread that started it, see `child`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use tokio::time::timeout;

use super::Pod;
use super::adapter::{
    Adapter, Context, Driver as DriverKind, Inline, Life, NoBinary, NoVersion, Ready, TemplateError,
};
use super::plan::Plan;

mod child;
mod driver;
mod folder;
mod guardian;
mod ready;
mod sidecar;
#[cfg(test)]
mod tests;

pub use child::SpawnError;
pub use driver::DriverError;
pub use folder::{FolderError, prepare};
pub use guardian::Ward;
pub use sidecar::{DrainError, ProcessSidecar};

use child::{Child, Rendered};
use driver::{Driver, Reply};
use ready::Sign;
use sidecar::Kind;

/// For a look at what is missing, when the time to become ready is over.
const LAST_LOOK: Duration = Duration::from_secs(1);
/// Exit code of a program that cannot do what it was asked for.
const UNSUPPORTED: i32 = 89;

/// A dataplane that is a program of its own.
#[derive(Debug)]
pub struct Process {
    adapter: Arc<Adapter>,
    program: PathBuf,
}

/// Why a sidecar did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its folder could not be prepared.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Its command asks for what is not given.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// Something of the adapter is no address or port once it is rendered.
    #[error("{what} is {text:?}, which is no {expected}")]
    Value {
        /// What.
        what: String,
        /// What it is.
        text: String,
        /// What it should be.
        expected: &'static str,
    },
    /// The process could not be started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// It ended instead.
    #[error("it ended before it was ready ({status}){}; {output}", in_background(strays))]
    Ended {
        /// How.
        status: ExitStatus,
        /// What it left running outside its group; killed since.
        strays: Vec<u32>,
        /// Its last lines.
        output: String,
    },
    /// It did not become ready.
    #[error("it was not ready within {} s: {}; {output}", within.as_secs_f64(), lacking.join(", "))]
    NotReady {
        /// Its time.
        within: Duration,
        /// What was missing, each in words.
        lacking: Vec<String>,
        /// Its last lines.
        output: String,
    },
    /// Its driver did not start it.
    #[error("{error}; {output}")]
    Driver {
        /// Why.
        error: DriverError,
        /// Its last lines.
        output: String,
    },
}

fn in_background(strays: &[u32]) -> String {
    match strays.iter().map(u32::to_string).collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => none,
        strays => {
            format!(", and went on in the background (process {strays}): it must stay in the foreground")
        }
    }
}

impl StartError {
    /// Why it cannot do what the plan wants, if that is what it says.
    #[must_use]
    pub fn unsupported(&self) -> Option<String> {
        match self {
            Self::Driver { error: DriverError::Unsupported(why), .. } => Some(why.clone()),
            Self::Ended { status, .. } if status.code() == Some(UNSUPPORTED) => {
                Some(format!("exit code {UNSUPPORTED}"))
            }
            _ => None,
        }
    }

    /// The same in the words of all dataplanes.
    #[must_use]
    pub fn of(self, pod: &str) -> super::StartError {
        let pod = pod.to_owned();
        match self.unsupported() {
            Some(reason) => super::StartError::Unsupported { pod, reason },
            None => super::StartError::Failed { pod, reason: self.to_string() },
        }
    }
}

impl Process {
    /// An adapter and its program, which is looked for; `root` is the project's folder.
    ///
    /// # Errors
    /// The program is not there.
    pub fn new(adapter: Adapter, root: &Path) -> Result<Self, NoBinary> {
        let program = adapter.binary.find(root)?;
        Ok(Self { adapter: Arc::new(adapter), program })
    }

    /// The adapter.
    #[must_use]
    pub fn adapter(&self) -> &Adapter {
        &self.adapter
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Asks the program for its version; none if the adapter does not say how.
    ///
    /// # Errors
    /// It does not tell.
    pub fn version(&self) -> Result<Option<String>, NoVersion> {
        self.adapter.version.as_ref().map(|version| version.ask(&self.program)).transpose()
    }

    /// Starts the sidecar of a pod, with `dir` for its files and its output; returns when it is ready and listens wherever its plan says.
    /// `now` dates its certificate.
    ///
    /// # Errors
    /// It did not start, see [`StartError`]; nothing of it is left then.
    pub async fn start(
        &self,
        pod: &Pod,
        plan: &Plan,
        dir: &Path,
        now: SystemTime,
    ) -> Result<ProcessSidecar, StartError> {
        let context = prepare(&self.adapter, &self.program, (pod, plan), dir, now)?;
        let rendering = Rendering { adapter: &self.adapter, context: &context };
        let command = rendering.command()?;
        let key_log = self.adapter.key_log.as_ref().map(|path| rendering.inline(path)).transpose()?;
        let metrics = rendering.metrics()?;
        let (child, kind, metrics) = match &self.adapter.driver {
            DriverKind::Template(life) => {
                let sign = rendering.sign(life)?;
                let kind = Kind::Template { drain: rendering.drain_path(life)? };
                let child = Child::spawn(&command, &context.dir, false)?;
                self.await_ready(Some(&sign), plan, &child).await?;
                (child, kind, metrics)
            }
            DriverKind::Exec => {
                let child = Child::spawn(&command, &context.dir, true)?;
                let (driver, port) = self.drive(&context, &child).await?;
                self.await_ready(None, plan, &child).await?;
                let metrics =
                    metrics.and_then(|(address, path)| Some((SocketAddr::new(address.ip(), port?), path)));
                (child, Kind::Exec(driver), metrics)
            }
        };
        Ok(ProcessSidecar {
            adapter: Arc::clone(&self.adapter),
            context,
            child,
            kind,
            listeners: plan.listeners(),
            metrics,
            key_log: key_log.map(PathBuf::from),
            drains: AtomicBool::new(false),
        })
    }

    /// Waits until the process is ready, or ends.
    async fn await_ready(&self, sign: Option<&Sign>, plan: &Plan, child: &Child) -> Result<(), StartError> {
        let (within, listeners) = (self.adapter.ready_within, plan.listeners());
        tokio::select! {
            biased;
            status = child.ended() => {
                Err(StartError::Ended { status, strays: child.kill_strays(), output: child.tail() })
            }
            ready = timeout(within, ready::wait(sign, &listeners, child)) => match ready {
                Ok(()) => Ok(()),
                Err(_) => {
                    let lacking = timeout(LAST_LOOK, ready::lacking(sign, &listeners, child)).await;
                    let lacking = lacking.unwrap_or_else(|_| vec!["it takes connections, and does not answer".to_owned()]);
                    Err(StartError::NotReady { within, lacking, output: child.tail() })
                }
            },
        }
    }

    /// Tells a driver to start, and takes the port at which metrics are, if there is one.
    async fn drive(&self, context: &Context, child: &Child) -> Result<(Driver, Option<u16>), StartError> {
        let failed = |error| StartError::Driver { error, output: child.tail() };
        let driver = Driver::of(child).map_err(|error| failed(DriverError::Failed(error.to_string())))?;
        // Neither keys that are no text nor numbers that JSON lacks are in a context.
        let argument = serde_json::to_value(context).unwrap_or_default();
        match driver.ask(("start", argument), child, self.adapter.ready_within).await.map_err(failed)? {
            Reply::Ready(ready) => Ok((driver, ready.ports.metrics)),
            other => Err(failed(driver::nonsense("start", &format!("{other:?}")))),
        }
    }
}

/// The templates of adapter.yaml, for one sidecar.
struct Rendering<'a> {
    adapter: &'a Adapter,
    context: &'a Context,
}

impl Rendering<'_> {
    fn inline(&self, inline: &Inline) -> Result<String, TemplateError> {
        self.adapter.templates().inline(inline, self.context)
    }

    fn command(&self) -> Result<Rendered, TemplateError> {
        let command = &self.adapter.command;
        let args = command.args.iter().map(|arg| self.inline(arg)).collect::<Result<Vec<_>, _>>()?;
        let env = command.env.iter().map(|(name, value)| Ok((name.clone(), self.inline(value)?)));
        Ok(Rendered {
            program: self.inline(&command.program)?,
            args: args.into_iter().filter(|arg| !arg.is_empty()).collect(),
            env: env.collect::<Result<_, TemplateError>>()?,
        })
    }

    fn metrics(&self) -> Result<Option<(SocketAddr, String)>, StartError> {
        let Some(metrics) = &self.adapter.metrics else { return Ok(None) };
        let mut address = self.context.admin.address;
        if let Some(port) = &metrics.port {
            address.set_port(self.parsed(port, "port")?);
        }
        Ok(Some((address, metrics.path.clone())))
    }

    fn sign(&self, life: &Life) -> Result<Sign, StartError> {
        Ok(match &life.ready {
            Ready::Get(path) => Sign::Get(self.context.admin.address, self.inline(path)?),
            Ready::Accepts(address) => Sign::Accepts(self.parsed(address, "IP:PORT")?),
            Ready::Line(text) => Sign::Line(self.inline(text)?),
        })
    }

    fn drain_path(&self, life: &Life) -> Result<Option<String>, TemplateError> {
        use super::adapter::DrainBy;
        match life.drain.as_ref().map(|drain| &drain.by) {
            Some(DrainBy::Post(path)) => self.inline(path).map(Some),
            _ => Ok(None),
        }
    }

    fn parsed<T: std::str::FromStr>(&self, inline: &Inline, expected: &'static str) -> Result<T, StartError> {
        let text = self.inline(inline)?;
        text.parse().map_err(|_| StartError::Value { what: inline.what.clone(), text, expected })
    }
}
