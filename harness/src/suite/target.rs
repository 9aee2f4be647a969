//! Who is judged, beside whom, and where.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{SCRIPTED, stand_in};
use crate::language::{Scenario, World};
use crate::verdict::Verdict;

/// What cases are played against, and in which world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Where cases are played.
    pub world: World,
    /// The dataplane that is judged.
    pub dataplane: Party,
    /// The dataplane on the other side of each call, if it is another one; `None`: the same.
    pub peer: Option<Party>,
}

/// A dataplane by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Party {
    /// Its folder's name below fixtures/dataplanes; `scripted` for the harness itself.
    pub name: String,
    /// Its version, as it tells it.
    pub version: Option<String>,
    /// The folder as it was given, if it was given as a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

impl Party {
    /// The word of the command line that asks for it.
    fn argument(&self) -> String {
        let word = self.path.as_ref().unwrap_or(&self.name);
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
        if word.chars().all(plain) { word.clone() } else { format!("'{word}'") }
    }
}

/// The name of the reference dataplane.
pub const REFERENCE: &str = "reference";

impl Default for Target {
    /// The reference dataplane in the simulator.
    fn default() -> Self {
        let version = Some(env!("CARGO_PKG_VERSION").to_owned());
        Self {
            world: World::Sim,
            dataplane: Party { name: REFERENCE.to_owned(), version, path: None },
            peer: None,
        }
    }
}

impl Target {
    /// A case as it is played against this target.
    ///
    /// # Errors
    /// It is not: [`Verdict::NotRun`].
    pub fn meant<'a>(&self, scenario: &'a Scenario) -> Result<Cow<'a, Scenario>, Verdict> {
        match &self.peer {
            Some(peer) if peer.name == SCRIPTED => {
                stand_in(scenario, self.world).map(Cow::Owned).map_err(Verdict::NotRun)
            }
            _ => Ok(Cow::Borrowed(scenario)),
        }
    }

    /// Whether it is what `conform run` plays without being told.
    #[must_use]
    pub fn is_usual(&self) -> bool {
        self.world == World::Sim && self.dataplane.name == REFERENCE && self.peer.is_none()
    }

    /// The words of the command line that ask for it; none for the usual one.
    #[must_use]
    pub fn arguments(&self) -> String {
        let mut words = String::new();
        if self.dataplane.name != REFERENCE || self.dataplane.path.is_some() {
            words += &format!(" --dataplane {}", self.dataplane.argument());
        }
        if let Some(peer) = &self.peer {
            words += &format!(" --peer {}", peer.argument());
        }
        if self.world != World::default() {
            words += &format!(" --world {}", self.world.word());
        }
        words
    }

    /// A word for names of files: `envoy-live`, `envoy-with-reference-live`.
    #[must_use]
    pub fn slug(&self) -> String {
        let with = self.peer.as_ref().map(|peer| format!("-with-{}", peer.name)).unwrap_or_default();
        format!("{}{with}-{}", self.dataplane.name, self.world.word())
    }
}

impl fmt::Display for Target {
    /// `envoy 1.40.0 beside reference 0.1.0 in the live world`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.dataplane)?;
        if let Some(peer) = &self.peer {
            write!(f, " beside {peer}")?;
        }
        write!(f, " in {}", self.world)
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.version.iter().try_for_each(|version| write!(f, " {version}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_told_in_words() {
        let usual = Target::default();
        assert!(usual.is_usual());
        assert_eq!((usual.arguments().as_str(), usual.slug().as_str()), ("", "reference-sim"));
        let party = |name: &str| Party { name: name.into(), version: Some("1.40.0".into()), path: None };
        let mixed = Target { world: World::Live, dataplane: party("envoy"), peer: Some(party("nginx")) };
        assert_eq!(mixed.arguments(), " --dataplane envoy --peer nginx --world live");
        assert_eq!(mixed.slug(), "envoy-with-nginx-live");
        assert_eq!(mixed.to_string(), "envoy 1.40.0 beside nginx 1.40.0 in the live world");
        assert!(!mixed.is_usual());
        let given = |path: &str| Party { path: Some(path.into()), ..party("reference") };
        let mixed = Target { dataplane: given("../my-proxy"), peer: Some(given("./a b")), ..mixed };
        assert_eq!(mixed.arguments(), " --dataplane ../my-proxy --peer './a b' --world live");
    }
}
