//! HTTP in scenario files, and sidecars that the harness plays.

use super::*;
use crate::language::http::{
    Abort, Act, Cut, Framing, HttpApp, HttpScript, HttpVersion, Response, ResponseBody, Route,
};
use crate::language::script::{Send, ServerScript, Talk};
use crate::language::value::Span;
use crate::language::{EndCheck, FieldMatch, HttpCheck, StatusMatch, WireCheck};

/// A file with these steps; `backend` is an HTTP app, `peer` a scripted sidecar.
fn call(http: &str) -> String {
    steps(&format!("  - {{id: call, from: web, to: backend, http: {http}}}"))
}

fn steps(steps: &str) -> String {
    app("{\"GET /\": {body: ok}}").replace("STEPS", steps)
}

/// A file whose backend answers so.
fn app(routes: &str) -> String {
    format!(
        "about: A test.\nmesh: {{mtls: strict}}\npods:\n  web: {{}}\n  peer: {{proxy: scripted, protocol: http, app: {{http: {{\"*\": {{}}}}}}}}\n  backend: {{protocol: http, app: {{http: {routes}}}}}\nsteps:\nSTEPS\nexpect:\n  - {{quiet: {{connections: 0}}}}\n"
    )
}

fn asked(text: &str) -> HttpScript {
    let case = one(&call(text));
    let Verb::Talk { client, .. } = &case.steps[0].verb else { panic!("{case:?}") };
    let Talk::Http(script) = &client.talk else { panic!("{client:?}") };
    script.clone()
}

fn answers(routes: &str) -> HttpApp {
    let case = one(&app(routes).replace("STEPS", "  - {wait: 1s}"));
    let Some(ServerScript::Http(app)) = &case.pods[2].app else { panic!("{case:?}") };
    app.clone()
}

fn response(routes: &str) -> Response {
    match &answers(routes).routes[0].answers[0].act {
        Act::Respond(response) => (**response).clone(),
        other => panic!("{other:?}"),
    }
}

fn check(args: &str) -> HttpCheck {
    let case = one(&call("{get: /}").replace("  - {quiet: {connections: 0}}", &format!("  - {args}")));
    let (Check::Client(EndCheck { http, .. }) | Check::App(EndCheck { http, .. })) =
        case.expect[0].checks.last().expect("a check")
    else {
        panic!("{case:?}")
    };
    http.clone()
}

fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_short_request_is_read_with_its_defaults() {
    let script = asked("{get: /}");
    assert_eq!((script.version, script.at_once, script.requests.len()), (HttpVersion::V1, false, 1));
    let request = &script.requests[0];
    assert_eq!((request.method.as_str(), request.path.as_str(), request.times), ("GET", "/", 1));
    assert_eq!((&request.authority, &request.body, request.framing), (&None, &None, Framing::Length));
    for (word, method) in [
        ("head", "HEAD"),
        ("post", "POST"),
        ("put", "PUT"),
        ("delete", "DELETE"),
        ("patch", "PATCH"),
        ("options", "OPTIONS"),
    ] {
        assert_eq!(asked(&format!("{{{word}: \"/a/../b?c=d\"}}")).requests[0].method, method);
    }
    assert_eq!(asked("{requests: []}").requests, []);
}

#[test]
fn every_key_of_a_request_is_read() {
    let script = asked(
        "{version: 2, at_once: true, requests: [{put: /x, host: shop, headers: {x-a: [one, 2], X-B: b}, body: {size: 1MiB, seed: 3, chunk: 16KiB, every: 1ms}, framing: chunked, trailers: {x-t: 1}, times: 2}, {method: PURGE, path: /y, read: {rate: 64KiB}, abort: {after: 1s}}, {get: /, abort: {after_bytes: 10KiB}}]}",
    );
    assert_eq!((script.version, script.at_once), (HttpVersion::V2, true));
    let [put, purge, get] = script.requests.as_slice() else { panic!("{script:?}") };
    assert_eq!((put.authority.as_deref(), put.times, put.framing), (Some("shop"), 2, Framing::Chunked));
    assert_eq!(put.headers, fields(&[("x-a", "one"), ("x-a", "2"), ("X-B", "b")]));
    assert_eq!(put.trailers, fields(&[("x-t", "1")]));
    let body = Send {
        payload: Payload::Pattern { len: 1 << 20, seed: 3 },
        chunk: Some(16 << 10),
        every: Some(Duration::from_millis(1)),
        until_blocked: None,
    };
    assert_eq!(put.body, Some(body));
    assert_eq!(
        (purge.method.as_str(), purge.path.as_str(), purge.read.rate),
        ("PURGE", "/y", Some(64 << 10))
    );
    assert_eq!(purge.abort, Some(Abort::After(Duration::from_secs(1))));
    assert_eq!(get.abort, Some(Abort::AfterBytes(10 << 10)));
}

