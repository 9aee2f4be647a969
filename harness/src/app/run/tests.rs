use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::*;
use crate::app::conn::Base;
use crate::app::line::Side;
use crate::app::testing::*;
use crate::language::script::Read;
use crate::language::{TlsOptions, TlsVersion};
use crate::observe::observation::{End, Failure};
use crate::observe::{Role, Seen};

/// Runs both scripts over one connection to their ends; each closes what stands, as steps and apps do. A minute is far beyond all of them.
async fn both(
    buffer: usize,
    tls: Option<(TlsOptions, TlsOptions)>,
    client: Script,
    app: Script,
) -> Arc<Notes> {
    let notes = Notes::new();
    let shared = app_tls();
    let (here, there) = wires(buffer);
    let (client_tls, app_tls) = tls.unzip();
    let end = |socket, side, script: Script, options: Option<TlsOptions>| {
        let (notes, configs) = (notes.clone(), configs(&shared));
        async move {
            let mut line = line(&notes, side);
            line.attach(Base::Raw(socket));
            if let Some(options) = options
                && line.start_tls(&configs, &options).await.is_err()
            {
                return;
            }
            if run(&mut line, &script, &configs).await == Outcome::Standing {
                line.close().await;
            }
        }
    };
    let client = end(here, Side::Client, client, client_tls);
    let app = end(there, Side::Server, app, app_tls);
    timeout(Duration::from_secs(60), async { tokio::join!(client, app) }).await.expect("both scripts end");
    notes
}

async fn plain(client: Script, app: Script) -> Arc<Notes> {
    both(1 << 16, None, client, app).await
}

fn server_tls() -> TlsOptions {
    TlsOptions { certificate: Some("backend.example".into()), ..TlsOptions::default() }
}

fn client_tls() -> TlsOptions {
    TlsOptions { sni: Some("backend.example".into()), ..TlsOptions::default() }
}

/// BLAKE3 of `len` bytes of pattern 0, by the definition in `value`.
fn pattern_digest(len: u64) -> String {
    let mut bytes = vec![0; usize::try_from(len).unwrap()];
    crate::language::value::pattern(0, 0, &mut bytes);
    blake3::hash(&bytes).to_hex().to_string()
}

fn sent(bytes: u64, head: &str) -> Seen {
    Seen::Sent { bytes, head: head.into() }
}

fn received(bytes: u64, head: &str) -> Seen {
    Seen::Received { bytes, head: head.into() }
}

#[tokio::test(start_paused = true)]
async fn hello_is_echoed_and_both_ends_tell_the_same_story() {
    let client = script([send(text("hello")), Action::Expect(text("hello")), Action::HalfClose, read_eof()]);
    let notes = plain(client, script([Action::Echo])).await;
    assert_eq!(notes.of(Role::Client), [sent(5, "hello"), received(5, "hello"), Seen::HalfClosed, Seen::Eof]);
    assert_eq!(notes.of(Role::App), [received(5, "hello"), sent(5, "hello"), Seen::Eof, Seen::HalfClosed]);
    let (client, app) = (notes.total(Role::Client), notes.total(Role::App));
    assert!(client.done && app.done);
    assert_eq!((client.end, app.end), (End::Eof, End::Eof));
    // BLAKE3 of "hello", from Python's blake3.
    let hello = "ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f";
    for flow in [&client.sent, &client.wire_sent, &client.received, &app.received, &app.wire_sent] {
        assert_eq!((flow.bytes, flow.blake3.as_str(), flow.head.as_str()), (5, hello, "68656c6c6f"));
    }
}

#[tokio::test(start_paused = true)]
async fn big_payloads_both_ways_do_not_deadlock_whatever_the_buffers() {
    for (buffer, len) in [(7, 100_000), (4096, 3 << 20)] {
        let client =
            script([send(pattern(len)), Action::HalfClose, Action::Expect(pattern(len)), read_eof()]);
        let notes = both(buffer, None, client, script([Action::Echo])).await;
        let client = notes.total(Role::Client);
        assert!(client.done);
        assert_eq!(client.end, End::Eof);
        assert_eq!(client.received.blake3, pattern_digest(len));
    }
}

