//! What the observations of a run say about steps and connections: the ground all checks on apps stand on.

use std::collections::BTreeMap;
use std::ops::Range;

use super::Moment;
use crate::language::script::{Action, Script};
use crate::language::{ClientScript, ServerScript};
use crate::language::{Scenario, Step, Target, Verb};
use crate::observe::observation::{End, Ended};
use crate::observe::{HandshakeFacts, Nanos, Observation, Role, Seen};

/// One connection, as one end saw it.
#[derive(Debug)]
pub(super) struct Connection<'a> {
    /// Its number.
    pub(super) number: u32,
    /// What was seen, with the index of each in the run.
    pub(super) seen: Vec<(usize, &'a Observation)>,
}

impl<'a> Connection<'a> {
    /// Index of the first observation that `wanted` picks, and what it picks.
    pub(super) fn find<T>(&self, wanted: impl Fn(&'a Seen) -> Option<T>) -> Option<(usize, T)> {
        self.seen.iter().find_map(|(index, observation)| Some((*index, wanted(&observation.seen)?)))
    }

    /// Its last observation: where a finding points that has nothing better.
    pub(super) fn last(&self) -> Option<usize> {
        self.seen.last().map(|(index, _)| *index)
    }

    /// Its totals.
    pub(super) fn ended(&self) -> Option<(usize, &'a Ended)> {
        self.find(|seen| match seen {
            Seen::Ended(ended) => Some(ended),
            _ => None,
        })
    }

    /// Whether it was established or accepted.
    pub(super) fn stood(&self) -> bool {
        self.find(|seen| matches!(seen, Seen::Connected { .. } | Seen::Accepted { .. }).then_some(()))
            .is_some()
    }

    /// How the other end's direction ended, so far.
    pub(super) fn end(&self) -> End {
        match self.ended() {
            Some((_, ended)) => ended.end,
            None if self.find(|seen| matches!(seen, Seen::Eof).then_some(())).is_some() => End::Eof,
            None => End::Open,
        }
    }

    /// When the other end's direction ended, with the index of the observation that says so.
    pub(super) fn end_time(&self) -> Option<(usize, Nanos)> {
        let (index, observation) = self.seen.iter().find(|(_, observation)| {
            matches!(
                observation.seen,
                Seen::Eof | Seen::Failed { .. } | Seen::ConnectFailed { .. } | Seen::HandshakeFailed { .. }
            )
        })?;
        Some((*index, observation.at))
    }

    /// When the first byte came.
    pub(super) fn first_byte(&self) -> Option<(usize, Nanos)> {
        let (index, observation) =
            self.seen.iter().find(|(_, observation)| matches!(observation.seen, Seen::Received { .. }))?;
        Some((*index, observation.at))
    }

    /// The handshake that counts: the app's own if it has one (`own`), else the mesh layer's. `Err` holds why it failed.
    pub(super) fn handshake(&self, own: bool) -> Option<(usize, Result<&'a HandshakeFacts, &'a str>)> {
        self.find(|seen| match seen {
            Seen::Handshake(facts) if own => Some(Ok(facts)),
            Seen::MeshHandshake(facts) if !own => Some(Ok(facts)),
            Seen::HandshakeFailed { mesh, error } if own || *mesh => Some(Err(error.as_str())),
            _ => None,
        })
    }
}

/// All steps of a scenario, those inside `parallel` too, in file order.
pub(crate) fn steps(scenario: &Scenario) -> Vec<&Step> {
    fn walk<'a>(steps: &'a [Step], into: &mut Vec<&'a Step>) {
        for step in steps {
            into.push(step);
            if let Verb::Parallel(inner) = &step.verb {
                walk(inner, into);
            }
        }
    }
    let mut all = Vec::new();
    walk(&scenario.steps, &mut all);
    all
}

/// The step named `id`.
pub(crate) fn step<'a>(scenario: &'a Scenario, id: &str) -> Option<&'a Step> {
    steps(scenario).into_iter().find(|step| step.id == id)
}

/// The step that opened the connections which step `id` uses: itself, or where its chain of `on` begins.
pub(crate) fn opener<'a>(scenario: &'a Scenario, id: &'a str) -> &'a str {
    let mut id = id;
    // Each `on` names an earlier step, so that the chain is no longer than the list of steps.
    for _ in 0..steps(scenario).len() {
        match step(scenario, id).map(|step| &step.verb) {
            Some(Verb::GoOn { on, .. }) => id = on,
            _ => break,
        }
    }
    id
}

/// The pod that the connections of step `id` are meant for.
pub(crate) fn target_pod<'a>(scenario: &'a Scenario, id: &'a str) -> Option<&'a str> {
    match &step(scenario, opener(scenario, id))?.verb {
        Verb::Talk { to: Target::Service(pod) | Target::Inbound(pod) | Target::App(pod), .. } => Some(pod),
        _ => None,
    }
}

