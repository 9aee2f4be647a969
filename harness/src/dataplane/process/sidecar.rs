//! A running sidecar that is a process.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::time::{sleep, timeout};

use super::child::{Child, number};
use super::driver::{Collected, Driver, DriverError, Reply, nonsense};
use super::ready::{gone, request};
use crate::dataplane::adapter::{Adapter, Context, Drain, DrainBy, DrainedWhen, Driver as DriverKind, Life};
use crate::dataplane::plan::Plan;
use crate::dataplane::{NotDrained, Sidecar};
use crate::observe::dictionary::bears_any;
use crate::observe::metrics::Metrics;

/// Between two scrapes that look whether a drain is over.
const EVERY: Duration = Duration::from_millis(20);
/// For answers of a driver, and for its end.
const DRIVER_WITHIN: Duration = Duration::from_secs(10);
const DRIVER_DRAINS_WITHIN: Duration = Duration::from_secs(60);

/// A running sidecar that is a process. Dropped, it is killed and reaped.
#[derive(Debug)]
pub struct ProcessSidecar {
    pub(super) adapter: Arc<Adapter>,
    pub(super) context: Context,
    pub(super) child: Child,
    pub(super) kind: Kind,
    /// Where it listens.
    pub(super) listeners: Vec<SocketAddr>,
    pub(super) metrics: Option<(SocketAddr, String)>,
    pub(super) key_log: Option<PathBuf>,
    /// Whether it was told to drain: it may end then.
    pub(super) drains: AtomicBool,
}

/// What the process is.
#[derive(Debug)]
pub(super) enum Kind {
    /// The dataplane itself, and the path to which a POST drains it.
    Template { drain: Option<String> },
    /// A driver of one.
    Exec(Driver),
}

/// A drain that did not end as it should.
#[derive(Debug, thiserror::Error)]
pub enum DrainError {
    /// The adapter does not say how.
    #[error("its adapter says no way to drain")]
    Unknown,
    /// The request failed.
    #[error("POST {path}: {reason}")]
    Post {
        /// The path.
        path: String,
        /// Why.
        reason: String,
    },
    /// It takes too long.
    #[error("it was not drained within {} s", .0.as_secs_f64())]
    Late(Duration),
    /// The driver failed.
    #[error(transparent)]
    Driver(#[from] DriverError),
}

impl DrainError {
    /// The same in the words of all dataplanes.
    fn told(self) -> NotDrained {
        match self {
            Self::Unknown | Self::Driver(DriverError::Unsupported(_)) => NotDrained::NoWay(self.to_string()),
            Self::Post { .. } | Self::Late(_) | Self::Driver(_) => NotDrained::Failed(self.to_string()),
        }
    }
}

impl ProcessSidecar {
    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.pid()
    }

