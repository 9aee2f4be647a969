use super::*;
use crate::expect::testing::{Story, accepted, connected, only, totals, whats};
use crate::observe::Seen;
use crate::observe::observation::End;

fn check(app_got: Option<Sameness>, client_got: Option<Sameness>) -> BytesCheck {
    BytesCheck { step: Some("call".into()), app_got, client_got }
}

const SAME: Option<Sameness> = Some(Sameness::Identical);
const NOTHING: Option<Sameness> = Some(Sameness::Nothing);

/// Calls at once: what each client sent and got; what each app got and sent.
fn calls(clients: &[(&str, &str)], apps: &[(&str, &str)]) -> Story {
    let mut story = Story::new(&["call"]);
    story.begin("call");
    for (conn, (sent, got)) in (0..).zip(clients) {
        story.client("call", conn, connected());
        story.client("call", conn, Seen::Ended(totals(sent.as_bytes(), got.as_bytes())));
    }
    for (conn, (got, sent)) in (0..).zip(apps) {
        story.app(conn, accepted());
        story.app(conn, Seen::Ended(totals(sent.as_bytes(), got.as_bytes())));
    }
    story.end("call");
    story
}

#[test]
fn identical_flows_are_identical() {
    let story = calls(&[("ping", "pong")], &[("ping", "pong")]);
    assert_eq!(check(SAME, SAME).judge(&story.moment(None)), Answer::Judged(Vec::new()));
}

#[test]
fn a_changed_byte_is_found_with_its_place() {
    let story = calls(&[("ping", "pong")], &[("pinG", "pong")]);
    let finding = only(check(SAME, SAME).judge(&story.moment(None)));
    assert_eq!(finding.what, "bytes.app_got");
    assert!(finding.found.ends_with("differs at byte 3"), "{}", finding.found);
    assert_eq!(whats(&check(None, SAME).judge(&story.moment(None))), [""; 0]);
    let story = calls(&[("ping", "pong!")], &[("ping", "pong")]);
    assert_eq!(whats(&check(SAME, SAME).judge(&story.moment(None))), ["bytes.client_got"]);
}

#[test]
fn connections_are_paired_by_what_passed() {
    let clients = [("a", "A"), ("b", "B"), ("c", "C")];
    let other_order = [("c", "C"), ("a", "A"), ("b", "B")];
    assert_eq!(whats(&check(SAME, SAME).judge(&calls(&clients, &other_order).moment(None))), [""; 0]);
    // Answers swapped between two connections: each direction alone would look fine.
    let swapped = [("a", "B"), ("b", "A"), ("c", "C")];
    assert_eq!(whats(&check(SAME, SAME).judge(&calls(&clients, &swapped).moment(None))).len(), 2);
}

#[test]
fn each_end_needs_its_other() {
    let story = calls(&[("a", ""), ("a", "")], &[("a", "")]);
    assert_eq!(only(check(SAME, None).judge(&story.moment(None))).found, "none");
    let story = calls(&[("a", "")], &[("a", ""), ("a", "")]);
    assert!(only(check(SAME, None).judge(&story.moment(None))).found.starts_with("one more"));
    let story = calls(&[], &[]);
    assert_eq!(whats(&check(SAME, None).judge(&story.moment(None))), ["bytes"]);
}

#[test]
fn nothing_is_not_one_byte() {
    let story = calls(&[("ping", "")], &[("", "")]);
    assert_eq!(whats(&check(NOTHING, NOTHING).judge(&story.moment(None))), [""; 0]);
    let story = calls(&[("ping", "")], &[]);
    assert_eq!(whats(&check(NOTHING, NOTHING).judge(&story.moment(None))), [""; 0]);
    let story = calls(&[("ping", "x")], &[("p", "")]);
    assert_eq!(
        whats(&check(NOTHING, NOTHING).judge(&story.moment(None))),
        ["bytes.app_got", "bytes.client_got"]
    );
}

#[test]
fn a_connection_without_totals_is_a_finding() {
    let mut story = Story::new(&["call"]);
    story.begin("call");
    story.client("call", 0, connected());
    story.end("call");
    assert_eq!(whats(&check(SAME, None).judge(&story.moment(None))), ["bytes (client's connection 0)"]);
}

#[test]
fn a_held_connection_counts_to_its_end_in_a_later_step() {
    let mut story = Story::new(&["call", "more"]);
    story.run.scenario.steps[1].verb = Verb::GoOn {
        on: "call".into(),
        client: crate::language::ClientScript {
            tls: None,
            talk: crate::language::Talk::Bytes(Default::default()),
            connections: 1,
        },
        hold: false,
    };
    story.begin("call");
    story.client("call", 0, connected());
    story.app(0, accepted());
    let held = Ended { end: End::Open, ..totals(b"one", b"") };
    story.client("call", 0, Seen::Ended(held));
    story.end("call");
    story.begin("more");
    story.client("more", 0, Seen::Ended(totals(b"onetwo", b"")));
    story.app(0, Seen::Ended(totals(b"", b"onetwo")));
    story.end("more");
    assert_eq!(whats(&check(SAME, SAME).judge(&story.moment(None))), [""; 0]);
    let nested = BytesCheck { step: None, ..check(SAME, SAME) };
    assert_eq!(whats(&nested.judge(&story.moment(Some("more")))), [""; 0]);
}
