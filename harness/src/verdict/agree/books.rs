//! What a run says of requests and connections: who called whom, what came of it, what sidecars counted.

use std::collections::BTreeMap;

use super::has_sidecar;
use crate::expect::{Dictionaries, Run, scene};
use crate::language::{Pod, ServerScript, Talk, Target, Verb};
use crate::observe::dictionary::DictionaryError;
use crate::observe::metrics::Metrics;
use crate::observe::observation::HttpEvent;
use crate::observe::{Role, Seen};

/// Statuses with which a dataplane may refuse what it could not read as a request, so that it may not count it.
const UNREAD: [u16; 7] = [400, 408, 413, 414, 426, 431, 501];

/// What is said of metrics without a sample: one that has counted nothing yet may show none.
pub(super) const NOTHING: &str = "no sample";

/// How a call comes to the pod it is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Through the caller's own sidecar.
    Sidecar,
    /// Straight at the other one's sidecar.
    Direct,
    /// Round all sidecars.
    App,
}

/// A step in which a client talks.
#[derive(Debug)]
pub(super) struct Call<'a> {
    /// Its id.
    pub(super) step: &'a str,
    /// The pod that calls.
    pub(super) from: &'a str,
    /// The pod that is called.
    pub(super) to: &'a str,
    /// How.
    pub(super) way: Way,
    /// Whether requests are made of which the observations tell, in clear.
    speaks_http: bool,
}

/// What one end saw of an exchange.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    /// Heads of requests: one, unless something is wrong.
    pub(super) requests: u64,
    /// Heads of answers: at most one, unless something is wrong.
    pub(super) answers: u64,
    status: Option<u16>,
    failed: bool,
}

impl Exchange {
    /// Whether a dataplane certainly read its request as one.
    pub(super) fn was_read(&self) -> bool {
        self.requests > 0 && self.status.is_some_and(|status| !UNREAD.contains(&status))
    }

    /// Whether nothing went wrong that makes somebody try again or leave something out.
    fn went_well(&self) -> bool {
        self.was_read() && !self.failed && self.status.is_some_and(|status| status < 500)
    }
}

