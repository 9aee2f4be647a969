//! Where cases are played.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A world that cases are played in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum World {
    /// The deterministic simulator, in virtual time.
    #[default]
    Sim,
    /// Real sockets and real processes, in real time.
    Live,
}

impl World {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::Sim, Self::Live];

    /// As scenarios and the command line write it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Sim => "sim",
            Self::Live => "live",
        }
    }
}

impl fmt::Display for World {
    /// For people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sim => "the simulator",
            Self::Live => "the live world",
        })
    }
}

/// The one world that a case is played in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnlyIn {
    /// Which.
    pub world: World,
    /// Why not in the others: `needs 24 virtual hours`.
    pub because: String,
}
