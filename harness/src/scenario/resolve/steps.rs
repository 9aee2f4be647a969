//! Steps as meant.

use std::ops::Range;
use std::time::Duration;

use indexmap::IndexMap;

use super::Resolver;
use crate::language::http::HttpVersion;
use crate::language::{ClientScript, Talk};
use crate::language::{Condition, Direction, Fault, ProxyAct, Step, Target, Verb, When};
use crate::scenario::decode::At;
use crate::scenario::diagnostic::{Kind, Problem};
use crate::scenario::file::step::{Act, Fault as FaultAsWritten, Step as StepAsWritten, Way};

/// The steps met so far.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    known: IndexMap<String, Known>,
}

/// What later steps and expectations must know of a step.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// A client talks in it.
    talks: bool,
    /// Connections that it opened are held now.
    holds: bool,
    /// The version of HTTP that its client speaks.
    http: Option<HttpVersion>,
}

fn http(client: &ClientScript) -> Option<HttpVersion> {
    match &client.talk {
        Talk::Http(script) => Some(script.version),
        Talk::Bytes(_) => None,
    }
}

/// Keys of a step that hold its verb.
const VERBS: &str = "`tcp`, `tls`, `raw`, `http`, `fault`, `heal`, `wait`, `proxy`, `parallel`";

impl Ids {
    /// A step that exists.
    pub(super) fn step(&self, id: &At<String>) -> Result<String, Problem> {
        if self.known.contains_key(&id.value) {
            return Ok(id.value.clone());
        }
        let problem = Problem::new(Kind::Name, format!("unknown step `{}`", id.value)).at(id.span.clone());
        Err(problem
            .label("no step before this one has that id")
            .did_you_mean(&id.value, self.known.keys().map(String::as_str)))
    }

    /// A step in which a client talks.
    pub(super) fn talk(&self, id: &At<String>) -> Result<String, Problem> {
        let name = self.step(id)?;
        if self.talks(&name) {
            return Ok(name);
        }
        Err(Problem::new(Kind::Check, format!("nobody talks in the step `{name}`")).at(id.span.clone()))
    }

    /// Whether a client talks in a step.
    pub(super) fn talks(&self, id: &str) -> bool {
        self.known.get(id).is_some_and(|known| known.talks)
    }

    fn held(&self, id: &At<String>) -> Result<String, Problem> {
        let name = self.step(id)?;
        if self.known.get(&name).is_some_and(|known| known.holds) {
            return Ok(name);
        }
        let problem =
            Problem::new(Kind::Name, format!("the step `{name}` holds no connection")).at(id.span.clone());
        Err(problem.help(format!("give `{name}` (or the last step that went on with it) `hold: true`")))
    }
}