/// Whether the client of step `id` has TLS of its own.
pub(super) fn client_has_tls(scenario: &Scenario, id: &str) -> bool {
    let brings =
        |client: &ClientScript| client.tls.is_some() || client.talk.script().is_some_and(turns_to_tls);
    [id, opener(scenario, id)].iter().any(|id| match step(scenario, id).map(|step| &step.verb) {
        Some(Verb::Talk { client, .. } | Verb::GoOn { client, .. }) => brings(client),
        _ => false,
    })
}

/// Whether the app of `pod` has TLS of its own.
pub(super) fn app_has_tls(scenario: &Scenario, pod: &str) -> bool {
    let app = scenario.pods.iter().find(|candidate| candidate.name == pod).and_then(|pod| pod.app.as_ref());
    match app {
        Some(ServerScript::Listen { tls, turns }) => tls.is_some() || turns.iter().any(turns_to_tls),
        _ => false,
    }
}

/// Whether the client of step `id` is scripted in bytes.
pub(super) fn client_in_bytes(scenario: &Scenario, id: &str) -> bool {
    match step(scenario, id).map(|step| &step.verb) {
        Some(Verb::Talk { client, .. } | Verb::GoOn { client, .. }) => client.talk.script().is_some(),
        _ => false,
    }
}

/// Whether the app of `pod` is scripted in bytes.
pub(super) fn app_in_bytes(scenario: &Scenario, pod: &str) -> bool {
    let app = scenario.pods.iter().find(|candidate| candidate.name == pod).and_then(|pod| pod.app.as_ref());
    matches!(app, Some(ServerScript::Listen { .. }))
}

fn turns_to_tls(script: &Script) -> bool {
    script.0.iter().any(|action| match action {
        Action::StartTls(_) => true,
        Action::Repeat { script, .. } => turns_to_tls(script),
        _ => false,
    })
}

/// Observations that count at a moment, with their indices.
pub(super) fn until<'a>(moment: &Moment<'a>) -> impl Iterator<Item = (usize, &'a Observation)> + use<'a> {
    let until = moment.until;
    moment.run.observations.iter().enumerate().filter(move |(_, observation)| observation.at <= until)
}

/// When step `id` began.
pub(super) fn began<'a>(moment: &Moment<'a>, id: &str) -> Option<(usize, Nanos)> {
    mark(moment, id, &Seen::StepBegan)
}

/// When step `id` ended.
pub(super) fn ended<'a>(moment: &Moment<'a>, id: &str) -> Option<(usize, Nanos)> {
    mark(moment, id, &Seen::StepEnded)
}

fn mark(moment: &Moment<'_>, id: &str, seen: &Seen) -> Option<(usize, Nanos)> {
    until(moment)
        .find(|(_, observation)| observation.step.as_deref() == Some(id) && observation.seen == *seen)
        .map(|(index, observation)| (index, observation.at))
}

/// Connections of the client of step `id`.
pub(super) fn client_connections<'a>(moment: &Moment<'a>, id: &str) -> Vec<Connection<'a>> {
    group(until(moment).filter(|(_, observation)| {
        observation.role == Role::Client && observation.step.as_deref() == Some(id)
    }))
}

/// Connections that the app of `pod` accepted, during step `id` if one is given. What comes after a step's end belongs to it until the
/// next step begins; what steps at the same time cause belongs to each of them.
pub(super) fn app_connections<'a>(moment: &Moment<'a>, pod: &str, id: Option<&str>) -> Vec<Connection<'a>> {
    let all = group(
        until(moment).filter(|(_, observation)| observation.role == Role::App && observation.pod == pod),
    );
    let Some(id) = id else { return all };
    let Some(window) = window(moment, id) else { return Vec::new() };
    let accepted = |connection: &Connection<'_>| {
        connection.seen.first().is_some_and(|(index, _)| window.contains(index))
    };
    all.into_iter().filter(accepted).collect()
}

/// The observations that may belong to step `id`, by index: from its begin until the next step after its end begins.
pub(super) fn window(moment: &Moment<'_>, id: &str) -> Option<Range<usize>> {
    let (from, _) = began(moment, id)?;
    let over = ended(moment, id).map_or(usize::MAX, |(index, _)| index);
    let to = until(moment)
        .find(|(index, observation)| *index > over && observation.seen == Seen::StepBegan)
        .map_or(usize::MAX, |(index, _)| index);
    Some(from..to)
}

fn group<'a>(observations: impl Iterator<Item = (usize, &'a Observation)>) -> Vec<Connection<'a>> {
    let mut by_number = BTreeMap::<u32, Vec<(usize, &'a Observation)>>::new();
    for (index, observation) in observations {
        if let Some(number) = observation.conn {
            by_number.entry(number).or_default().push((index, observation));
        }
    }
    by_number.into_iter().map(|(number, seen)| Connection { number, seen }).collect()
}
