use std::net::{Ipv4Addr, SocketAddrV4};

use super::{Draw, Packet, Trail, compare};
use crate::expect::{Scrape, SocketCount};
use crate::observe::{Observation, Role, Seen};
use crate::sim::capture::TraceHash;

fn packet(at: u64, payload: &str) -> Packet {
    let end = |last| SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, last), 4000);
    Packet {
        at,
        link: 0,
        forward: true,
        src: end(1),
        dst: end(2),
        flags: 24,
        seq: 1,
        ack: 2,
        window: 65535,
        len: 1,
        head: hex::decode(payload).unwrap_or_default(),
        digest: 0xd1_9e57,
        dropped: false,
    }
}

fn draw(index: u64, value: u64) -> Draw {
    Draw { index, stream: "link a->b".to_owned(), bound: 10, value }
}

fn did(at: u64, what: &str) -> Observation {
    let seen = Seen::Did { what: what.to_owned() };
    Observation { at, pod: String::new(), role: Role::World, step: None, conn: None, seen }
}

/// A play of three packets and ten draws.
fn trail() -> Trail {
    Trail {
        name: "tcp/a".to_owned(),
        seed: 7,
        hash: Some(TraceHash { packets: "p".to_owned(), schedule: "s".to_owned(), count: 3 }),
        links: vec!["web.proxy->backend.proxy".to_owned()],
        packets: vec![packet(1, "aa"), packet(2_000_000, "bb"), packet(3_000_000, "cc")],
        draw_count: 10,
        draws: (0..10).map(|index| draw(index, index)).collect(),
        observations: vec![did(1, "began"), did(2, "ended")],
        scrapes: vec![Scrape {
            at: 9,
            step: None,
            host: "web.proxy".to_owned(),
            body: Ok("up 1\nx 2\n".to_owned()),
        }],
        sockets: vec![SocketCount {
            at: 9,
            step: None,
            host: "web".to_owned(),
            by_state: Default::default(),
        }],
        verdict: "{\n  \"verdict\": \"pass\"\n}".to_owned(),
    }
}

/// What is said of the first trail and one that this changed.
fn told(change: impl FnOnce(&mut Trail)) -> String {
    let mut other = trail();
    change(&mut other);
    compare(&trail(), &other).map(|difference| difference.to_string()).unwrap_or_default()
}

#[test]
fn the_same_is_the_same() {
    assert_eq!(compare(&trail(), &trail()), None);
}

#[test]
fn the_first_other_packet_is_shown_with_the_one_before() {
    let text = told(|trail| {
        trail.packets[1] = packet(2_500_000, "bd");
        trail.packets[2] = packet(9, "cc");
    });
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    assert_eq!(lines[0], "tcp/a seed 7: two plays differ");
    assert_eq!(lines[1], "packet 1, in its time, payload");
    let of = |time: &str, head: &str| {
        format!(
            "{time} s  web.proxy->backend.proxy  10.0.0.1:4000 > 10.0.0.2:4000  PSH ACK seq 1 ack 2 window 65535 len 1  {head}"
        )
    };
    assert!(
        lines[2].strip_prefix("both    ").is_some_and(|line| line.starts_with(&of("0.000000001", "aa"))),
        "{text}"
    );
    assert!(
        lines[3].strip_prefix("first   ").is_some_and(|line| line.starts_with(&of("0.002000000", "bb"))),
        "{text}"
    );
    assert!(
        lines[4].strip_prefix("second  ").is_some_and(|line| line.starts_with(&of("0.002500000", "bd"))),
        "{text}"
    );
    assert!(lines[5].starts_with("note: all random draws are the same"), "{text}");
}

#[test]
fn a_packet_that_one_has_more_is_shown() {
    let text = told(|trail| {
        trail.packets.pop();
        trail.draws[9].value = 0;
    });
    assert!(text.contains("packet 2, which only one has"), "{text}");
    assert!(text.contains("second  (no more)"), "{text}");
    assert!(!text.contains("note:"), "{text}");
}

#[test]
fn a_trace_that_differs_beyond_what_was_kept_is_told() {
    let text =
        told(|trail| trail.hash = Some(TraceHash { packets: "q".into(), schedule: "s".into(), count: 3 }));
    assert!(text.contains("the same as far as they were kept"), "{text}");
}

#[test]
fn the_first_other_draw_is_shown_with_the_five_before() {
    let text = told(|trail| {
        trail.draws[8].value = 0;
        trail.draws[9].value = 0;
    });
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let expected = [
        "random draw 8",
        "both    #3  link a->b: 3 below 10",
        "both    #4  link a->b: 4 below 10",
        "both    #5  link a->b: 5 below 10",
        "both    #6  link a->b: 6 below 10",
        "both    #7  link a->b: 7 below 10",
        "first   #8  link a->b: 8 below 10",
        "second  #8  link a->b: 0 below 10",
    ];
    assert_eq!(lines[1..], expected);
}

#[test]
fn draws_are_compared_where_both_are_remembered() {
    let mut first = trail();
    first.draws.drain(..4);
    let mut second = trail();
    second.draws.drain(..2);
    second.draws.push(draw(10, 1));
    second.draw_count = 11;
    let text = compare(&first, &second).map(|difference| difference.to_string()).unwrap_or_default();
    assert!(text.contains("random draw 10\n"), "{text}");
    assert!(text.contains("first   (no more)"), "{text}");
    second.draws[2].value = 9;
    let text = compare(&first, &second).map(|difference| difference.to_string()).unwrap_or_default();
    assert!(text.contains("random draw 4 or earlier: those before are not remembered"), "{text}");
}

#[test]
fn all_else_counts_too() {
    let text = told(|trail| trail.observations[1] = did(2, "fell over"));
    assert!(text.contains("observation 1\n") && text.contains("fell over"), "{text}");
    let text = told(|trail| trail.scrapes[0].body = Ok("up 1\nx 3\n".to_owned()));
    assert!(text.contains("scrape 0, line 3\n    first   x 2\n    second  x 3\n"), "{text}");
    let text = told(|trail| trail.sockets.clear());
    assert!(text.contains("count of sockets 0"), "{text}");
    let text = told(|trail| trail.verdict = "{\n  \"verdict\": \"fail\"\n}".to_owned());
    assert!(text.contains("verdict, line 2 of its JSON"), "{text}");
    let text = told(|trail| trail.seed = 8);
    assert!(text.contains("name or seed"), "{text}");
}

#[test]
fn a_fingerprint_tells_all_parts_apart() {
    let changes: [fn(&mut Trail); 8] = [
        |trail| trail.seed = 8,
        |trail| trail.hash = None,
        |trail| trail.draw_count = 11,
        |trail| trail.draws[3].value = 9,
        |trail| trail.observations[0].at = 0,
        |trail| trail.scrapes[0].body = Err("gone".to_owned()),
        |trail| trail.sockets.clear(),
        |trail| trail.verdict.clear(),
    ];
    assert_eq!(trail().fingerprint(), trail().fingerprint());
    for (index, change) in changes.iter().enumerate() {
        let mut other = trail();
        change(&mut other);
        assert_ne!(trail().fingerprint(), other.fingerprint(), "change {index}");
    }
}

#[test]
fn a_trail_survives_the_way_to_another_process() {
    let text = serde_json::to_string(&trail()).unwrap_or_default();
    assert_eq!(serde_json::from_str::<Trail>(&text).ok(), Some(trail()));
}