impl Resolver<'_> {
    pub(super) fn steps(&mut self, steps: Vec<At<StepAsWritten>>) -> Vec<Step> {
        self.steps_of("step", steps)
    }

    fn steps_of(&mut self, prefix: &str, steps: Vec<At<StepAsWritten>>) -> Vec<Step> {
        let mut meant = Vec::new();
        for (index, step) in steps.into_iter().enumerate() {
            if self.is_there(step.value.when.as_ref()) {
                // Numbered as written, so that a step left out renames no other.
                meant.extend(self.step(format!("{prefix}-{}", index + 1), step));
            }
        }
        meant
    }

    /// Steps that run at once, and so know nothing of each other.
    fn at_once(&mut self, prefix: &str, steps: Vec<At<StepAsWritten>>) -> Vec<Step> {
        let before = self.ids.known.len();
        let mut meant = Vec::new();
        let mut siblings: IndexMap<String, Known> = IndexMap::new();
        for (index, step) in steps.into_iter().enumerate() {
            if !self.is_there(step.value.when.as_ref()) {
                continue;
            }
            let place = step.value.id.as_ref().map_or_else(|| step.span.clone(), |id| id.span.clone());
            meant.extend(self.step(format!("{prefix}-{}", index + 1), step));
            for (id, known) in self.ids.known.split_off(before) {
                if siblings.insert(id.clone(), known).is_some() {
                    self.error(twice(&id).at(place.clone()));
                }
            }
        }
        self.ids.known.extend(siblings);
        meant
    }

    fn step(&mut self, default: String, step: At<StepAsWritten>) -> Option<Step> {
        let At { value: mut step, span, .. } = step;
        let id = step.id.as_ref().map_or_else(|| default.clone(), |id| id.value.clone());
        let place = step.id.as_ref().map_or_else(|| span.clone(), |id| id.span.clone());
        if id.is_empty() || id.chars().any(|c| c.is_whitespace() || c.is_control()) {
            self.error(Problem::new(Kind::Value, "bad step id").at(place.clone()).label("expected a word"));
        }
        let twice = self.ids.known.contains_key(&id);
        if twice {
            self.error(self::twice(&id).at(place));
        }
        let expect = step.expect.take();
        let after = step.after.take().map_or(Duration::ZERO, |after| after.value.0);
        let verb = self.verb(&default, step, &span, expect.is_some());
        let known = match &verb {
            Some(Verb::Talk { hold, client, .. }) => Known { talks: true, holds: *hold, http: http(client) },
            Some(Verb::GoOn { client, .. }) => Known { talks: true, holds: false, http: http(client) },
            // After an error anything goes: one error is enough.
            None => Known { talks: true, holds: true, http: None },
            Some(_) => Known { talks: false, holds: false, http: None },
        };
        if !twice {
            self.ids.known.insert(id.clone(), known);
        }
        let expect = self.expectations(expect.unwrap_or_default(), Some(&id));
        Some(Step { id, after, verb: verb?, expect })
    }

    fn verb(
        &mut self,
        default: &str,
        step: StepAsWritten,
        span: &Range<usize>,
        expects: bool,
    ) -> Option<Verb> {
        self.one_verb(&step, span, expects)?;
        self.only_talk(&step);
        if let Some(fault) = step.fault {
            return self.fault(fault).map(Verb::Fault);
        }
        if let Some(link) = step.heal {
            return self.check(|resolver| resolver.names.link(&link)).map(Verb::Heal);
        }
        if let Some(wait) = step.wait {
            return Some(Verb::Wait(wait.value.0));
        }
        if let Some(proxy) = step.proxy {
            let pod = self.check(|resolver| resolver.names.with_sidecar(&proxy.value.pod))?;
            return Some(Verb::Proxy { pod, act: act(proxy.value.act) });
        }
        if let Some(steps) = step.parallel {
            if steps.value.is_empty() {
                self.error(Problem::new(Kind::Verb, "`parallel` without steps").at(steps.span.clone()));
            }
            return Some(Verb::Parallel(self.at_once(default, steps.value)));
        }
        if talks(&step) { self.talk(step, span) } else { Some(Verb::Nothing) }
    }

    /// Says so unless there is exactly one verb, or none and something to expect.
    fn one_verb(&mut self, step: &StepAsWritten, span: &Range<usize>, expects: bool) -> Option<()> {
        let keys = verbs(step);
        match keys.as_slice() {
            [_] => Some(()),
            [] if expects => Some(()),
            [] => {
                self.error(
                    Problem::new(Kind::Verb, "a step without a verb")
                        .at(span.clone())
                        .label(format!("expected one of {VERBS}, or `expect`")),
                );
                None
            }
            [(first, _), (second, key), ..] => {
                let problem =
                    Problem::new(Kind::Verb, format!("a step with two verbs, `{first}` and `{second}`"))
                        .at(key.clone());
                self.error(
                    problem
                        .label("second verb")
                        .help("make it two steps; `parallel: [..]` runs steps at once"),
                );
                None
            }
        }
    }

    /// Says so for keys that only go with a client that talks.
    fn only_talk(&mut self, step: &StepAsWritten) {
        if talks(step) {
            return;
        }
        let verb = verbs(step).first().map_or("expect", |(verb, _)| *verb);
        let keys = [
            step.from.as_ref().map(|at| ("from", &at.key)),
            step.to.as_ref().map(|at| ("to", &at.key)),
            step.on.as_ref().map(|at| ("on", &at.key)),
            step.connections.as_ref().map(|at| ("connections", &at.key)),
            step.times.as_ref().map(|at| ("times", &at.key)),
            step.hold.as_ref().map(|at| ("hold", &at.key)),
        ];
        for (name, key) in keys.into_iter().flatten() {
            let problem =
                Problem::new(Kind::Verb, format!("`{name}` does not go with `{verb}`")).at(key.clone());
            self.problems.push(problem.help("it belongs to `tcp`, `tls`, `raw` and `http`"));
        }
    }

    fn talk(&mut self, step: StepAsWritten, span: &Range<usize>) -> Option<Verb> {
        let hold = step.hold.as_ref().is_some_and(|hold| hold.value);
        let connections = step.connections.as_ref().map_or(1, |number| number.value.0);
        if let Some(on) = &step.on {
            self.only_opening(&step);
            let on = self.check(|resolver| resolver.ids.held(on));
            if let Some(known) = on.as_ref().and_then(|on| self.ids.known.get_mut(on)) {
                known.holds = hold;
            }
            let key = verbs(&step).first().map_or_else(|| span.clone(), |(_, key)| key.clone());
            let before = on.as_ref().and_then(|on| self.ids.known.get(on)).map(|known| known.http);
            let client = self.client(step, connections, before.flatten().unwrap_or(HttpVersion::V1))?;
            let now = http(&client);
            if let Some(before) = before.filter(|before| *before != now) {
                let speaks = |version| match version {
                    None => "bytes as they are written",
                    Some(HttpVersion::V1) => "HTTP/1.1",
                    Some(HttpVersion::V2) => "HTTP/2",
                };
                let message =
                    format!("the connections that are held speak {}, not {}", speaks(before), speaks(now));
                self.error(Problem::new(Kind::Verb, message).at(key));
            }
            return Some(Verb::GoOn { on: on?, client, hold });
        }
        let (Some(from), Some(to)) = (&step.from, &step.to) else {
            let missing = if step.from.is_none() { "from" } else { "to" };
            let problem =
                Problem::new(Kind::Missing, format!("the key `{missing}` is missing")).at(span.clone());
            self.error(problem.label("expected `from` and `to`, or `on` to go on with held connections"));
            return None;
        };
        let caller = self.check(|resolver| resolver.names.pod(from));
        // An unknown caller is error enough.
        let target: Option<Target> =
            caller.as_ref().and_then(|_| self.check(|resolver| resolver.names.target(from, to)));
        let times = step.times.as_ref().map_or(1, |times| times.value.0);
        let between_sidecars = caller.as_ref().is_some_and(|caller| self.names.is_scripted(caller));
        let version = if between_sidecars { HttpVersion::V2 } else { HttpVersion::V1 };
        let client = self.client(step, connections, version);
        Some(Verb::Talk { from: caller?, to: target?, client: client?, times, hold })
    }

    /// Says so for keys of a step that goes on, where nothing is opened.
    fn only_opening(&mut self, step: &StepAsWritten) {
        let keys = [
            step.from.as_ref().map(|at| ("from", &at.key)),
            step.to.as_ref().map(|at| ("to", &at.key)),
            step.connections.as_ref().map(|at| ("connections", &at.key)),
            step.times.as_ref().map(|at| ("times", &at.key)),
            step.tls.as_ref().map(|at| ("tls", &at.key)),
        ];
        for (name, key) in keys.into_iter().flatten() {
            let problem = Problem::new(Kind::Verb, format!("`{name}` does not go with `on`")).at(key.clone());
            self.problems.push(problem.help("the step goes on with connections as they are; use `tcp`"));
        }
    }

    fn client(
        &mut self,
        step: StepAsWritten,
        connections: u32,
        version: HttpVersion,
    ) -> Option<ClientScript> {
        if let Some(http) = step.http {
            let script = self.http_client(http, version)?;
            return Some(ClientScript { tls: None, talk: Talk::Http(script), connections });
        }
        if let Some(tls) = step.tls {
            let Some((options, script)) = tls.value.meant() else {
                let problem = Problem::new(Kind::Value, "`tls` needs either `send` or `script`").at(tls.key);
                self.error(problem.help("for the handshake alone write `script: []`"));
                return None;
            };
            return Some(ClientScript { tls: Some(options), talk: Talk::Bytes(script), connections });
        }
        let talk = step.tcp.or(step.raw)?;
        Some(ClientScript { tls: None, talk: Talk::Bytes(talk.value.meant()), connections })
    }

    fn fault(&mut self, fault: At<FaultAsWritten>) -> Option<Fault> {
        let At { value: fault, key, .. } = fault;
        let link = self.check(|resolver| resolver.names.link(&fault.link));
        let mut conditions = conditions(&fault).into_iter();
        let Some((_, condition, inner)) = conditions.next() else {
            let label = "expected one of `latency`, `bandwidth`, `segment`, `loss`, `hold`, `blackhole`, `refuse`, `reset`";
            self.error(Problem::new(Kind::Verb, "a fault without a condition").at(key).label(label));
            return None;
        };
        if let Some((place, ..)) = conditions.next() {
            self.error(
                Problem::new(Kind::Verb, "a fault with two conditions")
                    .at(place)
                    .label("second condition")
                    .help("make it two steps"),
            );
        }
        let outer = [
            fault.after.as_ref().map(|at| (When::After(at.value.0), &at.key)),
            fault.after_bytes.as_ref().map(|at| (When::AfterBytes(at.value.0), &at.key)),
        ];
        let mut times: Vec<(When, Range<usize>)> =
            outer.into_iter().flatten().map(|(when, key)| (when, key.clone())).collect();
        if inner != When::Now {
            times.push((inner, key));
        }
        if let Some((_, key)) = times.get(1) {
            self.error(
                Problem::new(Kind::Value, "a fault that begins at two times")
                    .at(key.clone())
                    .label("one of `after` and `after_bytes`, once"),
            );
        }
        let when = times.first().map_or(When::Now, |(when, _)| *when);
        Some(Fault { link: link?, direction: direction(fault.direction), condition, when })
    }
}

