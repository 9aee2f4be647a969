//! Expectations as meant.

use super::Resolver;
use crate::language::value::Match;
use crate::language::{
    BytesCheck, Check, EndCheck, Expectation, Level, MetricsCheck, QuietCheck, TookCheck, WireCheck,
};
use crate::scenario::decode::At;
use crate::scenario::diagnostic::{Kind, Problem};
use crate::scenario::file::expect as written;
use crate::scenario::file::matcher::{Matchable, Written};
use crate::scenario::file::metrics::MetricsArgs;

/// The keys of an expectation that hold checks.
const CHECKS: &str = "`client`, `app`, `bytes`, `wire`, `quiet`, `metrics`, `took`";

impl Resolver<'_> {
    /// Expectations of a step, or of the bottom of the file.
    pub(super) fn expectations(
        &mut self,
        list: Vec<At<written::Expectation>>,
        nest: Option<&str>,
    ) -> Vec<Expectation> {
        let mut meant = Vec::new();
        for one in list {
            if self.is_there(one.value.when.as_ref()) {
                meant.push(self.expectation(one, nest));
            }
        }
        meant
    }

    fn expectation(&mut self, one: At<written::Expectation>, nest: Option<&str>) -> Expectation {
        let At { mut value, span, .. } = one;
        inherit(&mut value);
        let some = [value.client.is_some(), value.app.is_some(), value.bytes.is_some(), value.wire.is_some()];
        let others = [value.quiet.is_some(), value.metrics.is_some(), value.took.is_some()];
        let empty = !some.contains(&true) && !others.contains(&true);
        let mut checks = Vec::new();
        checks.extend(value.client.and_then(|args| self.client_check(args, nest)).map(Check::Client));
        checks.extend(value.app.and_then(|args| self.app_check(args, nest)).map(Check::App));
        checks.extend(value.bytes.and_then(|args| self.bytes_check(args, nest)).map(Check::Bytes));
        checks.extend(value.wire.and_then(|args| self.wire_check(args)).map(Check::Wire));
        checks.extend(value.quiet.and_then(|args| self.quiet_check(args)).map(Check::Quiet));
        checks.extend(value.metrics.and_then(|args| self.metrics_check(args)).map(Check::Metrics));
        checks.extend(value.took.and_then(|args| self.took_check(args, nest)).map(Check::Took));
        if empty {
            self.error(
                Problem::new(Kind::Check, "an expectation without a check")
                    .at(span.clone())
                    .label(format!("expected one of {CHECKS}")),
            );
        }
        for clause in
            value.proves.iter().flatten().filter(|clause| self.contract.get(&clause.value).is_none())
        {
            let problem = Problem::new(Kind::Clause, format!("unknown clause `{}`", clause.value))
                .at(clause.span.clone());
            let known = self.contract.iter().map(|clause| clause.id.as_str());
            self.problems
                .push(problem.label("not in fixtures/requirements.yaml").did_you_mean(&clause.value, known));
        }
        let proves = value.proves.unwrap_or_default().into_iter().map(|clause| clause.value).collect();
        Expectation {
            checks,
            proves,
            level: value.level.map(level),
            line: self.line(span.start),
            not_run: None,
        }
    }

    /// The step a check of a talk is about. `Err(())` after an error.
    fn talk_of(
        &mut self,
        step: Option<&At<String>>,
        nest: Option<&str>,
        place: &std::ops::Range<usize>,
    ) -> Result<Option<String>, ()> {
        match (step, nest) {
            (Some(step), _) => self.check(|resolver| resolver.ids.talk(step)).map(Some).ok_or(()),
            (None, Some(nest)) if self.ids.talks(nest) => Ok(None),
            (None, _) => {
                let problem = Problem::new(Kind::Check, "this check needs a step").at(place.clone());
                self.error(problem.label("expected `step: ID` of a step in which a client talks"));
                Err(())
            }
        }
    }

    fn client_check(&mut self, args: At<written::EndArgs>, nest: Option<&str>) -> Option<EndCheck> {
        if let Some(pod) = &args.value.pod {
            self.error(
                Problem::new(Kind::Check, "`pod` does not go with `client`")
                    .at(pod.key.clone())
                    .help("the client is the `from` of the step"),
            );
        }
        if args.value.sni.is_some() {
            let problem = Problem::new(Kind::Check, "`sni` does not go with `client`").at(args.key.clone());
            self.error(problem.help("the name asked for is seen by the server: `app: {sni: ..}`"));
        }
        self.only_of_apps(&args.value);
        let step = self.talk_of(args.value.step.as_ref(), nest, &args.key).ok()?;
        self.end_check(&args, step, None)
    }

    fn app_check(&mut self, args: At<written::EndArgs>, nest: Option<&str>) -> Option<EndCheck> {
        let pod = match &args.value.pod {
            Some(pod) => Some(self.check(|resolver| resolver.names.with_app(pod))?),
            None => None,
        };
        // With a pod named, the app's connections can be counted without a step, or in a step in which others talk.
        let step = match &args.value.step {
            Some(step) if pod.is_some() => Some(self.check(|resolver| resolver.ids.step(step))?),
            None if pod.is_some() => None,
            step => self.talk_of(step.as_ref(), nest, &args.key).ok()?,
        };
        self.end_check(&args, step, pod)
    }

    fn end_check(
        &mut self,
        args: &At<written::EndArgs>,
        step: Option<String>,
        pod: Option<String>,
    ) -> Option<EndCheck> {
        let place = args.key.clone();
        let args = args.value.clone();
        let http = self.http_check(args.clone());
        let check = EndCheck {
            pod: None,
            step: None,
            connections: args.connections,
            done: args.done,
            received: args.received,
            sent: args.sent,
            end: args.end.map(Written::meant),
            handshake: texts(args.handshake),
            certificate: texts(args.certificate),
            alpn: texts(args.alpn),
            sni: texts(args.sni),
            version: texts(args.version),
            resumed: args.resumed,
            blocked_after: args.blocked_after,
            first_byte: args.first_byte,
            ended: args.ended,
            http,
        };
        if check == EndCheck::default() {
            self.error(Problem::new(Kind::Check, "a check that checks nothing").at(place));
            return None;
        }
        Some(EndCheck { pod, step, ..check })
    }

    fn bytes_check(&mut self, args: At<written::BytesArgs>, nest: Option<&str>) -> Option<BytesCheck> {
        let At { value: args, key, .. } = args;
        if args.app_got.is_none() && args.client_got.is_none() {
            self.error(
                Problem::new(Kind::Check, "a check that checks nothing")
                    .at(key.clone())
                    .label("expected `app_got` or `client_got`"),
            );
        }
        let step = self.talk_of(args.step.as_ref(), nest, &key).ok()?;
        Some(BytesCheck {
            step,
            app_got: args.app_got.map(Into::into),
            client_got: args.client_got.map(Into::into),
        })
    }

    fn wire_check(&mut self, args: At<written::WireArgs>) -> Option<WireCheck> {
        let At { value: args, key, .. } = args;
        let link = self.check(|resolver| resolver.names.link(&args.link))?;
        let step = match &args.step {
            Some(step) => Some(self.check(|resolver| resolver.ids.step(step))?),
            None => None,
        };
        let headers = self.field_checks(args.headers, true);
        let answer_headers = self.field_checks(args.answer_headers, true);
        let check = WireCheck {
            link: link.clone(),
            step: None,
            outer: texts(args.outer),
            inner: texts(args.inner),
            sni: texts(args.sni),
            alpn: texts(args.alpn),
            inner_sni: texts(args.inner_sni),
            inner_alpn: texts(args.inner_alpn),
            version: texts(args.version),
            client_uris: args.client_uris.unwrap_or_default(),
            server_uris: args.peer.into_iter().chain(args.server_uris.unwrap_or_default()).collect(),
            lifetime: args.lifetime,
            connections: args.connections,
            attempts: args.attempts,
            bytes: args.bytes,
            bytes_back: args.bytes_back,
            requests: args.requests,
            headers,
            answer_headers,
        };
        if check == WireCheck::on(link) {
            self.error(checks_nothing(key));
            return None;
        }
        Some(WireCheck { step, ..check })
    }

    fn quiet_check(&mut self, args: At<written::QuietArgs>) -> Option<QuietCheck> {
        let At { value: args, key, .. } = args;
        if args.connections.is_none() && args.listeners.is_none() {
            self.error(checks_nothing(key).label("expected `connections` or `listeners`"));
            return None;
        }
        let hosts = args.at.unwrap_or_default();
        let host = |host: &At<String>| self.check(|resolver| resolver.names.host(&host.value, &host.span));
        let at = hosts.iter().filter_map(host).collect();
        Some(QuietCheck { at, connections: args.connections, listeners: args.listeners })
    }

    fn metrics_check(&mut self, args: At<MetricsArgs>) -> Option<MetricsCheck> {
        let At { value: args, key, .. } = args;
        if args.valid.is_none() && args.signals.is_empty() {
            self.error(
                checks_nothing(key).label("expected `valid`, or a signal such as `tcp.connections: 1`"),
            );
            return None;
        }
        let at = self.check(|resolver| resolver.names.sidecar_host(&args.at))?;
        Some(MetricsCheck { at, valid: args.valid, signals: args.signals })
    }

    fn took_check(&mut self, args: At<written::TookArgs>, nest: Option<&str>) -> Option<TookCheck> {
        let step = match (&args.value.step, nest) {
            (Some(step), _) => self.check(|resolver| resolver.ids.step(step))?,
            (None, Some(nest)) => nest.to_owned(),
            (None, None) => {
                let problem =
                    Problem::new(Kind::Check, "`took` at the bottom needs a step").at(args.key.clone());
                self.error(problem.help("write `took: {step: ID, within: 5s..6s}`"));
                return None;
            }
        };
        Some(TookCheck { step, span: args.value.within })
    }
}

/// `app` and `bytes` without a step are about the step of the `client` beside them.
fn inherit(expectation: &mut written::Expectation) {
    let Some(step) = expectation.client.as_ref().and_then(|client| client.value.step.clone()) else {
        return;
    };
    if let Some(app) = expectation.app.as_mut().filter(|app| app.value.pod.is_none()) {
        app.value.step.get_or_insert_with(|| step.clone());
    }
    if let Some(bytes) = expectation.bytes.as_mut() {
        bytes.value.step.get_or_insert(step);
    }
}

fn checks_nothing(place: std::ops::Range<usize>) -> Problem {
    Problem::new(Kind::Check, "a check that checks nothing").at(place)
}

pub(super) fn texts<M: Matchable + Into<String>>(written: Option<Written<M>>) -> Option<Match<String>> {
    written.map(|written| match written.meant() {
        Match::Any(words) => Match::Any(words.into_iter().map(Into::into).collect()),
        Match::Absent => Match::Absent,
    })
}

fn level(level: written::Level) -> Level {
    match level {
        written::Level::Must => Level::Must,
        written::Level::Should => Level::Should,
        written::Level::May => Level::May,
    }
}