#[tokio::test(start_paused = true)]
async fn big_payloads_both_ways_pass_tls() {
    let len = 1 << 20;
    for version in [TlsVersion::V1_2, TlsVersion::V1_3] {
        let options = TlsOptions { versions: vec![version], ..client_tls() };
        let client =
            script([send(pattern(len)), Action::HalfClose, Action::Expect(pattern(len)), read_eof()]);
        let notes = both(5000, Some((options, server_tls())), client, script([Action::Echo])).await;
        let (client, app) = (notes.total(Role::Client), notes.total(Role::App));
        assert!(client.done && app.done);
        assert_eq!((client.end, app.end), (End::Eof, End::Eof));
        assert_eq!(client.received.blake3, pattern_digest(len));
        // At the socket is TLS: more bytes, and the same at both ends.
        assert!(client.wire_sent.bytes > len);
        assert!(client.wire_sent.head.starts_with("1603"));
        assert_eq!(client.wire_sent, app.wire_received);
        assert_eq!(client.wire_received, app.wire_sent);
    }
}

#[tokio::test(start_paused = true)]
async fn other_bytes_end_the_script() {
    let client = script([Action::Expect(text("hello")), send(text("never"))]);
    let notes = plain(client, script([send(text("help!")), read_eof()])).await;
    let expected = "at byte 3 of 5: \"lo\"".to_owned();
    let mismatch = Seen::Mismatch { expected, found: "\"p!\"".into() };
    assert_eq!(notes.of(Role::Client), [received(5, "help!"), mismatch]);
    assert!(!notes.total(Role::Client).done);
    assert_eq!(notes.total(Role::Client).end, End::Closed);
    assert_eq!(notes.total(Role::App).end, End::Eof);
}

#[tokio::test(start_paused = true)]
async fn an_early_end_ends_the_script() {
    let notes = plain(script([Action::Expect(text("hello"))]), script([send(text("hel"))])).await;
    let expected = "5 bytes, next \"lo\"".to_owned();
    let mismatch = Seen::Mismatch { expected, found: "the end after 3 bytes".into() };
    assert_eq!(notes.of(Role::Client).last(), Some(&mismatch));
    assert_eq!(notes.total(Role::Client).end, End::Eof);
}