/// All of it.
#[derive(Debug)]
pub(super) struct Books<'a> {
    run: &'a Run,
    dictionaries: &'a Dictionaries,
    calls: Vec<Call<'a>>,
    /// What clients saw, by step, connection and number.
    at_clients: BTreeMap<(&'a str, u32, u32), Exchange>,
    /// What apps saw, by pod, connection and number.
    at_apps: BTreeMap<(&'a str, u32, u32), Exchange>,
    /// What sidecars that lived all through the run showed at its end, or why nothing.
    shown: BTreeMap<&'a str, Result<Metrics, String>>,
}

impl<'a> Books<'a> {
    pub(super) fn of(run: &'a Run, dictionaries: &'a Dictionaries) -> Self {
        let mut books = Self {
            run,
            dictionaries,
            calls: calls(run),
            at_clients: BTreeMap::new(),
            at_apps: BTreeMap::new(),
            shown: shown(run),
        };
        for observation in &run.observations {
            let Seen::Http { exchange, event } = &observation.seen else { continue };
            let conn = observation.conn.unwrap_or_default();
            let kept = match (observation.role, observation.step.as_deref()) {
                (Role::Client, Some(step)) => books.at_clients.entry((step, conn, *exchange)),
                (Role::App, _) => books.at_apps.entry((&observation.pod, conn, *exchange)),
                _ => continue,
            };
            kept.or_default().note(event);
        }
        books
    }

    /// Steps with exchanges.
    pub(super) fn steps(&self) -> Vec<&'a str> {
        let mut steps: Vec<_> = self.at_clients.keys().map(|(step, ..)| *step).collect();
        steps.dedup();
        steps
    }

    /// Exchanges of a step's clients.
    pub(super) fn exchanges_of(&self, step: &str) -> impl Iterator<Item = &Exchange> {
        self.at_clients.iter().filter(move |((of, ..), _)| *of == step).map(|(_, exchange)| exchange)
    }

    /// Calls meant for a pod.
    pub(super) fn calls_to(&self, pod: &str) -> impl Iterator<Item = &Call<'a>> {
        self.calls.iter().filter(move |call| call.to == pod)
    }

    /// Calls through a pod's own sidecar.
    pub(super) fn calls_through(&self, pod: &str) -> impl Iterator<Item = &Call<'a>> {
        self.calls.iter().filter(move |call| call.from == pod && call.way == Way::Sidecar)
    }

    /// Whether a pod's sidecar is only called through, only for this pod, and its count is known.
    pub(super) fn calls_nobody_but(&self, caller: &str, pod: &str) -> bool {
        self.is_alive(caller)
            && self.calls_to(caller).next().is_none()
            && self.calls_through(caller).all(|call| call.to == pod)
    }

    /// Whether it is known how many HTTP requests of a call its sidecar should have read: all that clients tell of, or none.
    pub(super) fn is_counted(&self, call: &Call<'_>) -> bool {
        if self.speaks_http(call.to) { call.speaks_http } else { self.is_opaque(call.to) }
    }

    /// Whether a pod's sidecar lived all through the run and showed metrics at its end.
    pub(super) fn is_alive(&self, pod: &str) -> bool {
        self.shown.get(pod).is_some_and(Result::is_ok)
    }

    /// Pods whose sidecar lived all through the run and showed nothing that can be read, with why.
    pub(super) fn unread(&self) -> impl Iterator<Item = (&'a str, &str)> {
        self.shown.iter().filter_map(|(pod, shown)| Some((*pod, shown.as_ref().err()?.as_str())))
    }

    /// Whether a pod is the only endpoint of its own service.
    pub(super) fn is_alone(&self, pod: &str) -> bool {
        self.endpoints(pod).map(|endpoint| endpoint.name.as_str()).eq([pod])
    }

    /// Whether a pod's service is tagged http, at all its endpoints.
    pub(super) fn speaks_http(&self, pod: &str) -> bool {
        self.is_tagged(pod, "http")
    }

    /// Whether a pod's service is opaque, at all its endpoints.
    pub(super) fn is_opaque(&self, pod: &str) -> bool {
        self.is_tagged(pod, "tcp")
    }

    fn is_tagged(&self, pod: &str, protocol: &str) -> bool {
        self.endpoints(pod)
            .all(|endpoint| endpoint.protocol.as_deref().unwrap_or("tcp").eq_ignore_ascii_case(protocol))
    }

    /// The pods of a pod's service.
    fn endpoints(&self, pod: &str) -> impl Iterator<Item = &'a Pod> {
        let scenario = &self.run.scenario;
        let service = scenario.pod(pod).map(|pod| pod.service.as_str());
        scenario.pods.iter().filter(move |other| Some(other.service.as_str()) == service)
    }

    /// Whether a pod's app tells of its requests.
    pub(super) fn app_is_counted(&self, pod: &str) -> bool {
        self.run.scenario.pod(pod).is_some_and(|pod| matches!(pod.app, Some(ServerScript::Http(_))))
    }

    /// Requests that a pod's app saw.
    pub(super) fn requests_at_app(&self, pod: &str) -> u64 {
        self.at_app(pod).map(|exchange| exchange.requests).sum()
    }

    fn at_app(&self, pod: &str) -> impl Iterator<Item = &Exchange> {
        self.at_apps.iter().filter(move |((of, ..), _)| *of == pod).map(|(_, exchange)| exchange)
    }

    /// Connections that a pod's app accepted.
    pub(super) fn connections_at_app(&self, pod: &str) -> u64 {
        let accepted = self.run.observations.iter().filter(|observation| {
            observation.role == Role::App
                && observation.pod == pod
                && matches!(observation.seen, Seen::Accepted { .. })
        });
        accepted.count() as u64
    }

    /// Connections that clients opened towards a pod.
    pub(super) fn connections_to(&self, pod: &str) -> u64 {
        let opened = self.run.observations.iter().filter(|observation| {
            let step = observation.step.as_deref();
            matches!(observation.seen, Seen::Connected { .. })
                && step.is_some_and(|step| self.calls_to(pod).any(|call| call.step == step))
        });
        opened.count() as u64
    }

    /// Whether a link was ever troubled.
    pub(super) fn has_faults(&self) -> bool {
        scene::steps(&self.run.scenario).iter().any(|step| matches!(step.verb, Verb::Fault(_)))
    }

    /// Whether requests to a pod were all read and answered at the first try, as far as clients, the app and sidecars (their signal
    /// `retries`) tell.
    pub(super) fn went_well(&self, pod: &str, retries: &str) -> Result<bool, DictionaryError> {
        let calls: Vec<_> = self.calls_to(pod).collect();
        let told = calls.iter().all(|call| call.speaks_http) && self.app_is_counted(pod);
        let all = calls.iter().flat_map(|call| self.exchanges_of(call.step)).chain(self.at_app(pod));
        if self.has_faults() || !told || !all.into_iter().all(Exchange::went_well) {
            return Ok(false);
        }
        let callers = calls.iter().filter(|call| call.way == Way::Sidecar).map(|call| call.from);
        for sidecar in callers.chain([pod]) {
            if !self.is_alive(sidecar) || self.value(sidecar, retries)? > 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What the sidecar of a pod that is alive counted; what it never counted is none.
    pub(super) fn value(&self, pod: &str, signal: &str) -> Result<u64, DictionaryError> {
        let Some(Ok(metrics)) = self.shown.get(pod) else { return Ok(0) };
        let dictionary = self.dictionaries.of(&self.run.scenario, pod);
        let value = dictionary.value(metrics, signal)?.unwrap_or_default();
        // A count that is no count fails every comparison but the one with a true number.
        Ok(format!("{value:.0}").parse().unwrap_or(u64::MAX))
    }
}

impl Exchange {
    fn note(&mut self, event: &HttpEvent) {
        match event {
            HttpEvent::Request(_) => self.requests += 1,
            HttpEvent::Response(head) => {
                self.answers += 1;
                self.status = Some(head.status);
                // A sidecar that fails a gRPC call answers 200, with the failure in a field of the head.
                self.failed |= head.headers.iter().any(|(name, value)| name == "grpc-status" && value != "0");
            }
            HttpEvent::Failed { .. } | HttpEvent::Malformed { .. } => self.failed = true,
            HttpEvent::RequestBody(body) | HttpEvent::ResponseBody(body) => self.failed |= !body.whole,
            HttpEvent::Piece { .. } | HttpEvent::Interim { .. } => {}
        }
    }
}

/// All steps in which a client talks; one that goes on with held connections calls whom the step that opened them called.
fn calls(run: &Run) -> Vec<Call<'_>> {
    let scenario = &run.scenario;
    let mut calls = Vec::new();
    for step in scene::steps(scenario) {
        let (Verb::Talk { client, .. } | Verb::GoOn { client, .. }) = &step.verb else { continue };
        let opener = scene::step(scenario, scene::opener(scenario, &step.id)).map(|step| &step.verb);
        let Some(Verb::Talk { from, to, client: first, .. }) = opener else { continue };
        let (to, way) = match to {
            Target::Service(pod) if has_sidecar(scenario, from) => (pod, Way::Sidecar),
            Target::Service(pod) | Target::Inbound(pod) => (pod, Way::Direct),
            Target::App(pod) => (pod, Way::App),
        };
        let speaks_http = matches!(client.talk, Talk::Http(_)) && first.tls.is_none();
        calls.push(Call { step: &step.id, from, to, way, speaks_http });
    }
    calls
}

/// What each sidecar that nobody crashed, drained or started, and that stands before one app, showed last, or why it showed nothing that can be read.
fn shown(run: &Run) -> BTreeMap<&str, Result<Metrics, String>> {
    let steps = scene::steps(&run.scenario);
    let touched = |pod: &str| {
        steps.iter().any(|step| matches!(&step.verb, Verb::Proxy { pod: other, .. } if other == pod))
    };
    let shared = |pod: &str| run.scenario.pods.iter().any(|other| other.within.as_deref() == Some(pod));
    let mut all = BTreeMap::new();
    for scrape in run.scrapes.iter().filter(|scrape| scrape.step.is_none()) {
        let pod = scrape.host.strip_suffix(".proxy").filter(|pod| has_sidecar(&run.scenario, pod));
        let Some(pod) = pod.filter(|pod| !touched(pod) && !shared(pod)) else { continue };
        let read = scrape.body.clone().and_then(|body| {
            let metrics = Metrics::parse(&body).map_err(|error| error.to_string())?;
            if metrics.samples().next().is_some() { Ok(metrics) } else { Err(NOTHING.to_owned()) }
        });
        all.insert(pod, read);
    }
    all
}
