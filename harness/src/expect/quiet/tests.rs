use std::collections::BTreeMap;

use super::*;
use crate::expect::testing::{Story, only, whats};

fn story() -> Story {
    let mut story = Story::new(&["call"]);
    let count = |host: &str, states: &[(&str, u32)]| SocketCount {
        at: 0,
        step: None,
        host: host.into(),
        by_state: states.iter().map(|(state, n)| ((*state).into(), *n)).collect::<BTreeMap<_, _>>(),
    };
    story.run.sockets =
        vec![count("web.proxy", &[("ESTABLISHED", 2), ("CLOSE_WAIT", 1), ("LISTEN", 3)]), count("web", &[])];
    story
}

fn exactly(n: u64) -> Option<Count> {
    Some(Count::Within(vec![(n, n)]))
}

#[test]
fn counts_connections_and_listeners_of_each_host() {
    let story = story();
    let at = |host: &str, connections, listeners| {
        QuietCheck { at: vec![host.into()], connections, listeners }.judge(&story.moment(None))
    };
    assert_eq!(at("web.proxy", exactly(3), exactly(3)), Answer::Judged(Vec::new()));
    assert_eq!(at("web", exactly(0), exactly(0)), Answer::Judged(Vec::new()));
    assert_eq!(whats(&at("web.proxy", exactly(0), exactly(3))), ["quiet.connections (web.proxy)"]);
    let finding = only(at("web.proxy", None, exactly(2)));
    assert_eq!(finding.what, "quiet.listeners (web.proxy)");
    assert_eq!(finding.found, "CLOSE_WAIT: 1, ESTABLISHED: 2, LISTEN: 3");
}

#[test]
fn no_host_named_means_all() {
    let story = story();
    let check = QuietCheck { at: Vec::new(), connections: exactly(0), listeners: None };
    assert_eq!(whats(&check.judge(&story.moment(None))), ["quiet.connections (web.proxy)"]);
}

#[test]
fn what_was_not_counted_is_not_quiet() {
    let story = story();
    let check = QuietCheck { at: vec!["nowhere".into()], connections: exactly(0), listeners: None };
    assert_eq!(whats(&check.judge(&story.moment(None))), ["quiet.at"]);
    assert!(matches!(check.judge(&story.moment(Some("call"))), Answer::NotRun(_)));
}

#[test]
fn what_cannot_be_counted_is_not_judged() {
    let mut story = story();
    story.world_sees(Seen::Uncounted { host: "web.proxy".into(), why: "not permitted".into() });
    let at = |host: &[&str]| {
        let at = host.iter().map(|host| (*host).to_owned()).collect();
        QuietCheck { at, connections: exactly(0), listeners: None }.judge(&story.moment(None))
    };
    let not_run = Answer::NotRun("web.proxy: not permitted".to_owned());
    assert_eq!(at(&["web.proxy"]), not_run);
    assert_eq!(at(&[]), not_run);
    assert_eq!(at(&["web"]), Answer::Judged(Vec::new()));
}