#[test]
fn a_request_that_makes_no_sense_is_named() {
    let error = error_at(&call("{gte: /}"), Kind::Key, "gte");
    suggests(&error, "get");
    error_at(&call("{get: /, post: /}"), Kind::Check, "post");
    error_at(&call("{get: /, path: /}"), Kind::Check, "path");
    error_at(&call("{method: GET}"), Kind::Missing, "method");
    error_at(&call("{host: shop}"), Kind::Missing, "http");
    error_at(&call("{version: 2}"), Kind::Missing, "http");
    error_at(&call("{requests: [{}]}"), Kind::Missing, "{}");
    error_at(&call("{get: /, requests: []}"), Kind::Check, "get");
    error_at(&call("{get: /, at_once: true}"), Kind::Check, "at_once");
    error_at(&call("{get: /, version: 3}"), Kind::Value, "3");
    error_at(&call("{get: nowhere}"), Kind::Value, "nowhere");
    error_at(&call("{get: \"/a b\"}"), Kind::Value, "\"/a b\"");
    error_at(&call("{method: \"A B\", path: /}"), Kind::Value, "\"A B\"");
    error_at(&call("{get: /, headers: {host: a}}"), Kind::Check, "host");
    error_at(&call("{get: /, headers: {Content-Length: 3}}"), Kind::Check, "Content-Length");
    error_at(&call("{get: /, headers: {\"a b\": 3}}"), Kind::Value, "\"a b\"");
    error_at(&call("{get: /, headers: {a: \"x\\r\\ny\"}}"), Kind::Value, "\"x");
    error_at(&call("{get: /, trailers: {a: b}}"), Kind::Check, "trailers");
    error_at(&call("{put: /, body: {size: 1, until_blocked: 1s}}"), Kind::Check, "body");
    error_at(&call("{get: /, abort: {}}"), Kind::Value, "{}");
    error_at(&call("{get: /, read: {rate: 0}}"), Kind::Value, "{rate");
    error_at(&call("{get: /, times: 0}"), Kind::Value, "0");
}

#[test]
fn every_answer_of_an_app_is_read() {
    let app = answers(
        "{\"GET /flaky\": [{status: 503, times: 2}, {body: fine}], \"POST *\": {body: echo}, \"* /a\": stall, \"*\": [close, reset]}",
    );
    assert_eq!(app.version, HttpVersion::V1);
    let routes: Vec<(Option<&str>, Option<&str>)> =
        app.routes.iter().map(|Route { method, path, .. }| (method.as_deref(), path.as_deref())).collect();
    assert_eq!(
        routes,
        [(Some("GET"), Some("/flaky")), (Some("POST"), None), (None, Some("/a")), (None, None)]
    );
    let flaky = &app.routes[0].answers;
    assert_eq!((flaky[0].times, flaky[1].times), (2, 1));
    let acts: Vec<&Act> =
        app.routes[2..].iter().flat_map(|route| &route.answers).map(|answer| &answer.act).collect();
    assert_eq!(acts, [&Act::Stall, &Act::Close, &Act::Reset]);
    assert_eq!(response("{\"*\": {body: echo}}").body, ResponseBody::Echo);
    assert_eq!((response("{\"*\": {}}").status, response("{\"*\": {}}").body), (200, ResponseBody::Nothing));
    let all = response(
        "{\"*\": {status: 413, headers: {set-cookie: [a=1, b=2]}, body: {size: 30, chunk: 10, every: 1s}, framing: chunked, trailers: {x-sum: abc}, delay: 3s, early: true, cut: {after: 10, reset: true}, last: true}}",
    );
    assert_eq!((all.status, all.delay, all.early, all.last), (413, Duration::from_secs(3), true, true));
    assert_eq!((all.framing, all.cut), (Framing::Chunked, Some(Cut { after: 10, reset: true })));
    assert_eq!(all.headers, fields(&[("set-cookie", "a=1"), ("set-cookie", "b=2")]));
    assert_eq!(all.trailers, fields(&[("x-sum", "abc")]));
    assert!(matches!(all.body, ResponseBody::Send(send) if send.chunk == Some(10)));
}

