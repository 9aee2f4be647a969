//! HTTP as meant: requests, answers, and what checks want of fields.

use std::ops::Range;

use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method};
use indexmap::IndexMap;

use super::Resolver;
use crate::language::http::{
    Act, Answer, Fields, Framing, HttpApp, HttpScript, HttpVersion, ReadAnswer, Request, Response,
    ResponseBody, Route,
};
use crate::language::script::Send;
use crate::language::{FieldMatch, HttpCheck};
use crate::scenario::decode::At;
use crate::scenario::diagnostic::{Kind, Problem};
use crate::scenario::file::expect::EndArgs;
use crate::scenario::file::http::app::{Answer as AnswerAsWritten, AnswerMap, Body, Routes};
use crate::scenario::file::http::client::{Asked, HttpTalk};
use crate::scenario::file::http::matcher::{FieldCheck, FieldChecks};
use crate::scenario::file::http::{self as written};

/// Fields that a well-behaved end sets itself, and the key that says so instead.
const FRAMING: &str = "leave it to `body` and `framing`; what is not well-behaved is scripted with `raw`";

impl Resolver<'_> {
    /// What a client asks. `default` is its version, unless it names one.
    pub(super) fn http_client(&mut self, talk: At<HttpTalk>, default: HttpVersion) -> Option<HttpScript> {
        let At { value: mut talk, key, .. } = talk;
        let (version, at_once, requests) = (talk.version.take(), talk.at_once.take(), talk.requests.take());
        let version = version.map_or(default, |version| version.value.0);
        if let Some(at_once) = at_once.as_ref().filter(|at| at.value && version == HttpVersion::V1) {
            let problem =
                Problem::new(Kind::Check, "`at_once` does not go with HTTP/1.1").at(at_once.key.clone());
            self.error(problem.help("say `version: 2`, or open several connections: `connections: 3`"));
        }
        let asked = talk.asked();
        let requests = match (requests, asked.first_key()) {
            (Some(requests), None) => requests
                .value
                .into_iter()
                .filter_map(|one| self.request(one.value.asked(), &one.span))
                .collect(),
            (None, Some(_)) => vec![self.request(asked, &key)?],
            (Some(_), Some(place)) => {
                let problem = Problem::new(Kind::Check, "a request beside `requests`").at(place);
                self.error(problem.help("write all of them below `requests`"));
                return None;
            }
            (None, None) => {
                let problem = Problem::new(Kind::Missing, "no request").at(key);
                self.error(
                    problem
                        .label("expected a request such as `get: /`, or `requests`")
                        .help("for the connection alone write `requests: []`"),
                );
                return None;
            }
        };
        Some(HttpScript { version, requests, at_once: at_once.is_some_and(|at| at.value) })
    }

    fn request(&mut self, asked: Asked, place: &Range<usize>) -> Option<Request> {
        let (method, path) = self.target(&asked, place)?;
        if let Some(host) =
            asked.host.as_ref().filter(|host| http::uri::Authority::try_from(host.value.as_str()).is_err())
        {
            self.error(bad("host", host).label("expected a name or an address, with a port or without"));
        }
        for field in ["host", "content-length", "transfer-encoding"] {
            let help = if field == "host" { "use the key `host` of the request" } else { FRAMING };
            self.not_among(asked.headers.as_ref(), field, help);
        }
        let framing = asked.framing.map_or(Framing::Length, |framing| framing.value.into());
        let trailers = self.trailers(asked.trailers, framing);
        Some(Request {
            method,
            path,
            authority: asked.host.map(|host| host.value),
            headers: self.fields(asked.headers),
            body: asked.body.and_then(|body| self.body(body.value.0, &body.key)),
            framing,
            trailers,
            read: asked.read.map_or_else(ReadAnswer::default, |read| read.value.0),
            abort: asked.abort.map(|abort| abort.value.0),
            times: asked.times.map_or(1, |times| times.value.0),
        })
    }

    /// Method and path, said in exactly one way.
    fn target(&mut self, asked: &Asked, place: &Range<usize>) -> Option<(String, String)> {
        let mut ways: Vec<(&str, &At<String>)> =
            asked.words.iter().map(|(word, path)| (*word, path)).collect();
        ways.extend(asked.method.as_ref().map(|method| (method.value.as_str(), method)));
        if let [_, (_, second), ..] = ways.as_slice() {
            let problem = Problem::new(Kind::Check, "a request with two methods").at(second.key.clone());
            self.error(problem.label("second method").help("make it two, below `requests`"));
            return None;
        }
        let (method, path) = match (ways.first(), &asked.method, &asked.path) {
            (Some(way), None, None) => *way,
            (Some((method, _)), Some(_), Some(path)) => (*method, path),
            (Some(_), None, Some(path)) => {
                let problem = Problem::new(Kind::Check, "a request with two paths").at(path.key.clone());
                self.error(problem.help("`path` goes with `method`; else the method's word has the path"));
                return None;
            }
            (_, Some(method), None) => {
                self.error(Problem::new(Kind::Missing, "`method` needs a `path`").at(method.key.clone()));
                return None;
            }
            (None, ..) => {
                let problem = Problem::new(Kind::Missing, "a request without a method").at(place.clone());
                self.error(problem.label("expected one of `get`, `head`, `post`, `put`, `delete`, `patch`, `options`, or `method` and `path`"));
                return None;
            }
        };
        if let Some(at) = asked.method.as_ref().filter(|at| Method::from_bytes(at.value.as_bytes()).is_err())
        {
            self.error(bad("method", at).label("expected a word such as PURGE"));
        }
        let sendable =
            PathAndQuery::try_from(path.value.as_str()).is_ok_and(|sent| sent.as_str() == path.value);
        if !sendable || !(path.value.starts_with('/') || path.value == "*") {
            let problem = bad("path", path).label("expected `/`, then characters that may stand in a path");
            self.error(problem.help("any other target is scripted in bytes, with `raw`"));
        }
        Some((method.to_owned(), path.value.clone()))
    }

    /// What an app answers.
    pub(super) fn http_app(&mut self, version: HttpVersion, routes: At<Routes>) -> HttpApp {
        if routes.value.is_empty() {
            let problem = Problem::new(Kind::Value, "an app without routes").at(routes.key.clone());
            self.error(problem.label("expected at least one, such as `\"GET /\": {status: 200}`"));
        }
        let routes = routes.value.into_iter().map(|(key, answers)| {
            let (method, path) = self.check(|_| route(&key)).unwrap_or_default();
            let last = answers.0.len().saturating_sub(1);
            let answers =
                answers.0.into_iter().enumerate().map(|(index, one)| self.answer(one, index == last));
            Route { method, path, answers: answers.collect() }
        });
        HttpApp { version, routes: routes.collect() }
    }

    fn answer(&mut self, answer: AnswerAsWritten, last: bool) -> Answer {
        let act = match answer {
            AnswerAsWritten::Close => Act::Close,
            AnswerAsWritten::Reset => Act::Reset,
            AnswerAsWritten::Stall => Act::Stall,
            AnswerAsWritten::Respond(map) => {
                if let Some(times) = map.times.as_ref().filter(|_| last) {
                    let problem = Problem::new(Kind::Check, "`times` does not go with the last answer");
                    self.error(
                        problem
                            .at(times.key.clone())
                            .help("the last one goes on for ever; write another one after it"),
                    );
                }
                let times = map.times.as_ref().map_or(1, |times| times.value.0);
                return Answer { times, act: Act::Respond(Box::new(self.response(*map))) };
            }
        };
        Answer { times: 1, act }
    }

    fn response(&mut self, map: AnswerMap) -> Response {
        let status = map.status.as_ref().map_or(200, |status| status.value.0);
        let early = map.early.unwrap_or(false);
        self.not_among(map.headers.as_ref(), "transfer-encoding", FRAMING);
        if let Some(body) = &map.body {
            let problem = |message: String| Problem::new(Kind::Check, message).at(body.key.clone());
            if matches!(status, 204 | 304) {
                self.error(problem(format!("an answer {status} has no body")));
            }
            if early && matches!(body.value, Body::Echo) {
                self.error(
                    problem("an early answer cannot echo".into())
                        .help("`early: true` reads no byte of the request's body"),
                );
            }
        }
        let body = match map.body {
            None => ResponseBody::Nothing,
            Some(At { value: Body::Echo, .. }) => ResponseBody::Echo,
            Some(At { value: Body::Send(send), key, .. }) => {
                self.body(send.0, &key).map_or(ResponseBody::Nothing, ResponseBody::Send)
            }
        };
        if let Some(cut) = &map.cut {
            let length = match &body {
                ResponseBody::Nothing => 0,
                ResponseBody::Send(send) => send.payload.len(),
                ResponseBody::Echo => u64::MAX,
            };
            if cut.value.after.0 >= length {
                let problem =
                    Problem::new(Kind::Check, "`cut` comes after the end of the body").at(cut.key.clone());
                self.error(problem.label(format!("the body has {length} bytes")));
            }
        }
        let framing = map.framing.map_or(Framing::Length, |framing| framing.value.into());
        Response {
            status,
            headers: self.fields(map.headers),
            body,
            framing,
            trailers: self.trailers(map.trailers, framing),
            delay: map.delay.map(|wait| wait.0).unwrap_or_default(),
            early,
            cut: map.cut.map(|cut| cut.value.into()),
            last: map.last.unwrap_or(false),
        }
    }

    fn body(&mut self, send: Send, key: &Range<usize>) -> Option<Send> {
        if send.until_blocked.is_some() {
            let problem =
                Problem::new(Kind::Check, "`until_blocked` does not go with a body").at(key.clone());
            self.error(problem.help("a body has a length; use `raw` to fill buffers"));
            return None;
        }
        Some(send)
    }

    fn trailers(&mut self, trailers: Option<At<written::Fields>>, framing: Framing) -> Fields {
        if let Some(trailers) = trailers.as_ref().filter(|_| framing != Framing::Chunked) {
            let problem =
                Problem::new(Kind::Check, "trailers need `framing: chunked`").at(trailers.key.clone());
            self.error(problem);
        }
        self.fields(trailers)
    }

    fn not_among(&mut self, fields: Option<&At<written::Fields>>, name: &str, help: &str) {
        let found =
            fields.and_then(|fields| fields.value.keys().find(|key| key.value.eq_ignore_ascii_case(name)));
        if let Some(key) = found {
            let problem = Problem::new(Kind::Check, format!("`{name}` is no field to set here"));
            self.error(problem.at(key.span.clone()).help(help));
        }
    }

    /// Fields in order, a line for each value.
    fn fields(&mut self, fields: Option<At<written::Fields>>) -> Fields {
        let mut lines = Vec::new();
        for (name, values) in fields.map(|fields| fields.value).unwrap_or_default() {
            if HeaderName::try_from(name.value.as_str()).is_err() {
                self.error(bad("field name", &name));
            }
            if values.value.0.is_empty() {
                let problem = Problem::new(Kind::Value, format!("`{}` has no value", name.value));
                self.error(problem.at(values.span.clone()));
            }
            for value in values.value.0 {
                if HeaderValue::try_from(value.0.as_str()).is_err() {
                    let problem = Problem::new(Kind::Value, format!("bad value of `{}`", name.value));
                    self.error(
                        problem.at(values.span.clone()).label("expected text without control characters"),
                    );
                }
                lines.push((name.value.clone(), value.0));
            }
        }
        lines
    }

    /// What checks want of fields, by name.
    pub(super) fn field_checks(
        &mut self,
        checks: Option<FieldChecks>,
        pseudo: bool,
    ) -> IndexMap<String, FieldMatch> {
        let mut meant = IndexMap::new();
        for (name, check) in checks.unwrap_or_default() {
            let plain =
                if pseudo { name.value.strip_prefix(':').unwrap_or(&name.value) } else { &name.value };
            let known = HeaderName::try_from(plain).is_ok();
            if !known || name.value.bytes().any(|b| b.is_ascii_uppercase()) {
                self.error(bad("field name", &name).label("expected a name in lower case"));
            }
            let check = match check {
                FieldCheck::Absent => FieldMatch::Absent,
                FieldCheck::Present => FieldMatch::Present,
                FieldCheck::Once => FieldMatch::Once,
                FieldCheck::Values(values) => FieldMatch::Values(values),
                FieldCheck::Any(values) => FieldMatch::Any(values),
                FieldCheck::SameAsApp(pod) => {
                    let pod = self.check(|resolver| resolver.names.with_app(&pod));
                    // The file is refused; that nothing is checked is not to be said besides.
                    pod.map_or(FieldMatch::Present, FieldMatch::SameAsApp)
                }
            };
            meant.insert(name.value, check);
        }
        meant
    }

    /// The arguments of `client` and `app` about requests and answers.
    pub(super) fn http_check(&mut self, args: EndArgs) -> HttpCheck {
        let codes = |statuses: Option<Vec<written::matcher::AnyStatus>>| {
            statuses.map(|statuses| statuses.into_iter().map(|status| status.0).collect())
        };
        HttpCheck {
            requests: args.requests,
            answers: args.answers,
            status: args.status.map(|status| status.0),
            statuses: codes(args.statuses),
            interim: codes(args.interim),
            headers: self.field_checks(args.headers, false),
            trailers: self.field_checks(args.trailers, false),
            body: args.body,
            whole: args.whole,
            wholes: args.wholes,
            protocol: super::expects::texts(args.protocol),
            method: super::expects::texts(args.method.map(|at| at.value)),
            path: super::expects::texts(args.path.map(|at| at.value)),
            authority: super::expects::texts(args.authority.map(|at| at.value)),
            pieces: args.pieces,
            head_at: args.head_at,
            body_at: args.body_at,
            over_at: args.over_at,
            gaps: args.gaps.map(|gaps| gaps.value),
        }
    }

    /// Says so for arguments that only an app can answer.
    pub(super) fn only_of_apps(&mut self, args: &EndArgs) {
        let keys = [
            args.method.as_ref().map(|at| ("method", &at.key)),
            args.path.as_ref().map(|at| ("path", &at.key)),
            args.authority.as_ref().map(|at| ("authority", &at.key)),
            args.gaps.as_ref().map(|at| ("gaps", &at.key)),
        ];
        for (name, key) in keys.into_iter().flatten() {
            let problem = Problem::new(Kind::Check, format!("`{name}` does not go with `client`"));
            let help = format!("what was asked is seen by the server: `app: {{{name}: ..}}`");
            self.problems.push(problem.at(key.clone()).help(help));
        }
    }
}

/// Method and path of a route: `GET /`, `* /`, `GET *`, `*`.
fn route(key: &At<String>) -> Result<(Option<String>, Option<String>), Problem> {
    let any = |word: &str| (word != "*").then(|| word.to_owned());
    let (method, path) = match key.value.split_once(' ') {
        None if key.value == "*" => ("*", "*"),
        Some((method, path)) => (method, path),
        None => ("", ""),
    };
    let good = (method == "*" || Method::from_bytes(method.as_bytes()).is_ok() && !method.is_empty())
        && (path == "*" || path.starts_with('/') && !path.contains(['?', ' ']));
    if good {
        return Ok((any(method), any(path)));
    }
    Err(bad("route", key).label("expected `METHOD /path` (no query), `* /path`, `METHOD *` or `*`"))
}

fn bad(what: &str, at: &At<String>) -> Problem {
    Problem::new(Kind::Value, format!("bad {what} `{}`", at.value)).at(at.span.clone())
}