#[tokio::test(start_paused = true)]
async fn a_mismatch_while_sending_to_one_who_does_not_read_ends_too() {
    let client = script([send(pattern(1 << 20)), Action::Expect(text("a"))]);
    let app = script([send(text("b")), Action::Pause(Duration::from_secs(1)), Action::Close]);
    let notes = both(100, None, client, app).await;
    assert!(matches!(notes.of(Role::Client).last(), Some(Seen::Mismatch { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_reset_reaches_the_socket_through_tls() {
    let client = script([send(text("hi")), read_eof()]);
    let app = script([Action::Expect(text("hi")), send(text("bye")), Action::Reset]);
    let notes = both(1 << 16, Some((client_tls(), server_tls())), client, app).await;
    let seen = notes.of(Role::Client);
    assert_eq!(seen[1..], [sent(2, "hi"), received(3, "bye"), Seen::Failed { error: Failure::Reset }]);
    let client = notes.total(Role::Client);
    assert_eq!((client.end, client.done), (End::Reset, false));
    let app = notes.total(Role::App);
    assert_eq!((app.end, app.done), (End::Closed, true));
}

#[tokio::test(start_paused = true)]
async fn writing_after_a_reset_fails_with_what_came_before_still_read() {
    let client = script([
        Action::Pause(Duration::from_secs(1)),
        send(pattern(1 << 20)),
        Action::Expect(text("last words")),
        read_eof(),
    ]);
    let notes = plain(client, script([send(text("last words")), Action::Reset])).await;
    let seen = notes.of(Role::Client);
    assert_eq!(seen, [received(10, "last words"), Seen::Failed { error: Failure::Reset }]);
    assert_eq!(notes.total(Role::Client).end, End::Reset);
}

#[tokio::test(start_paused = true)]
async fn tls_without_close_notify_is_truncated() {
    let shared = app_tls();
    let notes = Notes::new();
    let (here, there) = wires(1 << 16);
    let configs = configs(&shared);
    let mut client = line(&notes, Side::Client);
    client.attach(Base::Raw(here));
    let mut app = line(&notes, Side::Server);
    app.attach(Base::Raw(there));
    let (client_options, server_options) = (client_tls(), server_tls());
    let (a, b) =
        tokio::join!(client.start_tls(&configs, &client_options), app.start_tls(&configs, &server_options));
    assert!(a.is_ok() && b.is_ok());
    drop(app);
    assert_eq!(run(&mut client, &script([read_eof()]), &configs).await, Outcome::Over);
    assert_eq!(notes.of(Role::Client).last(), Some(&Seen::Failed { error: Failure::Truncated }));
    assert_eq!(notes.total(Role::Client).end, End::Truncated);
    // Dropped with nothing to end it: open.
    assert_eq!(notes.total(Role::App).end, End::Open);
}

#[tokio::test(start_paused = true)]
async fn a_trickle_takes_its_time_and_each_write_is_seen() {
    let client = script([trickle(text("abcde"), 2, Duration::from_millis(10))]);
    let began = Instant::now();
    let notes = plain(client, script([read_eof()])).await;
    assert_eq!(began.elapsed(), Duration::from_millis(20));
    assert_eq!(notes.of(Role::Client), [sent(2, "ab"), sent(2, "cd"), sent(1, "e")]);
    let app = notes.of(Role::App);
    assert_eq!(app, [received(2, "ab"), received(2, "cd"), received(1, "e"), Seen::Eof]);
}

#[tokio::test(start_paused = true)]
async fn until_blocked_tells_how_much_went() {
    let client = script([send_until_blocked(pattern(10), Duration::from_secs(5)), Action::Close]);
    let app = script([Action::Pause(Duration::from_secs(7)), read_eof()]);
    let began = Instant::now();
    let notes = both(1000, None, client, app).await;
    assert_eq!(began.elapsed(), Duration::from_secs(7));
    assert!(notes.of(Role::Client).contains(&Seen::Blocked { after: 1000 }));
    // The pattern repeats: 100 times its 10 bytes.
    let mut ten = [0; 10];
    crate::language::value::pattern(0, 0, &mut ten);
    assert_eq!(notes.total(Role::App).received.blake3, blake3::hash(&ten.repeat(100)).to_hex().to_string());
}

#[tokio::test(start_paused = true)]
async fn until_blocked_with_nothing_to_send_ends() {
    let client = script([send_until_blocked(text(""), Duration::from_secs(5))]);
    let notes = plain(client, script([read_eof()])).await;
    assert!(notes.total(Role::Client).done);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_takes_as_long_as_its_rate_says() {
    let read = Action::Read(Read { bytes: Some(1000), rate: Some(100), until: None });
    let began = Instant::now();
    let notes = plain(script([send(pattern(1000)), read_eof()]), script([read, Action::Close])).await;
    // The last helping of 10 needs no pause after it.
    assert_eq!(began.elapsed(), Duration::from_millis(9900));
    assert_eq!(notes.total(Role::App).received.bytes, 1000);
}

#[tokio::test(start_paused = true)]
async fn a_read_of_some_bytes_leaves_the_others() {
    let app = script([
        Action::Read(Read { bytes: Some(2), rate: None, until: None }),
        Action::Expect(text("llo")),
        read_eof(),
    ]);
    let notes = plain(script([send(text("hello"))]), app).await;
    assert!(notes.total(Role::App).done);
}

#[tokio::test(start_paused = true)]
async fn a_stalled_end_goes_when_the_other_is_gone() {
    let client = script([Action::Pause(Duration::from_secs(30)), Action::Reset]);
    let notes = plain(client, script([Action::Stall])).await;
    assert_eq!(notes.of(Role::App), [Seen::Failed { error: Failure::Reset }]);
    let notes = plain(script([Action::Pause(Duration::from_secs(30))]), script([Action::Stall])).await;
    assert_eq!((notes.total(Role::App).end, notes.total(Role::App).done), (End::Eof, true));
}

#[tokio::test(start_paused = true)]
async fn a_stalled_end_that_is_sent_something_takes_one_byte_and_hears_no_more() {
    let (notes, shared) = (Notes::new(), app_tls());
    let (here, there) = wires(1 << 16);
    let configs = configs(&shared);
    let mut client_line = line(&notes, Side::Client);
    client_line.attach(Base::Raw(here));
    let mut app_line = line(&notes, Side::Server);
    app_line.attach(Base::Raw(there));
    let (client, stalled) = (script([send(pattern(100)), Action::Reset]), script([Action::Stall]));
    let app = timeout(Duration::from_secs(7200), run(&mut app_line, &stalled, &configs));
    let (_, app) = tokio::join!(run(&mut client_line, &client, &configs), app);
    assert!(app.is_err());
    drop(app_line);
    let total = notes.total(Role::App);
    assert_eq!((total.end, total.done, total.received.bytes), (End::Open, false, 1));
}

#[tokio::test(start_paused = true)]
async fn starttls_turns_to_tls_midway() {
    let client = script([
        Action::Expect(text("220 hi\r\n")),
        send(text("STARTTLS\r\n")),
        Action::Expect(text("go\r\n")),
        Action::StartTls(client_tls()),
        send(text("secret")),
        Action::Expect(text("secret")),
        Action::HalfClose,
        read_eof(),
    ]);
    let app = script([
        send(text("220 hi\r\n")),
        Action::Expect(text("STARTTLS\r\n")),
        send(text("go\r\n")),
        Action::StartTls(server_tls()),
        Action::Echo,
    ]);
    let notes = plain(client, app).await;
    let client = notes.total(Role::Client);
    assert!(client.done && notes.total(Role::App).done);
    assert_eq!(client.sent.head, hex::encode("STARTTLS\r\nsecret"));
    assert_eq!(client.received.head, hex::encode("220 hi\r\ngo\r\nsecret"));
    // "STARTTLS\r\n", then a handshake record.
    assert!(client.wire_sent.head.starts_with(&format!("{}1603", hex::encode("STARTTLS\r\n"))));
    let handshakes = |role| notes.of(role).iter().filter(|s| matches!(s, Seen::Handshake(_))).count();
    assert_eq!((handshakes(Role::Client), handshakes(Role::App)), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_failing_read_after_this_ends_own_half_close_is_the_other_ends_doing() {
    let app = script([Action::HalfClose, Action::Reset]);
    let notes = plain(script([Action::HalfClose, read_eof()]), app).await;
    let client = notes.total(Role::Client);
    assert_eq!(notes.of(Role::Client)[1..], [Seen::Failed { error: Failure::BrokenPipe }]);
    assert_eq!((client.end, client.done), (End::Reset, false));
}

#[tokio::test(start_paused = true)]
async fn a_failing_send_after_this_ends_own_half_close_is_its_own_doing() {
    let client = script([Action::HalfClose, Action::Pause(Duration::from_secs(1)), send(text("late"))]);
    let notes = plain(client, script([Action::Pause(Duration::from_secs(2))])).await;
    let total = notes.total(Role::Client);
    assert_eq!((total.end, total.done), (End::Closed, false));
    assert_eq!(notes.of(Role::Client)[1..], [Seen::Failed { error: Failure::BrokenPipe }]);
}

fn read_until(mark: &'static str) -> Action {
    Action::Read(Read { until: Some(mark.into()), ..Read::default() })
}

#[tokio::test(start_paused = true)]
async fn a_read_ends_at_a_mark_and_what_comes_after_it_is_the_next_actions() {
    // The mark comes in two pieces, with the next action's bytes behind it.
    let ms = Duration::from_millis(1);
    let app = script([trickle(text("head\r\n\r\nbody"), 7, ms), Action::HalfClose, read_eof()]);
    let client = script([read_until("\r\n\r\n"), Action::Expect(text("body")), read_eof()]);
    let notes = plain(client, app).await;
    let total = notes.total(Role::Client);
    assert!(total.done, "{:?}", notes.of(Role::Client));
    assert_eq!((total.received.bytes, total.end), (12, End::Eof));
}

#[tokio::test(start_paused = true)]
async fn a_mark_that_does_not_come_is_a_mismatch() {
    for (payload, found) in [
        (text("ab"), "the end after 2 bytes".to_owned()),
        (pattern(2 << 20), format!("none in {} bytes", 1 << 20)),
    ] {
        let notes = plain(script([read_until("abc")]), script([send(payload)])).await;
        let seen = Seen::Mismatch { expected: "\"abc\"".into(), found };
        assert!(notes.of(Role::Client).contains(&seen), "{:?}", notes.of(Role::Client));
        assert!(!notes.total(Role::Client).done);
    }
}
