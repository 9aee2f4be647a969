//! Where a check says how many exchanges there may be, the rest is asked of those that came.

use super::*;

fn up_to_one() -> Option<Count> {
    Some(Count::Within(vec![(0, 1)]))
}

#[test]
fn a_number_that_allows_none_excuses_what_did_not_come() {
    let mut silent = Story::new(&["call"]).with_http();
    silent.begin("call");
    silent.client("call", 0, connected());
    silent.app(0, accepted());
    silent.end("call");

    let refused = || HttpCheck { answers: up_to_one(), status: status(400), ..HttpCheck::default() };
    assert_eq!(whats(&client(&silent, refused())), [""; 0]);
    assert_eq!(whats(&client(&one(), refused())), ["client.status"]);

    let only = || HttpCheck { requests: up_to_one(), path: word("/"), ..HttpCheck::default() };
    assert_eq!(whats(&app(&silent, only())), [""; 0]);
    assert_eq!(whats(&app(&one(), only())), ["app.path"]);

    let owed = HttpCheck { answers: exactly(1), status: status(200), ..HttpCheck::default() };
    assert_eq!(whats(&client(&silent, owed)), ["client.answers"]);
}

#[test]
fn bytes_that_are_no_http_are_not_the_same_as_none() {
    let garbage = scripted(b"GET / HTTP/1.1\r\n\r\n", b"220 mail.example\r\n");
    let refused = |most| HttpCheck { answers: Some(Count::Within(vec![(0, most)])), ..HttpCheck::default() };
    let finding = only(client(&garbage, refused(1)));
    assert_eq!(
        (finding.what.as_str(), finding.found.as_str()),
        ("client.answers", r#"bytes that are no HTTP: "220 mail.example\r\n""#)
    );
    assert_eq!(whats(&client(&garbage, refused(0))), [""; 0]);

    // A body in chunks that are none.
    let smuggled = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n";
    let story = scripted(smuggled, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let cut = HttpCheck { requests: up_to_one(), wholes: exactly(0), ..HttpCheck::default() };
    assert_eq!(whats(&app(&story, cut.clone())), ["app.requests"]);
    let story = scripted(&smuggled[..48], b"");
    assert_eq!(whats(&app(&story, cut)), [""; 0]);
}
