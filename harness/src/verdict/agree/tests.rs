use super::*;
use crate::expect::Scrape;
use crate::expect::testing::{Story, accepted, connected};
use crate::language::http::{HttpApp, HttpScript, HttpVersion};
use crate::language::{
    ClientScript, Condition, Direction, Fault, Link, ServerScript, Step, Talk, Target, Verb, When,
};
use crate::observe::Seen;
use crate::observe::dictionary::Dictionary;
use crate::observe::observation::{HttpEvent, RequestHead, ResponseHead};

fn dictionary() -> Dictionary {
    let signals = [REQUESTS, ATTEMPTS, RETRIES, CONNECTIONS]
        .map(|signal| format!("  {signal}: {{families: [{}]}}\n", signal.replace('.', "_")));
    Dictionary::parse(&format!("signals:\n{}", signals.concat())).expect("a dictionary")
}

/// `web` asks `backend`, whose service is tagged http, `statuses.len()` times on one connection.
fn asked(statuses: &[u16]) -> Story {
    let mut story = Story::new(&["ask"]);
    let script = HttpScript { version: HttpVersion::V1, requests: Vec::new(), at_once: false };
    let client = ClientScript { tls: None, talk: Talk::Http(script), connections: 1 };
    let to = Target::Service("backend".into());
    story.run.scenario.steps[0].verb = Verb::Talk { from: "web".into(), to, client, times: 1, hold: false };
    let backend = &mut story.run.scenario.pods[1];
    backend.protocol = Some("http".into());
    backend.app = Some(ServerScript::Http(HttpApp { version: HttpVersion::V1, routes: Vec::new() }));
    story.client("ask", 0, connected());
    for (exchange, status) in (0..).zip(statuses) {
        let http = |event| Seen::Http { exchange, event };
        let answer = ResponseHead { status: *status, ..ResponseHead::default() };
        story.client("ask", 0, http(HttpEvent::Request(RequestHead::default())));
        story.app(0, http(HttpEvent::Request(RequestHead::default())));
        story.app(0, http(HttpEvent::Response(answer.clone())));
        story.client("ask", 0, http(HttpEvent::Response(answer)));
    }
    story
}

/// What a sidecar shows at the end.
fn shows(story: &mut Story, pod: &str, counts: &[(&str, u64)]) {
    let line = |(signal, n): &(&str, u64)| {
        let name = signal.replace('.', "_");
        format!("# TYPE {name} counter\n{name} {n}\n")
    };
    // Something is always counted: an empty text shows nothing.
    let body = "# TYPE up gauge\nup 1\n".to_owned() + &counts.iter().map(line).collect::<String>();
    story.run.scrapes.push(Scrape { at: 0, step: None, host: format!("{pod}.proxy"), body: Ok(body) });
}

/// The signals and sidecars of the findings.
fn told(story: &Story) -> Vec<String> {
    judge(&story.run, &dictionary().into(), &Declared::default())
        .findings
        .into_iter()
        .map(|finding| finding.what)
        .collect()
}

/// Three requests, counted so at the caller's and the callee's sidecar.
fn counted(statuses: &[u16], caller: [u64; 2], callee: [u64; 2]) -> Story {
    let mut story = asked(statuses);
    shows(&mut story, "web", &[(REQUESTS, caller[0]), (ATTEMPTS, caller[1])]);
    shows(&mut story, "backend", &[(REQUESTS, callee[0]), (ATTEMPTS, callee[1])]);
    story
}

#[test]
fn books_that_are_not_shown_are_not_taken_for_equal() {
    let shown = |body: Result<&str, &str>, features: &[&str]| {
        let mut story = asked(&[200]);
        let body = body.map(str::to_owned).map_err(str::to_owned);
        story.run.scrapes.push(Scrape { at: 0, step: None, host: "web.proxy".to_owned(), body });
        let features = Some(features.iter().map(|feature| (*feature).to_owned()).collect());
        let declared = Declared { features, ..Declared::default() };
        judge(&story.run, &dictionary().into(), &declared)
    };
    let late = "no answer within 10 s";
    let judged = shown(Err(late), &["metrics"]);
    assert_eq!(judged.verdict, Verdict::Fail, "{judged:?}");
    assert_eq!(judged.findings[0].what, "metrics (web.proxy)");
    assert_eq!(judged.findings[0].found, late);
    assert_eq!(shown(Ok("} nonsense {"), &["metrics"]).verdict, Verdict::Fail);
    let why = |why: &str| Verdict::NotRun(format!("web.proxy shows no metrics: {why}"));
    assert_eq!(shown(Err(late), &["tcp"]).verdict, why(late), "it claims none");
    assert_eq!(shown(Ok(""), &["metrics"]).verdict, why("no sample"));
}

#[test]
fn equal_books_agree() {
    let story = counted(&[200, 404, 200], [3, 3], [3, 3]);
    assert_eq!(judge(&story.run, &dictionary().into(), &Declared::default()).verdict, Verdict::Pass);
}

