//! What a dataplane is judged on: the clauses of the features that it declares, and of what stands beside it.

use crate::dataplane::declared::Declared;
use crate::language::Scenario;
use crate::requirements::{Clause, Requirements, Subject};

/// Why a clause is not a dataplane's to keep; `None`: it is.
pub(super) fn unsupported(clause: &Clause, declared: &Declared) -> Option<String> {
    match clause.subject {
        Subject::ControlPlane if !declared.resolves_resources => {
            Some("it resolves no Kuma resources itself".to_owned())
        }
        Subject::Agent if !declared.agent => Some("nothing stands for kuma-dp beside it".to_owned()),
        _ => (!declared.offers(&clause.feature))
            .then(|| format!("feature `{}` is not declared", clause.feature)),
    }
}

/// Whether a case has anything to judge a dataplane by: one clause that is the dataplane's to keep, or none named at all. The suite need not play
/// the others.
///
/// # Errors
/// It has nothing: each reason once, in words.
pub fn supported(
    scenario: &Scenario,
    requirements: &Requirements,
    declared: &Declared,
) -> Result<(), String> {
    let mut reasons = Vec::new();
    for id in scenario.clauses() {
        // An unknown clause binds like any other.
        match requirements.get(id).and_then(|clause| unsupported(clause, declared)) {
            Some(reason) => reasons.push(reason),
            None => return Ok(()),
        }
    }
    if reasons.is_empty() { Ok(()) } else { Err(joined(reasons)) }
}

/// Reasons, each once.
pub(super) fn joined(reasons: Vec<String>) -> String {
    let mut once: Vec<String> = Vec::new();
    for reason in reasons {
        if !once.contains(&reason) {
            once.push(reason);
        }
    }
    once.join("; ")
}
