//! Signals by meaning, and where a dataplane's metrics show them (fixtures/dataplanes/NAME/dictionary.yaml).

/// From a signal's name to the samples that add up to it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dictionary {
    /// In file order.
    pub signals: indexmap::IndexMap<String, Signal>,
}

/// How one signal is read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Signal {
    /// Families, matched as a whole; `*` stands for any run of characters. Their samples are summed.
    pub families: Vec<String>,
    /// Labels a sample must bear, values may contain `*`.
    pub labels: indexmap::IndexMap<String, String>,
}
