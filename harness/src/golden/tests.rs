use super::{Difference, Golden, GoldenError};
use crate::sim::capture::TraceHash;

fn hash(packets: char, schedule: char, count: u64) -> TraceHash {
    let digest = |digit: char| digit.to_string().repeat(64);
    TraceHash { packets: digest(packets), schedule: digest(schedule), count }
}

fn golden() -> Golden {
    let mut golden = Golden::default();
    golden.set("tls/b[x=1 2]", hash('c', 'd', 7));
    golden.set("tcp/a", hash('a', 'b', 12));
    golden
}

#[test]
fn what_is_written_is_read_again() {
    let text = golden().to_string();
    assert_eq!(
        text,
        format!(
            "tcp/a {} {} 12\ntls/b[x=1 2] {} {} 7\n",
            "a".repeat(64),
            "b".repeat(64),
            "c".repeat(64),
            "d".repeat(64)
        )
    );
    assert_eq!(Golden::parse(&text).ok(), Some(golden()));
}

#[test]
fn each_part_of_a_line_counts() {
    let golden = golden();
    assert_eq!(golden.compare("tcp/a", &hash('a', 'b', 12)), None);
    for found in [hash('0', 'b', 12), hash('a', '0', 12), hash('a', 'b', 13)] {
        let difference = golden.compare("tcp/a", &found);
        assert!(matches!(difference, Some(Difference::Changed { .. })), "{difference:?}");
    }
    assert!(matches!(golden.compare("tcp/b", &hash('a', 'b', 12)), Some(Difference::New { .. })));
}

#[test]
fn a_change_of_bytes_alone_is_told_from_one_of_times() {
    let words = |found| golden().compare("tcp/a", &found).map(|difference| difference.to_string());
    assert!(words(hash('0', 'b', 12)).is_some_and(|words| words.contains("other bytes")));
    assert!(words(hash('0', '1', 12)).is_some_and(|words| words.contains("other times")));
}

#[test]
fn a_case_that_was_not_played_is_gone_only_when_all_were_to_be_played() {
    let report = golden().report([]);
    assert_eq!(report.unplayed, ["tcp/a", "tls/b[x=1 2]"]);
    assert!(report.holds(false));
    assert!(!report.holds(true));
    assert_eq!(report.words(false), "");
    assert!(report.words(true).contains("tcp/a: has golden hashes, but is gone"));
}

#[test]
fn what_is_no_line_is_refused_with_its_place() {
    let (a, b) = ("a".repeat(64), "b".repeat(64));
    for bad in [
        "",
        "x",
        &format!("x {a} {b}"),
        &format!("x {a} {b} -1"),
        &format!(" {a} {b} 1"),
        &format!("x A{a} {b} 1"),
    ] {
        let parsed = Golden::parse(&format!("n {a} {b} 1\n{bad}\n"));
        assert!(matches!(parsed, Err(GoldenError::Line { line: 2, .. })), "{bad}: {parsed:?}");
    }
    let twice = Golden::parse(&format!("n {a} {b} 1\nn {a} {b} 1\n"));
    assert!(matches!(twice, Err(GoldenError::Order { line: 2, .. })), "{twice:?}");
}
