//! Which part of the contract is asked for, and which cases speak of it.

use crate::language::Scenario;
use crate::requirements::{Clause, Requirements};
use crate::scenario::nearest;

/// Clauses by area, id and feature. Of one kind any will do; kinds narrow each other. An empty kind takes all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    areas: Vec<String>,
    clauses: Vec<String>,
    features: Vec<String>,
}

/// A word that the contract does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the contract has no {kind} `{word}`{}", .near.as_ref().map(|near| format!("\nhelp: did you mean `{near}`?")).unwrap_or_default())]
pub struct Unknown {
    /// `area`, `clause`, `feature`.
    pub kind: &'static str,
    /// The word.
    pub word: String,
    /// What may have been meant.
    pub near: Option<String>,
}

impl Filter {
    /// Takes words of the contract, in any letter case.
    ///
    /// # Errors
    /// One of them is not in the contract.
    pub fn new(
        contract: &Requirements,
        areas: &[String],
        clauses: &[String],
        features: &[String],
    ) -> Result<Self, Unknown> {
        let known = |kind, words: &[String], of: fn(&Clause) -> &str| {
            words.iter().map(|word| in_contract(contract, kind, word, of)).collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            areas: known("area", areas, |clause| &clause.area)?,
            clauses: known("clause", clauses, |clause| &clause.id)?,
            features: known("feature", features, |clause| &clause.feature)?,
        })
    }

    /// Whether a clause is asked for.
    #[must_use]
    pub fn takes(&self, clause: &Clause) -> bool {
        let any = |wanted: &[String], word: &str| wanted.is_empty() || wanted.iter().any(|want| want == word);
        any(&self.areas, &clause.area)
            && any(&self.clauses, &clause.id)
            && any(&self.features, &clause.feature)
    }

    /// Whether a case is asked for: for each kind of word one of its clauses bears one of them.
    #[must_use]
    pub fn takes_case(&self, contract: &Requirements, case: &Scenario) -> bool {
        let named: Vec<_> = case.clauses().into_iter().filter_map(|id| contract.get(id)).collect();
        let any = |wanted: &[String], of: fn(&Clause) -> &str| {
            wanted.is_empty() || named.iter().any(|clause| wanted.iter().any(|want| want == of(clause)))
        };
        any(&self.areas, |clause| &clause.area)
            && any(&self.clauses, |clause| &clause.id)
            && any(&self.features, |clause| &clause.feature)
    }

    /// Whether everything is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.areas.is_empty() && self.clauses.is_empty() && self.features.is_empty()
    }
}

/// A word as the contract writes it.
fn in_contract(
    contract: &Requirements,
    kind: &'static str,
    word: &str,
    of: fn(&Clause) -> &str,
) -> Result<String, Unknown> {
    match contract.iter().map(of).find(|known| known.eq_ignore_ascii_case(word)) {
        Some(known) => Ok(known.to_owned()),
        None => {
            let near = nearest(word, contract.iter().map(of)).map(str::to_owned);
            Err(Unknown { kind, word: word.to_owned(), near })
        }
    }
}

/// The features of the clauses that a case names, each once, sorted.
#[must_use]
pub fn features<'a>(contract: &'a Requirements, case: &Scenario) -> Vec<&'a str> {
    let clauses = case.clauses().into_iter().filter_map(|id| contract.get(id));
    let mut features: Vec<_> = clauses.map(|clause| clause.feature.as_str()).collect();
    features.sort_unstable();
    features.dedup();
    features
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::parse;

    fn contract() -> &'static Requirements {
        Requirements::bundled().unwrap_or_else(|error| panic!("{error}"))
    }

    fn case(proves: &str) -> Scenario {
        let text = format!(
            "about: x\nmesh: {{mtls: disabled}}\npods:\n  web: {{}}\n  backend: {{app: {{tcp: echo}}}}\nsteps:\n  - {{id: a, from: web, to: backend, tcp: x}}\nexpect:\n  - {{client: {{step: a, received: x}}, proves: [{proves}]}}\n"
        );
        parse("t/case", std::path::Path::new("case.yaml"), &text)
            .unwrap_or_else(|wrong| panic!("{wrong}"))
            .remove(0)
    }

    fn filter(areas: &[&str], clauses: &[&str], features: &[&str]) -> Result<Filter, Unknown> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        Filter::new(contract(), &words(areas), &words(clauses), &words(features))
    }

    #[test]
    fn one_kind_widens_and_kinds_narrow() {
        let takes = |filter: Filter, proves| filter.takes_case(contract(), &case(proves));
        let either = filter(&["tcp", "TLS"], &[], &[]).expect("areas");
        assert!(takes(either.clone(), "TCP-1") && takes(either.clone(), "TLS-1"));
        assert!(!takes(either, "MTLS-1"));
        let both = filter(&["TCP"], &[], &["mtls"]).expect("words");
        assert!(!takes(both.clone(), "TCP-1") && takes(both, "TCP-1, MTLS-1"));
        assert!(takes(Filter::default(), "TCP-1"));
        let feature = filter(&[], &[], &["timeout"]).expect("a feature");
        assert!(takes(feature.clone(), "TCP-8") && !takes(feature, "TCP-1"));
    }

    #[test]
    fn unknown_words_name_the_nearest() {
        let unknown = filter(&[], &["HTPT-17"], &[]).expect_err("no such clause");
        assert_eq!(
            unknown.to_string(),
            "the contract has no clause `HTPT-17`\nhelp: did you mean `HTTP-17`?"
        );
        let unknown = filter(&["elephants"], &[], &[]).expect_err("no such area");
        assert_eq!(unknown.to_string(), "the contract has no area `elephants`");
    }
}
