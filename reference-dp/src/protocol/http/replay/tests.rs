//! Bodies that are sent once, and again.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::Waker;

use super::*;

/// Frames, with `None` for one that is not there yet.
struct Frames(VecDeque<Option<Result<Frame<Bytes>, io::Error>>>);

impl Body for Frames {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.get_mut().0.pop_front() {
            Some(None) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Some(frame)) => Poll::Ready(Some(frame)),
            None => Poll::Ready(None),
        }
    }
}

fn data(text: impl Into<Bytes>) -> Option<Result<Frame<Bytes>, io::Error>> {
    Some(Ok(Frame::data(text.into())))
}

fn replay(frames: Vec<Option<Result<Frame<Bytes>, io::Error>>>) -> Replay<Frames> {
    Replay::new(Frames(frames.into()), true, Arc::default())
}

async fn next(body: &mut TryBody<Frames>) -> Option<Result<Frame<Bytes>, BodyError>> {
    poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await
}

async fn rest(body: &mut TryBody<Frames>) -> (Vec<u8>, Option<HeaderMap>, bool) {
    let (mut bytes, mut trailers) = (Vec::new(), None);
    while let Some(frame) = next(body).await {
        match frame.map(Frame::into_data) {
            Ok(Ok(data)) => bytes.extend_from_slice(&data),
            Ok(Err(frame)) => trailers = frame.into_trailers().ok(),
            Err(BodyError) => return (bytes, trailers, false),
        }
    }
    (bytes, trailers, true)
}

#[tokio::test]
async fn a_later_try_gets_the_whole_body_and_goes_on_where_the_first_one_stopped() {
    let mut sums = HeaderMap::new();
    sums.insert("x-sum", http::HeaderValue::from_static("1"));
    let replay =
        replay(vec![data("one"), None, data("two"), data("three"), Some(Ok(Frame::trailers(sums.clone())))]);
    let mut first = replay.again();
    assert_eq!(next(&mut first).await.unwrap().unwrap().into_data().unwrap(), "one");
    let mut second = replay.again();
    assert!(next(&mut first).await.unwrap().is_err(), "a try that is given up gets nothing more");
    assert_eq!(rest(&mut second).await, (b"onetwothree".to_vec(), Some(sums.clone()), true));
    assert!(replay.can_be_sent_again());
    assert_eq!(rest(&mut replay.again()).await, (b"onetwothree".to_vec(), Some(sums), true));
}

#[tokio::test]
async fn trailers_of_the_callers_connection_end_here() {
    let close = (http::header::CONNECTION, http::HeaderValue::from_static("close"));
    let sum = (http::HeaderName::from_static("x-sum"), http::HeaderValue::from_static("1"));
    for (trailers, left) in
        [(vec![close.clone()], None), (vec![close, sum.clone()], Some(HeaderMap::from_iter([sum])))]
    {
        let replay = replay(vec![data("one"), Some(Ok(Frame::trailers(trailers.into_iter().collect())))]);
        for _ in 0..2 {
            assert_eq!(rest(&mut replay.again()).await, (b"one".to_vec(), left.clone(), true));
        }
    }
}

#[tokio::test]
async fn what_is_there_streams_on_at_once() {
    let replay = replay(vec![data("one"), None, data("two")]);
    let mut body = replay.again();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut body).poll_frame(&mut cx).is_ready());
    assert!(Pin::new(&mut body).poll_frame(&mut cx).is_pending());
    assert!(Pin::new(&mut body).poll_frame(&mut cx).is_ready());
}

#[tokio::test]
async fn more_than_a_mebibyte_passes_and_is_not_kept() {
    let piece = vec![7; 64 * 1024];
    for (pieces, again) in [(16, true), (17, false)] {
        let replay = replay((0..pieces).map(|_| data(piece.clone())).collect());
        let (bytes, _, whole) = rest(&mut replay.again()).await;
        assert_eq!((bytes.len(), whole), (pieces * piece.len(), true));
        assert_eq!(replay.can_be_sent_again(), again, "{pieces} pieces");
    }
}

#[tokio::test]
async fn small_pieces_are_kept_together_whatever_they_were_cut_from() {
    let buffer = Bytes::from(vec![7; 64 * 1024]);
    let replay = replay((0..buffer.len()).map(|at| data(buffer.slice(at..=at))).collect());
    // Another try begins in the middle of what was copied, and goes on with it.
    let mut first = replay.again();
    for _ in 0..100 {
        next(&mut first).await;
    }
    for _ in 0..2 {
        let (bytes, _, whole) = rest(&mut replay.again()).await;
        assert_eq!((bytes, whole), (buffer.to_vec(), true));
    }
    let state = replay.shared.state();
    assert!(state.kept.len() <= 1 + buffer.len() / COPIED_BYTES + 1, "{} pieces", state.kept.len());
    assert!(state.copied.capacity() <= 2 * COPIED_BYTES);
    drop(state);
    assert!(buffer.is_unique(), "what was read into is still held");
}

#[tokio::test]
async fn large_and_small_pieces_keep_their_order() {
    let large = |letter: u8| vec![letter; SMALL_BYTES];
    let body = [b"a".to_vec(), large(b'b'), b"c".to_vec(), b"d".to_vec(), large(b'e'), b"f".to_vec()];
    let replay = replay(body.iter().map(|piece| data(piece.clone())).collect());
    for _ in 0..3 {
        assert_eq!(rest(&mut replay.again()).await, (body.concat(), None, true));
    }
}

#[tokio::test]
async fn once_there_is_an_answer_nothing_is_kept_but_what_its_try_lacks() {
    let piece = |letter: u8| vec![letter; SMALL_BYTES];
    let replay = replay((b'a'..=b'd').map(|letter| data(piece(letter))).collect());
    let kept = || replay.shared.state().kept.len();
    let mut first = replay.again();
    for _ in 0..3 {
        next(&mut first).await;
    }
    let mut second = replay.again();
    assert_eq!(next(&mut second).await.unwrap().unwrap().into_data().unwrap(), piece(b'a'));
    replay.no_other_try();
    assert_eq!(kept(), 3);
    assert!(!second.is_end_stream());
    assert_eq!(rest(&mut second).await, ([b'b', b'c', b'd'].map(piece).concat(), None, true));
    assert_eq!(kept(), 0);
    assert!(second.is_end_stream() && !replay.can_be_sent_again());
}

#[tokio::test]
async fn a_body_that_breaks_off_is_told_from_one_that_is_none() {
    for (kind, expected) in [
        (io::ErrorKind::UnexpectedEof, Breach::Gone),
        (io::ErrorKind::ConnectionReset, Breach::Gone),
        (io::ErrorKind::InvalidInput, Breach::Malformed),
        (io::ErrorKind::InvalidData, Breach::Malformed),
    ] {
        let replay = replay(vec![data("one"), Some(Err(kind.into()))]);
        assert_eq!(rest(&mut replay.again()).await, (b"one".to_vec(), None, false));
        assert_eq!(replay.breach(), Some(expected), "{kind}");
        assert!(!replay.can_be_sent_again());
    }
}
