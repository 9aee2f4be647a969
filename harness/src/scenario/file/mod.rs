//! Scenario files as written: what serde reads and what the JSON Schema describes. Nothing here knows whether names exist.
//!
//! * [`shape`] — values that are a word or a mapping, and how they are read and described.
//! * [`word`] — sizes, counts, durations, payloads. [`matcher`] — sets of words.
//! * [`pod`] — pods and their apps. [`script`] — what ends of connections do. [`http`] — what HTTP clients ask and apps answer.
//! * [`step`] — steps and faults. [`expect`] — expectations. [`metrics`] — those on metrics. [`world`] — where cases are played.

pub(crate) mod expect;
pub(crate) mod http;
pub(crate) mod matcher;
pub(crate) mod metrics;
pub(crate) mod pod;
pub(crate) mod script;
pub(crate) mod shape;
pub(crate) mod step;
pub(crate) mod word;
pub(crate) mod world;

use indexmap::IndexMap;
use schemars::{JsonSchema, SchemaGenerator};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use super::decode::At;
use expect::Expectation;
use pod::Pod;
use shape::{Never, Refused, Shape};
use step::Step;
use word::{Choices, OneOrMany, Wait};
use world::Worlds;

/// A scenario file.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a scenario: a mapping with `about`, `mesh`, `pods`, `steps`")]
#[schemars(title = "Scenario", rename = "Scenario")]
pub(crate) struct File {
    /// What it shows, in one sentence.
    pub(crate) about: At<String>,
    /// `true`: so large that it is run over fewer seeds.
    pub(crate) large: Option<bool>,
    /// In which worlds it is played. Default: in all.
    pub(crate) worlds: Option<Worlds>,
    /// Virtual time after which the run counts as a hang. Default `26h`.
    pub(crate) deadline: Option<Wait>,
    /// Matrix: placeholder names and their values. One case for each combination, the last name changing fastest. `$name` as a whole scalar, or
    /// `${name}` within text, stands for the value; `$$` for a `$`.
    #[serde(rename = "for")]
    #[expect(
        dead_code,
        reason = "read by `matrix` before the rest can be; here for the schema and for unknown keys"
    )]
    pub(crate) matrix: Option<IndexMap<String, Choices>>,
    /// The mesh's own settings.
    pub(crate) mesh: Mesh,
    /// The pods by name. Hosts of a pod: `NAME` (its app's) and `NAME.proxy` (its sidecar's).
    pub(crate) pods: IndexMap<At<String>, Pod>,
    /// Kuma resources beside those made from the short forms: YAML text (may hold several documents), or a list of such texts and of mappings.
    #[expect(dead_code, reason = "the text is made from the tree; here for its shape")]
    pub(crate) resources: Option<Resources>,
    /// What happens, in order.
    pub(crate) steps: Vec<At<Step>>,
    /// What holds when all is quiet.
    pub(crate) expect: Option<Vec<At<Expectation>>>,
}

/// The mesh's own settings.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "the mesh: a mapping with `mtls`")]
pub(crate) struct Mesh {
    /// Mesh mTLS.
    pub(crate) mtls: Mtls,
    /// Names of pods that may call. Absent: everyone may; `[]`: nobody.
    pub(crate) permissions: Option<Vec<At<String>>>,
}

/// Mesh mTLS.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mtls {
    /// Between sidecars only mesh TLS.
    Strict,
    /// Off.
    Disabled,
}

/// For which values of the matrix this is there; without, for all. Each name must have the value, or one of the listed ones.
pub(crate) type Only = IndexMap<At<String>, At<OneOrMany>>;

/// Verbatim Kuma YAML: here only its shape; the text is made from the tree, where numbers are still numbers.
#[derive(Debug, Clone)]
pub(crate) struct Resources;

/// One entry of `resources`: YAML text of one or several documents, or a mapping written in place.
#[derive(Debug, Clone)]
pub(crate) struct Resource;

shape::shape!(Resources, Resource);

impl Shape for Resource {
    type Map = IgnoredAny;
    type List = Never;
    const NAME: &'static str = "Resource";
    const EXPECTED: &'static str = "a Kuma resource: YAML text or a mapping";
    const MAP: bool = true;

    fn word(_: &str) -> Result<Self, Refused> {
        Ok(Self)
    }

    fn map(_: IgnoredAny) -> Result<Self, Refused> {
        Ok(Self)
    }

    fn schema(_: &mut SchemaGenerator) -> serde_json::Value {
        json!({"type": ["string", "object"], "description": "A Kuma resource: YAML text, or a mapping."})
    }
}

impl Shape for Resources {
    type Map = Never;
    type List = Vec<Resource>;
    const NAME: &'static str = "Resources";
    const EXPECTED: &'static str = "Kuma resources: YAML text, or a list of texts and mappings";
    const LIST: bool = true;

    fn word(_: &str) -> Result<Self, Refused> {
        Ok(Self)
    }

    fn list(_: Vec<Resource>) -> Result<Self, Refused> {
        Ok(Self)
    }

    fn schema(generator: &mut SchemaGenerator) -> serde_json::Value {
        let one = shape::of::<Resource>(generator);
        json!({"anyOf": [{"type": "string"}, {"type": "array", "items": one}], "description": "YAML text of one or several documents, or a list of texts and mappings."})
    }
}
