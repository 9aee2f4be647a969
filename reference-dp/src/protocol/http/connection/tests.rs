//! A caller's connection in memory, in virtual time. There is no endpoint, so that the answers are the sidecar's own.

use tokio::io::{DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::*;
use crate::protocol::http::testing::{Nobody, hop};

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: shop\r\n\r\n";
const HOUR: Duration = Duration::from_secs(3600);

/// The caller's side of a connection, on which `room` bytes may be under way.
#[expect(clippy::disallowed_methods, reason = "a test's own task")]
fn dial(hop: &Arc<Hop>, room: usize) -> (DuplexStream, JoinHandle<Cause>) {
    let (caller, mut stream) = duplex(room);
    let hop = hop.clone();
    let served = tokio::spawn(async move {
        let mut exchange = Exchange::begin(Arc::new(Nobody));
        serve(&hop, &mut stream, None, &mut exchange).await
    });
    (caller, served)
}

fn outbound() -> Hop {
    hop(Direction::Outbound, HttpVersion::V2, Some(15))
}

/// One answer, which has a body of known length.
async fn answer(caller: &mut DuplexStream) -> String {
    let mut text = String::new();
    while !text.ends_with("\r\n\r\n") {
        text.push(caller.read_u8().await.unwrap().into());
    }
    let length = text.split_once("content-length: ").unwrap().1.split_once("\r\n").unwrap().0;
    let mut body = vec![0; length.parse().unwrap()];
    caller.read_exact(&mut body).await.unwrap();
    text + str::from_utf8(&body).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_callers_connection_may_be_idle_for_ever() {
    // Kuma forces the connection manager's idle timeout to 0, whatever MeshTimeout says (kuma 2.5).
    let (mut caller, served) = dial(&Arc::new(outbound()), 1024);
    for _ in 0..3 {
        sleep(100 * HOUR).await;
        caller.write_all(GET).await.unwrap();
        assert!(answer(&mut caller).await.ends_with("no healthy upstream"));
    }
    drop(caller);
    assert_eq!(served.await.unwrap(), ENDED_THERE);
}

#[tokio::test(start_paused = true)]
async fn what_is_said_of_a_late_head_does_not_land_in_an_answer() {
    let mut hop = outbound();
    hop.policy.request_headers_timeout = Some(Duration::from_secs(1));
    let (mut caller, _served) = dial(&Arc::new(hop), 64);
    caller.write_all(GET).await.unwrap();
    caller.write_all(b"GET / HT").await.unwrap();
    // The answer does not fit: the head that follows is overdue while the answer is written.
    sleep(Duration::from_secs(10)).await;
    assert!(answer(&mut caller).await.ends_with("no healthy upstream"));
    assert!(answer(&mut caller).await.starts_with("HTTP/1.1 408 "));
}

#[tokio::test(start_paused = true)]
async fn a_draining_sidecar_waits_for_slow_readers_and_not_for_silent_callers() {
    for (says, reads, limit) in
        [(GET, true, 60), (GET, false, 62), (b"GET / HT", false, 7), (b"PRI * HT", false, 1)]
    {
        let hop = Arc::new(outbound());
        let (mut caller, served) = dial(&hop, 64);
        let began = Instant::now();
        caller.write_all(says).await.unwrap();
        sleep(Duration::from_millis(1)).await;
        hop.lifecycle.advance(Phase::Draining);
        if reads {
            let mut read = 0;
            while caller.read_u8().await.is_ok() {
                sleep(Duration::from_millis(100)).await;
                read += 1;
            }
            assert!(read > 100, "cut after {read} bytes");
        }
        served.await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(limit), "{:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_said_of_a_large_head_arrives_however_slowly_it_is_taken() {
    let head = format!("GET / HTTP/1.1\r\nhost: shop\r\nx: {}\r\n\r\n", "a".repeat(70_000));
    for room in [1, 7, 64, 1024] {
        let (caller, served) = dial(&Arc::new(outbound()), room);
        let (mut reads, mut writes) = tokio::io::split(caller);
        let mut answer = String::new();
        let (sent, read) = tokio::join!(writes.write_all(head.as_bytes()), reads.read_to_string(&mut answer));
        sent.and(read.map(drop)).unwrap();
        assert!(answer.starts_with("HTTP/1.1 431 "), "room {room}: {answer:?}");
        assert!(answer.ends_with("\r\n\r\n"), "room {room}: {answer:?}");
        drop((reads, writes));
        assert_eq!(served.await.unwrap(), ENDED_HERE);
    }
}
