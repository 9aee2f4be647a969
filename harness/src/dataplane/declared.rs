//! What a dataplane says of itself before it is judged: what it offers, and what it knows to be wrong with it.

use serde::Deserialize;

/// What a dataplane declares (fixtures/dataplanes/NAME/adapter.yaml).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Declared {
    /// Features of the contract on which it is judged; `None`: all. Clauses of others are *unsupported*.
    pub features: Option<Vec<String>>,
    /// Whose verdict is known beforehand.
    pub known_failures: Vec<KnownFailure>,
}

/// A failure that is known, and why. The case is still run: once it passes, the entry is an error.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
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
    #[serde(default)]
    pub versions: Option<String>,
}
