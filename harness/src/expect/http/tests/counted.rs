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
