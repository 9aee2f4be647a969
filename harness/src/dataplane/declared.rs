//! What a dataplane says of itself before it is judged: what it offers, and what it knows to be wrong with it.

use semver::{Prerelease, Version, VersionReq};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::observe::dictionary::glob;

/// What a dataplane declares (fixtures/dataplanes/NAME/adapter.yaml). The default: judged as a proxy, on all features.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declared {
    /// Features of the contract on which it is judged; `None`: all. Clauses of others are *unsupported*.
    #[serde(default)]
    pub features: Option<Vec<String>>,
    /// Whether something stands for kuma-dp beside it. Else the contract's clauses on the agent are unsupported.
    #[serde(default)]
    pub agent: bool,
    /// Whether it resolves Kuma's resources itself, as the reference dataplane alone does. Else the contract's clauses on the control plane are
    /// unsupported.
    #[serde(default)]
    pub resolves_resources: bool,
    /// Whose verdict is known beforehand.
    #[serde(default)]
    pub known_failures: Vec<KnownFailure>,
}

impl Declared {
    /// What the reference dataplane declares: the whole contract, and no excuse.
    #[must_use]
    pub fn reference() -> Self {
        Self { features: None, agent: true, resolves_resources: true, known_failures: Vec::new() }
    }

    /// What a pair declares of which `peer`, in its version, is the other one. It is judged on what the first declares; what is known of either may fail.
    #[must_use]
    pub fn beside(mut self, peer: &Self, version: Option<&str>) -> Self {
        let theirs = peer.known_failures.iter().filter(|known| known.is_of(version));
        let theirs = theirs.map(|known| KnownFailure { versions: None, as_peer: false, ..known.clone() });
        self.known_failures.retain(|known| !known.as_peer);
        self.known_failures.extend(theirs);
        for known in &mut self.known_failures {
            known.may_hold = true;
        }
        self
    }

    /// Whether it is judged on a feature of the contract.
    #[must_use]
    pub fn offers(&self, feature: &str) -> bool {
        self.features.as_ref().is_none_or(|features| features.iter().any(|own| own == feature))
    }
}

/// A failure that is known, and why. The case is still run: once it passes, the entry is an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownFailure {
    /// The clause: `HTTP-17`; or the name of a check that is always on: `no leak`.
    pub clause: String,
    /// Pattern of the names of cases, `*` for any run of characters: `http/malformed[*]`.
    pub cases: String,
    /// Why, in a sentence.
    pub reason: String,
    /// Where it is discussed.
    #[serde(default)]
    pub link: Option<String>,
    /// Versions of the dataplane for which it holds: `>=1.38, <1.41`; all without.
    #[serde(default, deserialize_with = "range")]
    pub versions: Option<VersionReq>,
    /// Only where it is the peer of another dataplane: with its own kind it does not show.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub as_peer: bool,
    /// Beside another dataplane, which may make up for it: no error then if it does not fail.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_hold: bool,
}

/// Versions from to; an error says what they look like.
fn range<'de, D: Deserializer<'de>>(from: D) -> Result<Option<VersionReq>, D::Error> {
    let parse = |text: String| {
        let wrong = |error| format!("`{text}` is no range of versions such as `>=1.38, <1.41`: {error}");
        text.parse().map_err(|error: semver::Error| D::Error::custom(wrong(error)))
    };
    Option::<String>::deserialize(from)?.map(parse).transpose()
}

impl KnownFailure {
    /// Whether it speaks of a case, by the case's name.
    #[must_use]
    pub fn covers(&self, case: &str) -> bool {
        glob(&self.cases, case)
    }

    /// Whether it speaks of a version of the dataplane, as the dataplane tells it: `1.40`, `v1.40.0-dev`. An entry for some versions does not
    /// excuse one that nobody knows.
    #[must_use]
    pub fn is_of(&self, version: Option<&str>) -> bool {
        match (&self.versions, version.and_then(parsed)) {
            (None, _) => true,
            (Some(versions), Some(version)) => versions.matches(&version),
            (Some(_), None) => false,
        }
    }

    /// The reason, and where it is discussed.
    #[must_use]
    pub fn told(&self) -> String {
        match &self.link {
            Some(link) => format!("{} ({link})", self.reason),
            None => self.reason.clone(),
        }
    }
}

/// The first version in a text, with zeros for what it lacks. What comes before a release counts as that release: ranges are about behaviour.
fn parsed(text: &str) -> Option<Version> {
    let from = text.find(|c: char| c.is_ascii_digit())?;
    let end = text[from..].find(|c: char| !c.is_ascii_digit() && c != '.').map_or(text.len(), |at| from + at);
    let mut numbers = text[from..end].split('.').filter(|part| !part.is_empty());
    let mut next = || numbers.next().map_or(Ok(0), str::parse::<u64>).ok();
    Some(Version { pre: Prerelease::EMPTY, ..Version::new(next()?, next()?, next()?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(versions: Option<&str>) -> KnownFailure {
        KnownFailure {
            clause: "HTTP-17".into(),
            cases: "http/malformed[*]".into(),
            reason: "It does not.".into(),
            link: None,
            versions: versions.map(|text| text.parse().expect("a range")),
            as_peer: false,
            may_hold: false,
        }
    }

    #[test]
    fn cases_are_met_by_pattern() {
        assert!(known(None).covers("http/malformed[input=nul]"));
        assert!(!known(None).covers("http/malformed"));
        assert!(!known(None).covers("x/http/malformed[input=nul]"));
    }

    #[test]
    fn versions_are_compared_as_versions() {
        for (versions, version, is_of) in [
            (None, None, true),
            (None, Some("garbage"), true),
            (Some(">=1.38, <1.41"), Some("1.40.0"), true),
            (Some(">=1.38, <1.41"), Some("v1.40"), true),
            (Some(">=1.38, <1.41"), Some("1.40.3-dev"), true),
            (Some(">=1.38, <1.41"), Some("envoy 1.9.0 (clean)"), false),
            (Some(">=1.38, <1.41"), Some("1.41.0-dev"), false),
            (Some(">=1.38, <1.41"), Some("unknown"), false),
            (Some(">=1.38, <1.41"), None, false),
        ] {
            assert_eq!(known(versions).is_of(version), is_of, "{versions:?} {version:?}");
        }
    }

    #[test]
    fn a_declaration_is_read_and_mistakes_are_errors() {
        let text = "features: [http, mtls]\nknown_failures:\n  - {clause: HTTP-17, cases: 'http/*', reason: r, versions: '>=1.38, <1.41'}\n";
        let declared: Declared = serde_saphyr::from_str(text).expect("a declaration");
        assert!(declared.offers("http") && !declared.offers("grpc"));
        assert!(!declared.resolves_resources && !declared.agent);
        assert!(Declared::default().offers("grpc"));
        for wrong in [text.replace(">=1.38", "=>1.38"), text.replace("reason", "raeson")] {
            assert!(serde_saphyr::from_str::<Declared>(&wrong).is_err(), "{wrong}");
        }
    }
}
