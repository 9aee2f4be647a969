//! What a dataplane is judged on: the features that it declares, and what stands beside it. A clause has a feature; so has what an expectation
//! looks at, and the protocol of a pod.

use super::needs;
use crate::dataplane::declared::Declared;
use crate::language::{Expectation, Scenario};
use crate::requirements::{Clause, Requirements, Subject};

/// Why a clause is not a dataplane's to keep; `None`: it is.
pub(super) fn unsupported(clause: &Clause, declared: &Declared) -> Option<String> {
    match clause.subject {
        Subject::ControlPlane if !declared.resolves_resources => {
            Some("it resolves no Kuma resources itself".to_owned())
        }
        Subject::Agent if !declared.agent => Some("nothing stands for kuma-dp beside it".to_owned()),
        _ => lacking(&clause.feature, declared),
    }
}

/// Why an expectation looks at what a dataplane does not claim, whatever it proves; `None`: it does not.
pub(super) fn out_of_sight(
    expectation: &Expectation,
    scenario: &Scenario,
    declared: &Declared,
) -> Option<String> {
    let features = needs::of_expectation(expectation, scenario);
    said(features.into_iter().filter_map(|feature| lacking(feature, declared)).collect())
}

/// Whether a case has anything to judge a dataplane by: it speaks the protocols of all pods, and one expectation is about what is its own to keep,
/// or none names a clause at all. The suite need not play the others.
///
/// # Errors
/// It has nothing: each reason once, in words.
pub fn supported(
    scenario: &Scenario,
    requirements: &Requirements,
    declared: &Declared,
) -> Result<(), String> {
    let protocols = needs::of_pods(scenario).into_iter();
    if let Some(reasons) = said(protocols.filter_map(|feature| lacking(&feature, declared)).collect()) {
        return Err(reasons);
    }
    let mut reasons = Vec::new();
    for expectation in scenario.expectations().into_iter().filter(|one| !one.proves.is_empty()) {
        let unseen = out_of_sight(expectation, scenario, declared);
        for id in &expectation.proves {
            // An unknown clause binds like any other.
            let clause = requirements.get(id).and_then(|clause| unsupported(clause, declared));
            match clause.or_else(|| unseen.clone()) {
                Some(reason) => reasons.push(reason),
                None => return Ok(()),
            }
        }
    }
    said(reasons).map_or(Ok(()), Err)
}

fn lacking(feature: &str, declared: &Declared) -> Option<String> {
    (!declared.offers(feature)).then(|| format!("feature `{feature}` is not declared"))
}

/// Reasons, each once; `None` if there are none.
pub(super) fn said(reasons: Vec<String>) -> Option<String> {
    let mut once: Vec<String> = Vec::new();
    for reason in reasons {
        if !once.contains(&reason) {
            once.push(reason);
        }
    }
    (!once.is_empty()).then(|| once.join("; "))
}