#[test]
fn an_app_that_makes_no_sense_is_named() {
    let bad = |routes: &str, kind, marked: &str| {
        error_at(&app(routes).replace("STEPS", "  - {wait: 1s}"), kind, marked)
    };
    bad("{}", Kind::Value, "http");
    bad("{GET: {}}", Kind::Value, "GET");
    bad("{\"GET x\": {}}", Kind::Value, "\"GET x\"");
    bad("{\"GET /?a\": {}}", Kind::Value, "\"GET /?a\"");
    bad("{\"*\": []}", Kind::Value, "[]");
    bad("{\"*\": {status: 100}}", Kind::Value, "100");
    bad("{\"*\": {status: 600}}", Kind::Value, "600");
    bad("{\"*\": {status: ok}}", Kind::Value, "ok");
    suggests(&bad("{\"*\": {stauts: 200}}", Kind::Key, "stauts"), "status");
    suggests(&bad("{\"*\": cloze}", Kind::Value, "cloze"), "close");
    bad("{\"*\": {times: 2}}", Kind::Check, "times");
    bad("{\"*\": {status: 204, body: x}}", Kind::Check, "body");
    bad("{\"*\": {early: true, body: echo}}", Kind::Check, "body");
    bad("{\"*\": {cut: {after: 1}}}", Kind::Check, "cut");
    bad("{\"*\": {body: abc, cut: {after: 3}}}", Kind::Check, "cut");
    bad("{\"*\": {trailers: {a: b}}}", Kind::Check, "trailers");
    bad("{\"*\": {headers: {transfer-encoding: chunked}}}", Kind::Check, "transfer-encoding");
    let both = app("{\"*\": {}}, http2: {\"*\": {}}").replace("STEPS", "  - {wait: 1s}");
    error_at(&both, Kind::Value, "{http");
}

#[test]
fn held_connections_speak_one_version() {
    let on = |first: &str, then: &str| {
        steps(&format!("  - {{id: a, from: web, to: backend, {first}, hold: true}}\n  - {{on: a, {then}}}"))
    };
    let case = one(&on("http: {get: /, version: 2}", "http: {get: /}"));
    let Verb::GoOn { client, .. } = &case.steps[1].verb else { panic!("{case:?}") };
    assert!(matches!(&client.talk, Talk::Http(script) if script.version == HttpVersion::V2), "{client:?}");
    error_at(&on("http: {get: /, version: 2}", "http: {get: /, version: 1}"), Kind::Verb, "http");
    error_at(&on("http: {get: /}", "tcp: [close]"), Kind::Verb, "tcp");
    error_at(&on("tcp: [{send: x}]", "http: {get: /}"), Kind::Verb, "http");
}