#[test]
fn each_count_is_compared() {
    assert_eq!(told(&counted(&[200; 3], [2, 3], [3, 3])), ["http.requests (web.proxy)"]);
    assert_eq!(told(&counted(&[200; 3], [4, 3], [3, 3])), ["http.requests (web.proxy)"]);
    assert_eq!(told(&counted(&[200; 3], [3, 4], [3, 3])), ["http.requests (backend.proxy)"]);
    assert_eq!(told(&counted(&[200; 3], [3, 3], [4, 3])), ["http.requests (backend.proxy)"]);
    assert_eq!(told(&counted(&[200; 3], [3, 3], [3, 2])), ["upstream.requests (backend.proxy)"]);
    assert_eq!(told(&counted(&[200; 3], [3, 3], [3, 4])), ["upstream.requests (backend.proxy)"]);
}

#[test]
fn findings_name_both_numbers() {
    let judged = judge(&counted(&[200; 3], [2, 3], [3, 3]).run, &dictionary().into(), &Declared::default());
    assert_eq!(judged.verdict, Verdict::Fail);
    assert_eq!(judged.findings[0].expected, "3, as many as clients of web made");
    assert_eq!(judged.findings[0].found, "2 counted at web.proxy");
}

#[test]
fn failures_and_retries_leave_inequalities() {
    // The app saw three requests; more were tried.
    assert_eq!(told(&counted(&[200, 503, 200], [3, 9], [8, 5])), [""; 0]);
    assert_eq!(told(&counted(&[200, 503, 200], [3, 2], [8, 2])).len(), 2);
    let mut retried = counted(&[200; 3], [3, 5], [4, 3]);
    assert_eq!(told(&retried).len(), 1);
    retried.run.scrapes.clear();
    shows(&mut retried, "web", &[(REQUESTS, 3), (ATTEMPTS, 5), (RETRIES, 2)]);
    shows(&mut retried, "backend", &[(REQUESTS, 4), (ATTEMPTS, 3)]);
    assert_eq!(told(&retried), [""; 0]);
}

#[test]
fn a_request_that_was_not_read_may_be_missing() {
    assert_eq!(told(&counted(&[431, 200], [1, 2], [2, 2])), [""; 0]);
    assert_eq!(told(&counted(&[404, 200], [1, 2], [2, 2])), ["http.requests (web.proxy)"]);
}

#[test]
fn faults_leave_inequalities() {
    let mut story = counted(&[200; 3], [3, 4], [3, 4]);
    assert_eq!(told(&story).len(), 2);
    let link = Link { from: "web.proxy".into(), to: "backend.proxy".into() };
    let fault = Fault { link, direction: Direction::Both, condition: Condition::Hold, when: When::Now };
    story.run.scenario.steps.push(Step {
        id: "f".into(),
        after: std::time::Duration::ZERO,
        verb: Verb::Fault(fault),
        expect: Vec::new(),
    });
    assert_eq!(told(&story), [""; 0]);
}

#[test]
fn a_sidecar_that_was_restarted_is_left_out() {
    let mut story = counted(&[200; 3], [0, 0], [3, 3]);
    assert_eq!(told(&story).len(), 2);
    let verb = Verb::Proxy { pod: "web".into(), act: crate::language::ProxyAct::Crash };
    story.run.scenario.steps.push(Step {
        id: "p".into(),
        after: std::time::Duration::ZERO,
        verb,
        expect: Vec::new(),
    });
    assert_eq!(told(&story), [""; 0]);
}

#[test]
fn an_answer_too_many_shows() {
    let mut story = counted(&[200], [1, 1], [1, 1]);
    let event = HttpEvent::Response(ResponseHead { status: 200, ..ResponseHead::default() });
    story.client("ask", 0, Seen::Http { exchange: 1, event });
    assert!(told(&story).contains(&"answers (step ask)".to_owned()), "{:?}", told(&story));
}

#[test]
fn without_the_signals_it_is_not_run() {
    let story = counted(&[200], [1, 1], [1, 1]);
    let judged = judge(&story.run, &Dictionaries::default(), &Declared::default());
    assert!(matches!(judged.verdict, Verdict::NotRun(_)), "{judged:?}");
}

#[test]
fn opaque_connections_are_compared() {
    let story = |counted| {
        let mut story = Story::new(&["call"]);
        story.client("call", 0, connected());
        story.app(0, accepted());
        shows(&mut story, "backend", &[(CONNECTIONS, counted)]);
        story
    };
    assert_eq!(told(&story(1)), [""; 0]);
    assert_eq!(told(&story(0)), ["tcp.connections (backend.proxy)"]);
    assert_eq!(told(&story(2)), ["tcp.connections (backend.proxy)"]);
    // A connection that did not reach the app may be counted or not.
    let mut refused = story(2);
    refused.client("call", 1, connected());
    assert_eq!(told(&refused), [""; 0]);
}