    /// Its folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.context.dir
    }

    /// The last lines of its output, for reports.
    #[must_use]
    pub fn output(&self) -> String {
        self.child.tail()
    }

    /// Drains it, as [`Sidecar::drain`] does, and says what went wrong.
    ///
    /// # Errors
    /// It cannot be drained, or not in time.
    pub async fn drained(&self) -> Result<(), DrainError> {
        self.drains.store(true, Ordering::Relaxed);
        let drain = match (&self.kind, &self.adapter.driver) {
            (Kind::Exec(driver), _) => {
                return match driver.ask(("drain", json!({})), &self.child, DRIVER_DRAINS_WITHIN).await? {
                    Reply::Drained(_) => timeout(DRIVER_WITHIN, gone(&self.listeners))
                        .await
                        .map_err(|_| DrainError::Late(DRIVER_WITHIN)),
                    other => Err(nonsense("drain", &format!("{other:?}")).into()),
                };
            }
            (Kind::Template { .. }, DriverKind::Template(life)) => life.drain.as_ref(),
            (Kind::Template { .. }, DriverKind::Exec) => None,
        };
        let drain = drain.ok_or(DrainError::Unknown)?;
        let drained = async {
            tokio::select! {
                biased;
                drained = self.drain_by(drain) => drained,
                // Nothing is left to drain; whether it may end like that is for `died` to say.
                _ = self.child.ended() => Ok(()),
            }
        };
        timeout(drain.within, drained).await.unwrap_or(Err(DrainError::Late(drain.within)))
    }

    async fn drain_by(&self, drain: &Drain) -> Result<(), DrainError> {
        match (&drain.by, &self.kind) {
            (DrainBy::Signal(signal), _) => self.child.signal(*signal),
            (DrainBy::Post(_), Kind::Template { drain: Some(path) }) => self.post(path).await?,
            (DrainBy::Post(_), _) => return Err(DrainError::Unknown),
        }
        gone(&self.listeners).await;
        match &drain.until {
            None => {}
            Some(DrainedWhen::Exit) => {
                self.child.ended().await;
            }
            Some(DrainedWhen::Zero(families)) => {
                while !self.is_zero(families).await {
                    sleep(EVERY).await;
                }
            }
        }
        Ok(())
    }

    async fn post(&self, path: &str) -> Result<(), DrainError> {
        let failed = |reason: String| DrainError::Post { path: path.to_owned(), reason };
        match request("POST", self.context.admin.address, path).await {
            Ok(answer) if answer.status == 200 => Ok(()),
            Ok(answer) => Err(failed(format!("status {}", answer.status))),
            Err(error) => Err(failed(error.to_string())),
        }
    }

    /// Whether all samples of these families are zero; one that was never counted may not be there. Metrics that cannot be read are not zero.
    async fn is_zero(&self, families: &[String]) -> bool {
        let Some((address, path)) = &self.metrics else { return false };
        // The first question may only gather.
        if self.gathers_when_asked() && request("GET", *address, path).await.is_err() {
            return false;
        }
        let Ok(answer) = request("GET", *address, path).await else { return false };
        let metrics = String::from_utf8(answer.body).ok().and_then(|text| Metrics::parse(&text).ok());
        metrics.is_some_and(|metrics| {
            let of_families = metrics.samples().filter(|sample| families.contains(&sample.name));
            of_families
                .filter(|sample| !bears_any(sample, &self.adapter.without))
                .all(|sample| sample.value == 0.0)
        })
    }

    /// Gives a driver another plan.
    ///
    /// # Errors
    /// It failed, or there is no driver: a process that is configured by files is started anew instead.
    pub async fn apply(&self, plan: &Plan) -> Result<(), DriverError> {
        let Kind::Exec(driver) = &self.kind else {
            return Err(DriverError::Unsupported("a change needs a driver, or a new start".to_owned()));
        };
        let argument = json!({ "plan": plan.json() });
        match driver.ask(("apply", argument), &self.child, self.adapter.ready_within).await? {
            Reply::Applied(_) => Ok(()),
            other => Err(nonsense("apply", &format!("{other:?}"))),
        }
    }

    async fn ask_to_collect(&self, driver: &Driver) -> Result<Collected, DriverError> {
        match driver.ask(("collect", json!({})), &self.child, DRIVER_WITHIN).await? {
            Reply::Collected(collected) => Ok(collected),
            other => Err(nonsense("collect", &format!("{other:?}"))),
        }
    }

    /// Whether a drain ends like this: in success, or by the very signal that it was begun with.
    fn is_end_of_drain(&self, status: ExitStatus) -> bool {
        let signal = self.life().and_then(|life| match life.drain.as_ref()?.by {
            DrainBy::Signal(signal) => Some(number(signal).as_raw()),
            DrainBy::Post(_) => None,
        });
        status.success() || status.signal().is_some_and(|by| Some(by) == signal)
    }

    fn life(&self) -> Option<&Life> {
        match &self.adapter.driver {
            DriverKind::Template(life) => Some(life),
            DriverKind::Exec => None,
        }
    }
}

impl Sidecar for ProcessSidecar {
    async fn drain(&self) -> Result<(), NotDrained> {
        self.drained().await.map_err(DrainError::told)
    }

    fn stop(&self) {
        if let Some(life) = self.life() {
            self.child.signal(life.stop);
        }
    }

    async fn ended(&self) {
        let within = match (&self.kind, self.life()) {
            (Kind::Exec(driver), _) => {
                match driver.ask(("stop", json!({})), &self.child, DRIVER_WITHIN).await {
                    Ok(_) => DRIVER_WITHIN,
                    // It is killed: nothing more is to be had of it.
                    Err(_) => Duration::ZERO,
                }
            }
            (Kind::Template { .. }, life) => life.map_or(DRIVER_WITHIN, |life| life.stop_within),
        };
        let _ = timeout(within, self.child.ended()).await;
        self.child.kill();
    }

    fn died(&self) -> Option<String> {
        let status = self.child.has_ended()?;
        let may_end = self.drains.load(Ordering::Relaxed) && self.is_end_of_drain(status);
        (!may_end).then(|| format!("{status}; {}", self.child.tail()))
    }

    fn crash(&self) {
        self.child.kill();
    }

    fn metrics(&self) -> Option<(SocketAddr, &str)> {
        self.metrics.as_ref().map(|(address, path)| (*address, path.as_str()))
    }

    fn gathers_when_asked(&self) -> bool {
        self.adapter.metrics.as_ref().is_some_and(|metrics| metrics.twice)
    }

    async fn collect(&self) -> Option<Result<String, String>> {
        let Kind::Exec(driver) = &self.kind else { return None };
        let collected = self.ask_to_collect(driver).await;
        collected.map(|collected| collected.metrics).map_err(|error| error.to_string()).transpose()
    }

    async fn key_log(&self) -> Result<Vec<String>, String> {
        let mut lines = match (&self.kind, &self.key_log, self.child.has_ended()) {
            (Kind::Exec(driver), _, None) => {
                self.ask_to_collect(driver).await.map_err(|error| error.to_string())?.key_log
            }
            // Before its end the file may lack something, or not be there.
            (_, Some(path), Some(_)) => written(path)?,
            _ => Vec::new(),
        };
        // The last one of a process that was killed may be cut.
        lines.retain(|line| line.split(' ').count() == 3);
        Ok(lines)
    }

    fn pid(&self) -> Option<u32> {
        Some(self.child.pid())
    }
}

/// The lines of a key log.
fn written(path: &Path) -> Result<Vec<String>, String> {
    match fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()),
        Err(error) => Err(format!("its key log {}: {error}", path.display())),
    }
}
