//! adapter.yaml: from as written to as meant.

use std::path::Path;
use std::time::Duration;

use super::file::{self, File};
use super::sample;
use super::template::{Inline, TemplateError, Templates};
use super::{
    Adapter, Binary, Command, Drain, DrainBy, DrainedWhen, Driver, Life, Metrics, Ready, Signal, Version,
};
use crate::dataplane::declared::{Declared, KnownFailure};
use crate::language::value::parse_duration;
use crate::requirements::Requirements;
use crate::scenario::{At, Kind, Problem};

/// To become ready, to drain and to stop: what a sidecar on a busy machine takes, several times over.
const READY_WITHIN: Duration = Duration::from_secs(20);
const DRAIN_WITHIN: Duration = Duration::from_secs(30);
const STOP_WITHIN: Duration = Duration::from_secs(5);

pub(super) fn adapter(
    written: File,
    dir: &Path,
    (templates, broken): (Templates, &[TemplateError]),
    problems: &mut Vec<Problem>,
) -> Adapter {
    let mut resolver = Resolver { templates: &templates, problems };
    resolver.drain_goes_with(&written);
    let declared = resolver.declared(written.features, written.known_failures);
    let declared =
        Declared { agent: written.agent, resolves_resources: written.resolves_resources, ..declared };
    let command = resolver.command(&written.start);
    let ready_within = resolver.duration(written.start.within.as_ref(), READY_WITHIN);
    let metrics = written.metrics.map(|metrics| Metrics {
        path: metrics.path,
        port: metrics.port.map(|port| resolver.inline("metrics.port", &port)),
        twice: metrics.twice,
    });
    let key_log = written.key_log.map(|path| resolver.inline("key_log", &path));
    let files = written.files.iter().map(|(target, name)| {
        resolver.file(target, name, broken);
        (target.clone(), name.value.clone())
    });
    let files = files.collect();
    let driver = match written.driver {
        file::Driver::Template => Driver::Template(Box::new(resolver.life(
            &written.binary,
            written.ready,
            written.drain,
            written.stop,
        ))),
        file::Driver::Exec => {
            let keys = [
                ("ready", written.ready.map(|at| at.key)),
                ("drain", written.drain.map(|at| at.key)),
                ("stop", written.stop.map(|at| at.key)),
            ];
            for (name, key) in keys {
                if let Some(key) = key {
                    let problem =
                        Problem::new(Kind::Key, format!("`{name}` does not go with `driver: exec`"));
                    resolver.problems.push(problem.at(key).label("the program is told to, and answers"));
                }
            }
            Driver::Exec
        }
    };
    let binary =
        Binary { name: written.binary.name.value, env: written.binary.env, project: written.binary.project };
    Adapter {
        name: dir.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        // Processes run in folders of their own.
        dir: std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned()),
        about: written.about,
        binary,
        version: written.version.map(|version| Version { args: version.args, after: version.after }),
        declared,
        command,
        files,
        ready_within,
        metrics,
        without: super::without(dir),
        key_log,
        driver,
        templates,
    }
}

struct Resolver<'a> {
    templates: &'a Templates,
    problems: &'a mut Vec<Problem>,
}

