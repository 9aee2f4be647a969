//! Hand-made scrapes; each argument passes and fails.

use std::time::Duration;

use super::*;
use crate::expect::{Run, Scrape, Slack};
use crate::language::{Mesh, Mtls, Scenario};
use crate::observe::dictionary::Dictionary;

const TEXT: &str = "# TYPE a_total counter\na_total{x=\"1\"} 2\na_total{x=\"2\"} 1\n# TYPE b gauge\nb 0.5\n";

fn dictionary() -> Dictionary {
    let yaml = "signals:\n  tcp.a: {families: [a_total]}\n  tcp.half: {families: [b]}\n  http.c: {families: [c]}\n  http.d: {families: [d_*]}\n";
    Dictionary::parse(yaml).expect("a dictionary")
}

fn scrape(step: Option<&str>, body: Result<&str, &str>) -> Scrape {
    let body = body.map(str::to_owned).map_err(str::to_owned);
    Scrape { at: 5, step: step.map(str::to_owned), host: "web.proxy".into(), body }
}

fn judge_all(scrapes: Vec<Scrape>, valid: Option<bool>, signals: &[(&str, Count)]) -> Answer {
    let run = Run {
        scenario: Scenario {
            name: "tcp/x".into(),
            file: "x.yaml".into(),
            about: String::new(),
            source: "".into(),
            large: false,
            worlds: None,
            deadline: Duration::from_secs(1),
            mesh: Mesh { mtls: Mtls::Strict, permissions: None },
            pods: Vec::new(),
            resources: Vec::new(),
            steps: Vec::new(),
            expect: Vec::new(),
        },
        observations: Vec::new(),
        wire: Vec::new(),
        scrapes,
        sockets: Vec::new(),
    };
    let signals = signals.iter().map(|(name, count)| ((*name).to_owned(), count.clone())).collect();
    let check = MetricsCheck { at: "web.proxy".into(), valid, signals };
    check.judge(&Moment {
        run: &run,
        step: None,
        until: 10,
        dictionaries: &dictionary().into(),
        slack: Slack::NONE,
    })
}

fn judge(body: &str, signals: &[(&str, Count)]) -> Answer {
    judge_all(vec![scrape(None, Ok(body))], None, signals)
}

fn exactly(n: u64) -> Count {
    Count::Within(vec![(n, n)])
}

fn passed() -> Answer {
    Answer::Judged(Vec::new())
}

/// The words of the only finding.
#[track_caller]
fn words(answer: Answer) -> (String, String, String) {
    match answer {
        Answer::Judged(findings) if findings.len() == 1 => {
            let Finding { what, expected, found, .. } = findings[0].clone();
            (what, expected, found)
        }
        other => panic!("{other:?}"),
    }
}

fn three(what: &str, expected: &str, found: &str) -> (String, String, String) {
    (what.to_owned(), expected.to_owned(), found.to_owned())
}

#[test]
fn signals_are_compared() {
    assert_eq!(judge(TEXT, &[("tcp.a", exactly(3)), ("http.c", Count::Absent)]), passed());
    assert_eq!(words(judge(TEXT, &[("tcp.a", exactly(2))])), three("metrics.tcp.a", "2", "3"));
    assert_eq!(words(judge(TEXT, &[("tcp.a", Count::Absent)])), three("metrics.tcp.a", "absent", "3"));
    assert_eq!(words(judge(TEXT, &[("http.c", exactly(1))])), three("metrics.http.c", "1", "no sample"));
    // Half a connection is no number of connections.
    let any = Count::Within(vec![(0, u64::MAX)]);
    assert_eq!(words(judge(TEXT, &[("tcp.half", any)])), three("metrics.tcp.half", "at least 0", "0.5"));
}

#[test]
fn a_counter_never_used_counts_as_zero() {
    assert_eq!(judge(TEXT, &[("http.c", exactly(0))]), passed());
    let zero = "# TYPE c counter\nc 0\n";
    assert_eq!(judge(zero, &[("http.c", exactly(0))]), passed());
    assert_eq!(words(judge(zero, &[("http.c", Count::Absent)])), three("metrics.http.c", "absent", "0"));
}

#[test]
fn patterns_stand_for_all_their_signals() {
    assert_eq!(judge(TEXT, &[("http.*", Count::Absent)]), passed());
    let text = "# TYPE d_e counter\nd_e 0\n";
    assert_eq!(
        words(judge(text, &[("http.*", Count::Absent)])),
        three("metrics.http.*", "absent", "http.d: 0")
    );
    let unknown = judge(TEXT, &[("grpc.*", Count::Absent)]);
    assert_eq!(unknown, Answer::NotRun("dictionary: no signal `grpc.*`".into()));
}

#[test]
fn absence_is_only_believed_after_presence() {
    let absent = [("http.c", Count::Absent)];
    assert_eq!(words(judge("", &absent)).2, "none, which shows nothing");
    assert_eq!(words(judge("# TYPE c counter\n", &absent)).2, "none, which shows nothing");
    let failed = judge_all(vec![scrape(None, Err("connection refused"))], None, &absent);
    assert_eq!(words(failed), three("metrics", "an answer to the scrape", "none: connection refused"));
    let other = judge_all(vec![scrape(Some("earlier"), Ok(TEXT))], None, &absent);
    assert_eq!(other, Answer::NotRun("web.proxy was not scraped at this moment".into()));
}

#[test]
fn the_last_scrape_of_the_moment_counts() {
    let at = |at, body| Scrape { at, ..scrape(None, Ok(body)) };
    let later = "# TYPE a_total counter\na_total 9\n";
    let judge = |scrapes| judge_all(scrapes, None, &[("tcp.a", exactly(9))]);
    assert_eq!(judge(vec![at(5, TEXT), at(6, later)]), passed());
    // The moment ends at 10: the scrape that it asks for takes some time itself.
    assert_eq!(judge(vec![at(5, TEXT), at(11, later)]), passed());
}

#[test]
fn validity() {
    let judge = |body, valid| judge_all(vec![scrape(None, Ok(body))], valid, &[]);
    assert_eq!(judge(TEXT, Some(true)), passed());
    let broken = "# TYPE a counter\na 1\na 1\n";
    let found = words(judge(broken, Some(true)));
    assert_eq!(
        found,
        three("metrics.valid", "valid Prometheus text", "line 3: `a` twice with the same labels")
    );
    assert_eq!(judge(broken, Some(false)), passed());
    assert_eq!(words(judge(TEXT, Some(false))).0, "metrics.valid");
    // What can't be read can't hold either.
    assert_eq!(
        words(judge_all(vec![scrape(None, Ok(broken))], None, &[("tcp.a", exactly(3))])).0,
        "metrics.valid"
    );
}

#[test]
fn counts_in_words() {
    let two = Count::Within(vec![(0, 0), (3, 6)]);
    assert_eq!(describe(&two), "0 or 3 to 6");
    assert_eq!(describe(&Count::Within(vec![(3, u64::MAX), (0, 2)])), "at least 3 or at most 2");
}