#[test]
fn every_http_argument_of_a_check_is_read() {
    let client = check(
        "{client: {step: call, status: 200, statuses: [200, 503], interim: [100], headers: {x-once: once, server: present, x-none: absent, set-cookie: [a=1, b=2], x-id: {any: [a, b]}, via: \"1.* kuma\", x-true: true}, trailers: {x-t: 1}, body: ok, whole: true, wholes: 1, protocol: HTTP/1.1, answers: 1, requests: 2, pieces: {at_least: 3}, head_at: 0s..50ms, body_at: 1s, over_at: 2s}}",
    );
    assert_eq!(client.status, Some(Match::Any(vec![StatusMatch::Code(200)])));
    assert_eq!((client.statuses, client.interim), (Some(vec![200, 503]), Some(vec![100])));
    let values =
        |values: &[&str]| FieldMatch::Values(values.iter().map(|value| (*value).to_owned()).collect());
    let wanted: Vec<(&str, &FieldMatch)> =
        client.headers.iter().map(|(name, want)| (name.as_str(), want)).collect();
    assert_eq!(
        wanted,
        [
            ("x-once", &FieldMatch::Once),
            ("server", &FieldMatch::Present),
            ("x-none", &FieldMatch::Absent),
            ("set-cookie", &values(&["a=1", "b=2"])),
            ("x-id", &FieldMatch::Any(vec!["a".into(), "b".into()])),
            ("via", &values(&["1.* kuma"])),
            ("x-true", &values(&["true"])),
        ]
    );
    assert_eq!(client.trailers.get("x-t"), Some(&values(&["1"])));
    assert_eq!(client.body, Some(BytesMatch::Equal(Payload::Literal("ok".into()))));
    assert_eq!(client.protocol, Some(Match::Any(vec!["HTTP/1.1".into()])));
    assert_eq!((client.whole, client.wholes), (Some(true), Some(Count::Within(vec![(1, 1)]))));
    assert_eq!(
        (client.answers, client.requests),
        (Some(Count::Within(vec![(1, 1)])), Some(Count::Within(vec![(2, 2)])))
    );
    assert_eq!(client.pieces, Some(Count::Within(vec![(3, u64::MAX)])));
    let span = |from, to| Some(Span { from: Duration::from_millis(from), to: Duration::from_millis(to) });
    assert_eq!(
        (client.head_at, client.body_at, client.over_at),
        (span(0, 50), span(1000, 1000), span(2000, 2000))
    );
    let app = check(
        "{app: {step: call, method: GET, path: /, authority: \"127.0.0.1:20001\", headers: {x-id: {same_as_app: peer}}, gaps: [0s..25ms, 0s..50ms], status: {any: [502, 5xx]}}}",
    );
    assert_eq!(
        (app.method, app.path),
        (Some(Match::Any(vec!["GET".into()])), Some(Match::Any(vec!["/".into()])))
    );
    assert_eq!(app.authority, Some(Match::Any(vec!["127.0.0.1:20001".into()])));
    assert_eq!(app.headers.get("x-id"), Some(&FieldMatch::SameAsApp("peer".into())));
    assert_eq!(app.gaps.map(|gaps| gaps.len()), Some(2));
    assert_eq!(app.status, Some(Match::Any(vec![StatusMatch::Code(502), StatusMatch::Class(5)])));
    assert_eq!(check("{client: {step: call, status: absent}}").status, Some(Match::Absent));
}

#[test]
fn a_wire_is_asked_for_requests_and_fields() {
    let wire = |args: &str| {
        call("{get: /}")
            .replace("quiet: {connections: 0}", &format!("wire: {{link: web.proxy->backend.proxy, {args}}}"))
    };
    let case = one(&wire(
        "outer: mesh-tls, inner: http/2, requests: 1, headers: {\":path\": /, x-kuma-tags: absent}, answer_headers: {\":status\": 200}",
    ));
    let Check::Wire(WireCheck { inner, requests, headers, answer_headers, .. }) = &case.expect[0].checks[0]
    else {
        panic!("{case:?}")
    };
    assert_eq!(inner, &Some(Match::Any(vec!["http/2".into()])));
    assert_eq!(requests, &Some(Count::Within(vec![(1, 1)])));
    assert_eq!(headers.get_index(0), Some((&":path".to_owned(), &FieldMatch::Values(vec!["/".into()]))));
    assert_eq!(headers.get("x-kuma-tags"), Some(&FieldMatch::Absent));
    assert_eq!(answer_headers.get(":status"), Some(&FieldMatch::Values(vec!["200".into()])));
    error_at(&wire("headers: {\"::path\": /}"), Kind::Value, "\"::path\"");
}

#[test]
fn bad_http_arguments_of_checks_are_named() {
    let bad = |args: &str, kind, marked: &str| {
        let text = call("{get: /}").replace("quiet: {connections: 0}", args);
        error_at(&text, kind, marked)
    };
    bad("client: {step: call, status: 2000}", Kind::Value, "2000");
    bad("client: {step: call, status: 6xx}", Kind::Value, "6xx");
    bad("client: {step: call, status: {any: []}}", Kind::Value, "{any");
    bad("client: {step: call, headers: {X-A: 1}}", Kind::Value, "X-A");
    bad("client: {step: call, headers: {\":path\": /}}", Kind::Value, "\":path\"");
    bad("client: {step: call, headers: {a: []}}", Kind::Value, "[]");
    bad("client: {step: call, headers: {a: {same_as_app: moon}}}", Kind::Name, "moon");
    bad("client: {step: call, headers: {a: {same_as_app: web}}}", Kind::Name, "web");
    bad("client: {step: call, method: GET}", Kind::Check, "method");
    bad("client: {step: call, protocol: HTTP/3}", Kind::Value, "HTTP/3");
    suggests(&bad("client: {step: call, haeders: {a: b}}", Kind::Key, "haeders"), "headers");
}

