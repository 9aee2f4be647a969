//! adapter.yaml as written.

use indexmap::IndexMap;
use serde::Deserialize;

use crate::dataplane::declared::KnownFailure;
use crate::scenario::At;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) about: String,
    #[serde(default)]
    pub(super) driver: Driver,
    pub(super) binary: Binary,
    #[serde(default)]
    pub(super) version: Option<Version>,
    #[serde(default)]
    pub(super) start: Start,
    #[serde(default)]
    pub(super) files: IndexMap<String, At<String>>,
    #[serde(default)]
    pub(super) ready: Option<At<Ready>>,
    #[serde(default)]
    pub(super) metrics: Option<Metrics>,
    #[serde(default)]
    pub(super) key_log: Option<At<String>>,
    #[serde(default)]
    pub(super) drain: Option<At<Drain>>,
    #[serde(default)]
    pub(super) stop: Option<At<Stop>>,
    #[serde(default)]
    pub(super) features: Option<Vec<At<String>>>,
    #[serde(default)]
    pub(super) agent: bool,
    #[serde(default)]
    pub(super) resolves_resources: bool,
    #[serde(default)]
    pub(super) known_failures: Vec<At<KnownFailure>>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Driver {
    /// Configuration is rendered, the dataplane itself is started.
    #[default]
    Template,
    /// A program of theirs is started, and told what to do.
    Exec,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Binary {
    pub(super) name: At<String>,
    #[serde(default)]
    pub(super) env: Option<String>,
    #[serde(default)]
    pub(super) project: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Version {
    pub(super) args: Vec<String>,
    #[serde(default)]
    pub(super) after: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Start {
    #[serde(default)]
    pub(super) command: Option<At<String>>,
    #[serde(default)]
    pub(super) args: Vec<At<String>>,
    #[serde(default)]
    pub(super) env: IndexMap<String, At<String>>,
    #[serde(default)]
    pub(super) within: Option<At<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ready {
    /// A path at the admin address answers 200.
    Get(String),
    /// An address accepts connections.
    Accepts(String),
    /// Standard output or error has a line with this text.
    Line(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Metrics {
    pub(super) path: String,
    #[serde(default)]
    pub(super) port: Option<At<String>>,
    #[serde(default)]
    pub(super) twice: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Drain {
    #[serde(default)]
    pub(super) post: Option<String>,
    #[serde(default)]
    pub(super) signal: Option<At<String>>,
    #[serde(default)]
    pub(super) until: Option<Until>,
    #[serde(default)]
    pub(super) within: Option<At<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Until {
    /// The process ends.
    Exit,
    /// All samples of these families are zero.
    Zero(Vec<String>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stop {
    #[serde(default)]
    pub(super) signal: Option<At<String>>,
    #[serde(default)]
    pub(super) within: Option<At<String>>,
}
