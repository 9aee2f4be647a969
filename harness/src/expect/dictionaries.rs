//! Which dictionary reads the metrics of which sidecar.

use serde::{Deserialize, Serialize};

use crate::language::Scenario;
use crate::observe::dictionary::Dictionary;

/// The dictionary of the dataplane that is judged, and that of its peer, where that is another one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dictionaries {
    /// For sidecars of the dataplane that is judged.
    pub tested: Dictionary,
    /// For sidecars of another one, which stand beside pods that are only called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<Dictionary>,
}

impl Dictionaries {
    /// The one that reads what the sidecar of `pod` shows.
    #[must_use]
    pub fn of(&self, scenario: &Scenario, pod: &str) -> &Dictionary {
        match &self.peer {
            Some(peer) if self.is_of_peer(scenario, pod) => peer,
            _ => &self.tested,
        }
    }

    /// Whether the sidecar of `pod` is of another dataplane than the one that is judged.
    #[must_use]
    pub fn is_of_peer(&self, scenario: &Scenario, pod: &str) -> bool {
        self.peer.is_some() && !scenario.calls(pod)
    }
}

impl From<Dictionary> for Dictionaries {
    /// One for all.
    fn from(tested: Dictionary) -> Self {
        Self { tested, peer: None }
    }
}