fn twice(id: &str) -> Problem {
    Problem::new(Kind::Duplicate, format!("two steps with the id `{id}`")).label("second one")
}

/// Whether a client talks in the step.
fn talks(step: &StepAsWritten) -> bool {
    step.tcp.is_some() || step.tls.is_some() || step.raw.is_some() || step.http.is_some()
}

/// The verbs of a step, and where their keys stand.
fn verbs(step: &StepAsWritten) -> Vec<(&'static str, Range<usize>)> {
    let mut verbs: Vec<(&'static str, Range<usize>)> = [
        step.tcp.as_ref().map(|at| ("tcp", at.key.clone())),
        step.tls.as_ref().map(|at| ("tls", at.key.clone())),
        step.raw.as_ref().map(|at| ("raw", at.key.clone())),
        step.http.as_ref().map(|at| ("http", at.key.clone())),
        step.fault.as_ref().map(|at| ("fault", at.key.clone())),
        step.heal.as_ref().map(|at| ("heal", at.key.clone())),
        step.wait.as_ref().map(|at| ("wait", at.key.clone())),
        step.proxy.as_ref().map(|at| ("proxy", at.key.clone())),
        step.parallel.as_ref().map(|at| ("parallel", at.key.clone())),
    ]
    .into_iter()
    .flatten()
    .collect();
    verbs.sort_by_key(|(_, key)| key.start);
    verbs
}

