//! `client` and `app`: what one end of a step's connections saw.

use super::ends::Judge;
use super::words::finding;
use super::{Answer, Finding, Moment};
use super::{http, scene};
use crate::language::{EndCheck, HttpCheck};
use crate::observe::Seen;

impl EndCheck {
    /// Judges what the client of the step saw.
    #[must_use]
    pub fn judge_client(&self, moment: &Moment<'_>) -> Answer {
        let Some(id) = self.step.as_deref().or(moment.step) else {
            return Answer::Judged(vec![finding("client.step", "a step", "none named", None)]);
        };
        let scenario = &moment.run.scenario;
        let judge = Judge {
            check: self,
            side: "client",
            own_tls: scene::client_has_tls(scenario, id),
            began: scene::began(moment, id).map(|(_, at)| at),
            slack: moment.slack,
            connections: scene::client_connections(moment, id),
        };
        if let Some(missing) = unfinished(moment, "client", id) {
            return Answer::Judged(vec![missing]);
        }
        let mut findings = judge.findings();
        if self.http != HttpCheck::default() {
            findings.extend(http::client(&self.http, moment, id));
        }
        Answer::Judged(findings)
    }

    /// Judges what the app saw. The connections of a step that goes on with held ones are those which the first step opened.
    #[must_use]
    pub fn judge_app(&self, moment: &Moment<'_>) -> Answer {
        let scenario = &moment.run.scenario;
        let step = self.step.as_deref().or(moment.step);
        let pod = self.pod.as_deref().or_else(|| scene::target_pod(scenario, step?));
        let Some(pod) = pod else {
            return Answer::Judged(vec![finding("app.pod", "a pod", "none named", None)]);
        };
        // A step that opens nothing (a fault, expectations only) has no connections of its own: all of the pod's count, unless it was named.
        let step =
            self.step.as_deref().or(moment.step.filter(|id| scene::target_pod(scenario, id).is_some()));
        let missing = match step {
            Some(id) => unfinished(moment, "app", id),
            None => lifeless(moment, "app"),
        };
        if let Some(missing) = missing {
            return Answer::Judged(vec![missing]);
        }
        let opener = step.map(|id| scene::opener(scenario, id));
        let judge = Judge {
            check: self,
            side: "app",
            own_tls: scene::app_has_tls(scenario, pod),
            began: step.and_then(|id| scene::began(moment, id)).map(|(_, at)| at),
            slack: moment.slack,
            connections: scene::app_connections(moment, pod, opener),
        };
        let mut findings = judge.findings();
        if self.http != HttpCheck::default() {
            findings.extend(http::app(&self.http, moment, pod, step));
        }
        Answer::Judged(findings)
    }
}

/// Absence is only believed after presence: a step that did not run proves nothing.
pub(super) fn unfinished(moment: &Moment<'_>, what: &str, id: &str) -> Option<Finding> {
    if scene::ended(moment, id).is_some() {
        return None;
    }
    let began = scene::began(moment, id).map(|(index, _)| index);
    let found = if began.is_some() { "it began and did not end" } else { "it did not begin" };
    Some(finding(what, format!("step `{id}` to end"), found, began))
}

fn lifeless(moment: &Moment<'_>, what: &str) -> Option<Finding> {
    let lived = scene::until(moment).any(|(_, observation)| observation.seen == Seen::StepEnded);
    (!lived).then(|| finding(what, "a step to end", "none did", None))
}

#[cfg(test)]
mod tests;
