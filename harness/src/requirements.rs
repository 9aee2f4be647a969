//! The contract: what a dataplane owes, clause by clause (fixtures/requirements.yaml).

use std::sync::LazyLock;

use indexmap::IndexMap;
use serde::Deserialize;

/// The contract as it was built in.
const BUNDLED: &str = include_str!("../../fixtures/requirements.yaml");

/// Why a contract can't be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RequirementsError {
    /// Not YAML, or not of the right form.
    #[error("contract is malformed: {0}")]
    Malformed(String),
    /// The same id twice.
    #[error("clause {0} is there twice")]
    Twice(String),
}

/// How binding a clause is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Binding {
    /// Broken: the dataplane failed.
    Must,
    /// Broken: a warning.
    Should,
    /// Broken: a remark.
    May,
}

impl Binding {
    /// All, the strongest first.
    pub const ALL: [Self; 3] = [Self::Must, Self::Should, Self::May];

    /// As the contract writes it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Must => "must",
            Self::Should => "should",
            Self::May => "may",
        }
    }
}

/// What a clause rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The documentation page.
    Page,
    /// What Kuma configures.
    Kuma,
    /// An RFC or protocol specification.
    Protocol,
    /// Only seen on Envoy.
    Envoy,
}

/// Who is judged by a clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// The proxy.
    #[default]
    Proxy,
    /// kuma-dp beside the proxy.
    Agent,
    /// Kuma's control plane.
    ControlPlane,
}

/// One clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    /// `TLS-1`. Never changes its meaning.
    pub id: String,
    /// Its area, `TLS`.
    pub area: String,
    /// How binding it is.
    pub level: Binding,
    /// What it rests on.
    pub basis: Basis,
    /// Whether every dataplane that claims the feature owes it.
    pub core: bool,
    /// What a dataplane declares to be judged on it.
    pub feature: String,
    /// Who is judged.
    pub subject: Subject,
    /// The Kuma profile it is limited to, if any.
    pub profile: Option<String>,
    /// What must hold.
    pub text: String,
    /// Where that is known from.
    pub source: String,
    /// What real Envoy sidecars were seen to do, where that is known. Tells, never binds.
    pub seen: Option<String>,
}

/// The contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirements {
    /// Titles by area, in file order.
    areas: IndexMap<String, String>,
    clauses: IndexMap<String, Clause>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AreaAsWritten {
    area: String,
    title: String,
    feature: String,
    clauses: Vec<ClauseAsWritten>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClauseAsWritten {
    id: String,
    level: Binding,
    basis: Basis,
    #[serde(default)]
    core: bool,
    feature: Option<String>,
    #[serde(default)]
    subject: Subject,
    profile: Option<String>,
    text: String,
    source: String,
    seen: Option<String>,
}

impl Requirements {
    /// The contract that was built in.
    ///
    /// # Errors
    /// Never in a build that passed its tests.
    pub fn bundled() -> Result<&'static Self, RequirementsError> {
        // Every scenario file is checked against it: read once, it costs what one of them does.
        static READ: LazyLock<Result<Requirements, RequirementsError>> =
            LazyLock::new(|| Requirements::parse(BUNDLED));
        READ.as_ref().map_err(Clone::clone)
    }

    /// Reads a contract.
    ///
    /// # Errors
    /// If it is malformed, or an id is there twice.
    pub fn parse(text: &str) -> Result<Self, RequirementsError> {
        let written: Vec<AreaAsWritten> =
            serde_saphyr::from_str(text).map_err(|error| RequirementsError::Malformed(error.to_string()))?;
        let mut areas = IndexMap::new();
        let mut clauses = IndexMap::new();
        for area in written {
            areas.insert(area.area.clone(), area.title);
            for clause in area.clauses {
                let id = clause.id.clone();
                let clause = Clause {
                    id: clause.id,
                    area: area.area.clone(),
                    level: clause.level,
                    basis: clause.basis,
                    core: clause.core,
                    feature: clause.feature.unwrap_or_else(|| area.feature.clone()),
                    subject: clause.subject,
                    profile: clause.profile,
                    text: clause.text,
                    source: clause.source,
                    seen: clause.seen,
                };
                if clauses.insert(id.clone(), clause).is_some() {
                    return Err(RequirementsError::Twice(id));
                }
            }
        }
        Ok(Self { areas, clauses })
    }

    /// The clause of an id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Clause> {
        self.clauses.get(id)
    }

    /// Areas with their titles, in file order.
    pub fn areas(&self) -> impl Iterator<Item = (&str, &str)> {
        self.areas.iter().map(|(area, title)| (area.as_str(), title.as_str()))
    }

    /// All clauses, in file order.
    pub fn iter(&self) -> impl Iterator<Item = &Clause> {
        self.clauses.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundled_contract_is_read_whole() {
        let contract = Requirements::bundled().unwrap_or_else(|error| panic!("{error}"));
        // Counted with grep, independently of the reader.
        assert_eq!(contract.iter().count(), BUNDLED.matches("- {id: ").count());
        let clause = contract.get("TLS-8").map(|clause| (clause.feature.as_str(), clause.level, clause.core));
        assert_eq!(clause, Some(("permissive", Binding::Must, false)));
        let clause = contract.get("TCP-1").map(|clause| (clause.feature.as_str(), clause.basis, clause.core));
        assert_eq!(clause, Some(("tcp", Basis::Page, true)));
        assert_eq!(contract.get("TCP-999"), None);
        assert!(contract.areas().any(|area| area == ("TCP", "Opaque tcp")));
        let seen = contract.get("HTTP-11").and_then(|clause| clause.seen.as_deref());
        assert!(seen.is_some_and(|seen| seen.contains("426")), "{seen:?}");
    }

    #[test]
    fn a_clause_of_basis_envoy_is_never_a_must() {
        let contract = Requirements::bundled().unwrap_or_else(|error| panic!("{error}"));
        for clause in contract.iter() {
            assert!(clause.basis != Basis::Envoy || clause.level != Binding::Must, "{}", clause.id);
        }
    }

    #[test]
    fn an_id_twice_is_an_error() {
        let one = "{id: X-1, level: must, basis: page, text: t, source: s}";
        let text = format!("- {{area: X, title: x, feature: x, clauses: [{one}, {one}]}}");
        assert!(matches!(Requirements::parse(&text), Err(RequirementsError::Twice(id)) if id == "X-1"));
    }
}
