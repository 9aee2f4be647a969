//! Each form passes and fails.

use super::*;
use crate::expect::testing::Story;
use crate::observe::observation::RequestHead;

fn fields(lines: &[(&str, &str)]) -> Vec<(String, String)> {
    lines.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn values(values: &[&str]) -> FieldMatch {
    FieldMatch::Values(values.iter().map(|value| (*value).to_owned()).collect())
}

/// Whether the lines of a field are as wanted; a line of another field stands between them.
fn fits(wanted: &FieldMatch, name: &str, lines: &[&str]) -> bool {
    let mut all = vec![("x-other", "other")];
    for line in lines {
        all.extend([(name, *line), ("x-other", "other")]);
    }
    judge(wanted, name, &fields(&all)).is_none()
}

#[test]
fn how_many_lines() {
    for (lines, absent, present, once) in [
        (&[][..], true, false, false),
        (&[""][..], false, true, true),
        (&["a"][..], false, true, true),
        (&["a", "a"][..], false, true, false),
    ] {
        assert_eq!(fits(&FieldMatch::Absent, "x-a", lines), absent, "{lines:?}");
        assert_eq!(fits(&FieldMatch::Present, "x-a", lines), present, "{lines:?}");
        assert_eq!(fits(&FieldMatch::Once, "x-a", lines), once, "{lines:?}");
    }
}

#[test]
fn a_word_is_one_value() {
    let word = values(&["a, b"]);
    assert!(fits(&word, "x-a", &["a, b"]));
    for lines in [&[][..], &["a,b"], &["a", "b"], &["a, b", "a, b"], &["a, b, c"], &["A, b"]] {
        assert!(!fits(&word, "x-a", lines), "{lines:?}");
    }
}

#[test]
fn values_may_share_lines() {
    let three = values(&["one", "two", "three"]);
    for lines in
        [&["one", "two", "three"][..], &["one, two, three"], &["one,two ,  three"], &["one, two", "three"]]
    {
        assert!(fits(&three, "x-a", lines), "{lines:?}");
    }
    for lines in [
        &["one, two"][..],
        &["one", "three", "two"],
        &["one, two, three, four"],
        &["one, two, three", ""],
        &["one; two; three"],
        &["one two three"],
    ] {
        assert!(!fits(&three, "x-a", lines), "{lines:?}");
    }
}

#[test]
fn cookies_are_joined_by_semicolons_and_set_cookie_is_not() {
    let two = values(&["a=1", "b=2"]);
    assert!(fits(&two, "cookie", &["a=1; b=2"]));
    assert!(fits(&two, "cookie", &["a=1", "b=2"]));
    assert!(!fits(&two, "cookie", &["a=1, b=2"]));
    assert!(fits(&two, "set-cookie", &["a=1", "b=2"]));
    assert!(!fits(&two, "set-cookie", &["a=1, b=2"]));
    assert!(!fits(&two, "set-cookie", &["a=1; b=2"]));
}

#[test]
fn stars() {
    for (pattern, text, same) in [
        ("1.* kuma", "1.1 kuma", true),
        ("1.* kuma", "1. kuma", true),
        ("1.* kuma", "2.1 kuma", false),
        ("1.* kuma", "1.1 kumas", false),
        ("*", "", true),
        ("*", "anything", true),
        ("a*b*c", "a-b-b-c", true),
        ("a*b*c", "a-c-b", false),
        ("ab*ba", "aba", false),
        ("*a*", "bab", true),
        ("**", "x", true),
        ("20??", "2004", true),
        ("20??", "20", false),
        ("20??", "20045", false),
        ("*?", "", false),
        ("a?*", "ab", true),
        ("", "", true),
        ("", "x", false),
    ] {
        assert_eq!(glob(pattern, text), same, "{pattern} {text}");
    }
    assert!(fits(&values(&["text/*", "*"]), "accept", &["text/html, text/plain"]));
}

#[test]
fn one_of_several() {
    let any = FieldMatch::Any(vec!["a".into(), "b*".into()]);
    assert!(fits(&any, "x-a", &["a"]));
    assert!(fits(&any, "x-a", &["bc"]));
    for lines in [&[][..], &["c"], &["a", "a"], &["a, b"]] {
        assert!(!fits(&any, "x-a", lines), "{lines:?}");
    }
}

#[test]
fn findings_say_what_was_there() {
    let seen = fields(&[("x-a", "one"), ("x-a", "two")]);
    let words = |wanted: &FieldMatch, name| judge(wanted, name, &seen).expect("a finding");
    assert_eq!(words(&FieldMatch::Absent, "x-a"), ("absent".to_owned(), "\"one\" and \"two\"".to_owned()));
    assert_eq!(words(&values(&["a", "b"]), "x-b"), ("\"a\" and \"b\"".to_owned(), "none".to_owned()));
}

#[test]
fn the_same_as_an_app_got() {
    let request = |id: &[&str]| {
        let headers = id.iter().map(|id| ("x-request-id".to_owned(), (*id).to_owned())).collect();
        let head = RequestHead { headers, ..RequestHead::default() };
        Seen::Http { exchange: 0, event: HttpEvent::Request(head) }
    };
    let wanted = FieldMatch::SameAsApp("backend".into());
    let judged = |apps: &[&[&str]], here: &[&str]| {
        let mut story = Story::new(&["call"]);
        for (id, conn) in apps.iter().zip(0..) {
            story.app(conn, request(id));
        }
        // What a client asked is no concern.
        story.client("call", 0, request(&["client's"]));
        let here: Vec<_> = here.iter().map(|id| ("x-request-id", *id)).collect();
        judge_seen(&story.moment(None), &wanted, "x-request-id", &fields(&here))
    };
    assert_eq!(judged(&[&["a"]], &["a"]), None);
    assert_eq!(judged(&[&["a"], &["a"]], &["a"]), None);
    let found = |apps: &[&[&str]], here: &[&str]| judged(apps, here).expect("a finding").1;
    assert_eq!(found(&[&["a"], &["b"]], &["a"]), "\"a\"; the app of backend got \"b\"");
    assert_eq!(found(&[&["a"], &[]], &["a"]), "\"a\"; the app of backend got none");
    assert_eq!(found(&[], &["a"]), "\"a\"; the app of backend got no request");
    assert_eq!(found(&[&[]], &[]), "none");
    assert_eq!(found(&[&["a", "a"]], &["a", "a"]), "\"a\" and \"a\"");
    // It takes what apps saw to tell.
    assert!(!fits(&wanted, "x-request-id", &["a"]));
}