impl Resolver<'_> {
    fn inline(&mut self, what: &str, text: &At<String>) -> Inline {
        let inline = Inline { what: what.to_owned(), text: text.value.clone() };
        if let Err(error) = self.templates.check(&inline, sample::all()) {
            self.problems.push(Problem::new(Kind::Value, error.reason).at(text.span.clone()));
        }
        inline
    }

    fn duration(&mut self, text: Option<&At<String>>, otherwise: Duration) -> Duration {
        let Some(text) = text else { return otherwise };
        parse_duration(&text.value).unwrap_or_else(|invalid| {
            let problem = Problem::new(Kind::Value, format!("bad value `{}`", text.value));
            self.problems.push(problem.at(text.span.clone()).label(format!("expected {}", invalid.expected)));
            otherwise
        })
    }

    fn signal(&mut self, word: Option<&At<String>>) -> Signal {
        let Some(word) = word else { return Signal::Term };
        let plain = word.value.strip_prefix("SIG").unwrap_or(&word.value);
        let names = Signal::ALL.map(|(name, _)| name);
        match Signal::ALL.into_iter().find(|(name, _)| *name == plain) {
            Some((_, signal)) => signal,
            None => {
                let problem = Problem::new(Kind::Value, format!("bad value `{}`", word.value))
                    .at(word.span.clone())
                    .label(format!("expected one of {}", names.join(", ")));
                self.problems.push(problem.did_you_mean(plain, names));
                Signal::Term
            }
        }
    }

    fn file(&mut self, target: &str, name: &At<String>, broken: &[TemplateError]) {
        let at = |problem: Problem| problem.at(name.span.clone());
        let inside = Path::new(target).components().count() == 1 && target != ".." && target != ".";
        if !inside {
            let problem = Problem::new(Kind::Value, format!("`{target}` is no name of a file"));
            self.problems.push(problem.at(name.key.clone()).label("it goes into the run's folder"));
        }
        if let Some(error) = broken.iter().find(|error| error.what == name.value) {
            self.problems.push(at(Problem::new(Kind::Value, error.to_string())));
        } else if !self.templates.has(&name.value) {
            let problem = Problem::new(Kind::Name, format!("there is no template `{}`", name.value));
            self.problems.push(at(problem.label("a file *.jinja beside this one")));
        }
    }

    fn command(&mut self, start: &file::Start) -> Command {
        let bin = || Inline { what: "start.command".to_owned(), text: "{{ bin }}".to_owned() };
        Command {
            program: start.command.as_ref().map_or_else(bin, |text| self.inline("start.command", text)),
            args: start.args.iter().map(|text| self.inline("start.args", text)).collect(),
            env: start
                .env
                .iter()
                .map(|(name, text)| (name.clone(), self.inline(&format!("start.env.{name}"), text)))
                .collect(),
        }
    }

    fn life(
        &mut self,
        binary: &file::Binary,
        ready: Option<At<file::Ready>>,
        drain: Option<At<file::Drain>>,
        stop: Option<At<file::Stop>>,
    ) -> Life {
        if ready.is_none() {
            let problem =
                Problem::new(Kind::Missing, "the key `ready` is missing").at(binary.name.key.clone());
            let forms = "`ready: {get: /PATH}`, `ready: {accepts: \"IP:PORT\"}` or `ready: {line: TEXT}`";
            self.problems.push(problem.help(format!("say how one sees that it is ready: {forms}")));
        }
        let ready = ready.map_or_else(
            || Ready::Line(Inline { what: "ready".to_owned(), text: String::new() }),
            |ready| self.ready(&ready),
        );
        let drain = drain.and_then(|drain| self.drain(drain));
        let stop = stop.map(|stop| stop.value);
        Life {
            ready,
            drain,
            stop: self.signal(stop.as_ref().and_then(|stop| stop.signal.as_ref())),
            stop_within: self.duration(stop.as_ref().and_then(|stop| stop.within.as_ref()), STOP_WITHIN),
        }
    }

    fn ready(&mut self, ready: &At<file::Ready>) -> Ready {
        let mut inline = |text: &String| {
            let text = At { value: text.clone(), span: ready.span.clone(), key: ready.key.clone() };
            self.inline("ready", &text)
        };
        match &ready.value {
            file::Ready::Get(path) => Ready::Get(inline(path)),
            file::Ready::Accepts(address) => Ready::Accepts(inline(address)),
            file::Ready::Line(text) => Ready::Line(inline(text)),
        }
    }

    fn drain(&mut self, drain: At<file::Drain>) -> Option<Drain> {
        let within = self.duration(drain.value.within.as_ref(), DRAIN_WITHIN);
        let until = drain.value.until.map(|until| match until {
            file::Until::Exit => DrainedWhen::Exit,
            file::Until::Zero(families) => DrainedWhen::Zero(families),
        });
        let by = match (drain.value.post, drain.value.signal) {
            (Some(path), None) => {
                let path = At { value: path, span: drain.span, key: drain.key };
                DrainBy::Post(self.inline("drain.post", &path))
            }
            (None, Some(signal)) => DrainBy::Signal(self.signal(Some(&signal))),
            _ => {
                let problem = Problem::new(Kind::Verb, "a drain begins with one of `post`, `signal`");
                self.problems.push(problem.at(drain.key));
                return None;
            }
        };
        Some(Drain { by, until, within })
    }

    /// What is claimed must be there, and what is asked for, too.
    fn drain_goes_with(&mut self, written: &File) {
        let drain = written.drain.as_ref();
        let claimed = written.features.iter().flatten().find(|feature| feature.value == "drain");
        if let (Some(claimed), None, file::Driver::Template) = (claimed, drain, written.driver) {
            let problem =
                Problem::new(Kind::Missing, "feature `drain` is claimed, and the key `drain` is missing");
            let help =
                "say how it is drained, such as `drain: {signal: USR1, until: exit}`, or do not claim it";
            self.problems.push(problem.at(claimed.span.clone()).help(help));
        }
        if let (Some(drain), None) = (drain, &written.metrics)
            && matches!(drain.value.until, Some(file::Until::Zero(_)))
        {
            let problem = Problem::new(Kind::Missing, "`drain.until.zero` needs the key `metrics`");
            self.problems.push(problem.at(drain.key.clone()).label("nobody knows when they are zero"));
        }
    }

    fn declared(
        &mut self,
        features: Option<Vec<At<String>>>,
        known_failures: Vec<At<KnownFailure>>,
    ) -> Declared {
        let contract = match Requirements::bundled() {
            Ok(contract) => contract,
            Err(error) => {
                self.problems.push(Problem::new(Kind::Io, error.to_string()));
                return Declared::default();
            }
        };
        let mut known: Vec<&str> = contract.iter().map(|clause| clause.feature.as_str()).collect();
        known.sort_unstable();
        known.dedup();
        for feature in features.iter().flatten().filter(|feature| !known.contains(&feature.value.as_str())) {
            let problem =
                Problem::new(Kind::Name, format!("the contract has no feature `{}`", feature.value));
            let problem =
                problem.at(feature.span.clone()).did_you_mean(&feature.value, known.iter().copied());
            self.problems.push(problem.help(format!("features are {}", known.join(", "))));
        }
        for failure in &known_failures {
            let clause = &failure.value.clause;
            // The checks that are always on have names in small letters: `no leak`.
            if clause.contains(|c: char| c.is_ascii_uppercase()) && contract.get(clause).is_none() {
                let ids = contract.iter().map(|clause| clause.id.as_str());
                let problem = Problem::new(Kind::Clause, format!("unknown clause `{clause}`"));
                self.problems.push(problem.at(failure.span.clone()).did_you_mean(clause, ids));
            }
        }
        Declared {
            features: features.map(|features| features.into_iter().map(|at| at.value).collect()),
            known_failures: known_failures.into_iter().map(|at| at.value).collect(),
            ..Declared::default()
        }
    }
}
