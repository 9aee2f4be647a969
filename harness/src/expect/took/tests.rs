use std::time::Duration;

use super::*;
use crate::expect::testing::{Story, only};
use crate::language::value::Span;

fn check(from: u64, to: u64) -> TookCheck {
    let span = Span { from: Duration::from_millis(from), to: Duration::from_millis(to) };
    TookCheck { step: "call".into(), span }
}

#[test]
fn a_step_takes_as_long_as_it_does_both_ends_included() {
    let mut story = Story::new(&["call"]);
    story.wait(100);
    story.whole_call("call", b"", b"");
    for (from, to) in [(20, 20), (0, 20), (20, 30)] {
        assert_eq!(check(from, to).judge(&story.moment(None)), Answer::Judged(Vec::new()));
    }
    for (from, to) in [(0, 19), (21, 30)] {
        let finding = only(check(from, to).judge(&story.moment(None)));
        assert_eq!((finding.what.as_str(), finding.found.as_str()), ("took", "20ms"));
    }
}

#[test]
fn a_step_that_never_ended_took_no_time_at_all() {
    let mut story = Story::new(&["call"]);
    story.begin("call");
    assert_eq!(only(check(0, 1_000).judge(&story.moment(None))).found, "it began and did not end");
}
