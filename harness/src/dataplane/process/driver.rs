//! A driver: a program of theirs that speaks JSON lines on its standard streams, and runs a dataplane in its own way.
//!
//! One request a line, one answer a line, in order; docs/adapters.md has all of them. `{"unsupported": "why"}` answers any request, as does
//! exit code 89.

use std::os::fd::OwnedFd;
use std::process::ExitStatus;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::child::Child;

/// Exit code of a driver that cannot do what it was asked for.
const UNSUPPORTED: i32 = 89;
/// Longer than any answer.
const LINE_MAX: u64 = 64 << 20;

/// The streams of a driver.
#[derive(Debug)]
pub(super) struct Driver(Mutex<Streams>);

#[derive(Debug)]
struct Streams {
    to: Sender,
    from: BufReader<Receiver>,
    /// The request whose answer has not come: what comes next would be taken for that of another one.
    owed: Option<&'static str>,
}

/// An answer of a driver.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Reply {
    Ready(ReadyReply),
    Applied(Nothing),
    Collected(Collected),
    Drained(Nothing),
    Stopped(Nothing),
    Unsupported(String),
    Error(String),
}

/// Ports that a driver chose.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadyReply {
    #[serde(default)]
    pub(super) ports: Ports,
}

/// At the admin address' IP.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ports {
    #[serde(default)]
    pub(super) metrics: Option<u16>,
}

/// What a driver tells of its dataplane.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Collected {
    /// Prometheus text.
    #[serde(default)]
    pub(super) metrics: Option<String>,
    /// Lines of an NSS key log.
    #[serde(default)]
    pub(super) key_log: Vec<String>,
}

/// `{}`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// A driver that did not do as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DriverError {
    /// It cannot.
    #[error("unsupported: {0}")]
    Unsupported(String),
    /// It failed, in its own words.
    #[error("the driver failed: {0}")]
    Failed(String),
    /// It ended.
    #[error("the driver ended with {0}")]
    Ended(String),
    /// It said nothing.
    #[error("the driver did not answer {request} within {} s", within.as_secs_f64())]
    Silent {
        /// The request.
        request: &'static str,
        /// Its time.
        within: Duration,
    },
    /// It still has not answered what it was asked before.
    #[error("the driver was not asked to {request}: it has not answered {owed} yet")]
    Behind {
        /// The request.
        request: &'static str,
        /// The one before.
        owed: &'static str,
    },
    /// It said something else.
    #[error("the driver answered {request} with {answer:?}, which is no answer to it")]
    Nonsense {
        /// The request.
        request: &'static str,
        /// What it said, cut.
        answer: String,
    },
}

impl Driver {
    /// The streams of a child that was started with pipes.
    pub(super) fn of(child: &Child) -> std::io::Result<Self> {
        let missing = || std::io::Error::other("the driver has no pipes");
        let (stdin, stdout) = child.pipes().ok_or_else(missing)?;
        let to = Sender::from_owned_fd(OwnedFd::from(stdin))?;
        let from = BufReader::new(Receiver::from_owned_fd(OwnedFd::from(stdout))?);
        Ok(Self(Mutex::new(Streams { to, from, owed: None })))
    }

    /// Asks, and waits for the answer. Once one did not come in time, or was not waited for, there are no more.
    pub(super) async fn ask(
        &self,
        (request, argument): (&'static str, Value),
        child: &Child,
        within: Duration,
    ) -> Result<Reply, DriverError> {
        let mut streams = self.0.lock().await;
        if let Some(owed) = streams.owed {
            return Err(DriverError::Behind { request, owed });
        }
        streams.owed = Some(request);
        let line = serde_json::json!({ request: argument }).to_string() + "\n";
        let talk = async {
            // One that has ended shows in what it says.
            let _ = streams.to.write_all(line.as_bytes()).await;
            let mut answer = String::new();
            let read = (&mut streams.from).take(LINE_MAX).read_line(&mut answer).await;
            read.ok().filter(|length| *length > 0).map(|_| answer)
        };
        let Ok(answer) = timeout(within, talk).await else {
            return Err(DriverError::Silent { request, within });
        };
        streams.owed = None;
        let Some(answer) = answer else {
            return Err(timeout(within, child.ended())
                .await
                .map_or(DriverError::Silent { request, within }, ended));
        };
        match serde_json::from_str(&answer) {
            Ok(Reply::Unsupported(why)) => Err(DriverError::Unsupported(why)),
            Ok(Reply::Error(why)) => Err(DriverError::Failed(why)),
            Ok(reply) => Ok(reply),
            Err(_) => Err(nonsense(request, &answer)),
        }
    }
}

/// An answer that does not go with its request.
pub(super) fn nonsense(request: &'static str, answer: &str) -> DriverError {
    DriverError::Nonsense { request, answer: answer.trim_end().chars().take(200).collect() }
}

fn ended(status: ExitStatus) -> DriverError {
    match status.code() {
        Some(UNSUPPORTED) => DriverError::Unsupported(format!("exit code {UNSUPPORTED}")),
        _ => DriverError::Ended(status.to_string()),
    }
}