/// The conditions of a fault, in file order: where, what, and when it says itself that it begins.
fn conditions(fault: &FaultAsWritten) -> Vec<(Range<usize>, Condition, When)> {
    let mut conditions: Vec<(Range<usize>, Condition, When)> = [
        fault.latency.as_ref().map(|at| (at.key.clone(), Condition::Latency(at.value), When::Now)),
        fault.bandwidth.as_ref().map(|at| (at.key.clone(), Condition::Bandwidth(at.value.0), When::Now)),
        fault.segment.as_ref().map(|at| (at.key.clone(), Condition::Segment(at.value.0), When::Now)),
        fault.loss.as_ref().map(|at| (at.key.clone(), Condition::Loss(at.value.0), When::Now)),
        fault.hold.as_ref().map(|at| (at.key.clone(), Condition::Hold, at.value.0)),
        fault.blackhole.as_ref().map(|at| (at.key.clone(), Condition::Blackhole, at.value.0)),
        fault.refuse.as_ref().map(|at| (at.key.clone(), Condition::Refuse, at.value.0)),
        fault.reset.as_ref().map(|at| (at.key.clone(), Condition::Reset, at.value.0)),
    ]
    .into_iter()
    .flatten()
    .collect();
    conditions.sort_by_key(|(key, ..)| key.start);
    conditions
}

fn act(act: Act) -> ProxyAct {
    match act {
        Act::Crash => ProxyAct::Crash,
        Act::Start => ProxyAct::Start,
        Act::Drain => ProxyAct::Drain,
    }
}

fn direction(way: Option<Way>) -> Direction {
    match way {
        None | Some(Way::Both) => Direction::Both,
        Some(Way::Forward) => Direction::Forward,
        Some(Way::Back) => Direction::Back,
    }
}
