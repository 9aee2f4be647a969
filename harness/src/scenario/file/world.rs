//! Where a case is played, as written.

use schemars::{JsonSchema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Only;
use super::shape::{Never, Refused, Shape, of, shape};
use crate::scenario::decode::At;

/// The one world that a case is played in.
#[derive(Debug, Clone)]
pub(crate) struct Worlds {
    pub(crate) only: World,
    pub(crate) because: At<String>,
    pub(crate) when: Option<Only>,
}

shape!(Worlds);

/// A world.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum World {
    /// The simulator: virtual time, seeds, exact packets.
    Sim,
    /// Real sockets and processes.
    Live,
}

/// `worlds` as a mapping.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorldsMap {
    /// The one world in which the case is played.
    only: World,
    /// Why it cannot be played in the others, in a few words.
    because: At<String>,
    /// For which values of the matrix that is so; cases of others are played in all worlds.
    when: Option<Only>,
}

impl Shape for Worlds {
    type Map = WorldsMap;
    type List = Never;
    const NAME: &'static str = "Worlds";
    // Nobody leaves a case out of a world without a reason.
    const EXPECTED: &'static str =
        "a world with a reason, such as {only: sim, because: needs 24 virtual hours}";
    const MAP: bool = true;

    fn word(_: &str) -> Result<Self, Refused> {
        Err(Refused::Shape)
    }

    fn map(map: WorldsMap) -> Result<Self, Refused> {
        Ok(Self { only: map.only, because: map.because, when: map.when })
    }

    fn schema(generator: &mut SchemaGenerator) -> Value {
        json!({
            "anyOf": [of::<WorldsMap>(generator)],
            "description": "The one world that a case is played in, with the reason: `{only: sim, because: \"needs 24 virtual hours\"}`.",
        })
    }
}