#[test]
fn a_scripted_sidecar_has_an_identity_and_speaks_http2_to_inbounds() {
    let text = steps(
        "  - {from: peer, to: backend, http: {get: /}}\n  - {from: web, to: peer, http: {get: /}}\n  - {from: peer, to: backend.proxy, http: {get: /, version: 1}}",
    );
    let case = one(&text);
    let peer = &case.pods[1];
    assert_eq!(
        (peer.proxy, &peer.identity),
        (ProxyKind::Scripted, &Some(PodIdentity::Service("peer".into())))
    );
    assert!(matches!(&peer.app, Some(ServerScript::Http(app)) if app.version == HttpVersion::V2), "{peer:?}");
    let version = |index: usize| match &case.steps[index].verb {
        Verb::Talk { client, to, .. } => match &client.talk {
            Talk::Http(script) => (script.version, to.clone()),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    assert_eq!(version(0), (HttpVersion::V2, Target::Service("backend".into())));
    assert_eq!(version(1), (HttpVersion::V1, Target::Service("peer".into())));
    assert_eq!(version(2), (HttpVersion::V1, Target::Inbound("backend".into())));
    let plain = one(&text.replace("mtls: strict", "mtls: disabled"));
    assert_eq!(plain.pods[1].identity, None);
    let other = one(&text.replace("proxy: scripted", "proxy: scripted, identity: expired"));
    assert_eq!(other.pods[1].identity, Some(PodIdentity::Expired));
    error_at(&steps("  - {heal: web.proxy->peer.proxy}"), Kind::Name, "web.proxy->peer.proxy");
    one(&steps("  - {heal: web.proxy->peer}"));
    error_at(&steps("  - {proxy: {pod: peer, do: crash}}"), Kind::Name, "peer");
}

#[test]
fn bytes_are_read_until_some_come() {
    let raw = |read: &str| {
        steps(&format!(
            "  - {{from: web, to: backend, raw: [{{send: \"GET / HTTP/1.1\\r\\n\\r\\n\"}}, {{read: {read}}}]}}"
        ))
    };
    let case = one(&raw("{until: \"\\r\\n\\r\\n\"}"));
    let Verb::Talk { client, .. } = &case.steps[0].verb else { panic!("{case:?}") };
    let until = Some(bytes::Bytes::from_static(b"\r\n\r\n"));
    assert_eq!(
        client.talk.script().expect("actions on bytes").0[1],
        Action::Read(Read { until, ..Read::default() })
    );
    error_at(&raw("{until: \"\"}"), Kind::Value, "{until");
    error_at(&raw("{until: x, bytes: 3}"), Kind::Value, "{until");
}

#[test]
fn values_of_a_matrix_may_have_names() {
    let text = steps(
        "  - {from: web, to: backend, raw: [{send: $input}]}\n  - {wait: 1s, when: {input: [nul, two-lengths]}}",
    );
    let matrix = "for: {input: {two-lengths: \"a: 1, [b]\\r\\n\\r\\n\", nul: \"\\0\", frame: {hex: \"00 ff\"}, empty: \"\"}}";
    let cases = read(&format!("{matrix}\n{text}"));
    let names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names, ["t[input=two-lengths]", "t[input=nul]", "t[input=frame]", "t[input=empty]"]);
    let sent: Vec<Payload> = cases
        .iter()
        .map(|case| match &case.steps[0].verb {
            Verb::Talk { client, .. } => match client.talk.script().expect("actions on bytes").0.as_slice() {
                [Action::Send(send)] => send.payload.clone(),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        })
        .collect();
    let literal = |bytes: &'static [u8]| Payload::Literal(bytes::Bytes::from_static(bytes));
    assert_eq!(sent, [literal(b"a: 1, [b]\r\n\r\n"), literal(b"\0"), literal(b"\0\xff"), literal(b"")]);
    assert_eq!(cases.iter().map(|case| case.steps.len()).collect::<Vec<_>>(), [2, 2, 1, 1]);
    // A list has no names to give, and says how to.
    let error = error_at(
        &format!("for: {{input: [\"a b\"]}}\n{text}").replace(", two-lengths", "").replace("nul", "$input"),
        Kind::Matrix,
        "\"a b\"",
    );
    assert!(error.help[0].contains("name"), "{error:?}");
    error_at(
        &format!("for: {{input: {{\"a b\": x, nul: y, two-lengths: z}}}}\n{text}"),
        Kind::Matrix,
        "\"a b\"",
    );
    error_at(
        &format!("{matrix}\n{}", text.replace("$input", "\"${input}!\"")),
        Kind::Matrix,
        "\"${input}!\"",
    );
}
