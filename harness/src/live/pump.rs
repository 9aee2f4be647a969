//! Carries one connection from one socket to another: bytes, ends and resets, in order, as its link lets them.

use std::collections::VecDeque;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Bytes, BytesMut};
use rustix::net::Shutdown;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use super::links::{Flow, Links};

/// Bytes read at once.
const PIECE: usize = 64 << 10;
/// Bytes that wait in a lane that delays them: what a window of the simulator's holds.
const UNDER_WAY_MAX: usize = 64 << 10;

/// How a direction came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// With a FIN, which was passed on.
    Finished,
    /// Its sender reset the connection.
    Reset,
    /// Its receiver takes no more: it reset the connection, or is gone.
    Refused,
}

/// A piece on its way.
enum Item {
    Bytes(Bytes),
    Fin,
    Reset,
}

/// Relays until both directions have ended, or the connection was reset. `near` is the opener's socket, `far` the called one's.
pub(super) async fn pump(links: &Links, mut flow: Flow, near: TcpStream, far: TcpStream) {
    let resets = flow.change.borrow_and_update().resets;
    let mut change = flow.change.clone();
    let whole = async {
        loop {
            if change.borrow_and_update().resets != resets || change.changed().await.is_err() {
                return;
            }
        }
    };
    let was_reset = tokio::select! {
        biased;
        () = whole => {
            links.end(&flow, true, true);
            links.end(&flow, false, true);
            true
        }
        reset = both(links, &flow, &near, &far) => reset,
    };
    if was_reset {
        // Should an option be refused, the drop still closes the socket.
        let _ = near.set_zero_linger();
        let _ = far.set_zero_linger();
    }
    links.moved();
}

/// One of the two sockets.
struct Side<'a> {
    socket: &'a TcpStream,
    /// A write to it failed. The kernel tells of a reset once: whoever reads it next is told of an end.
    failed: AtomicBool,
}

impl<'a> Side<'a> {
    fn new(socket: &'a TcpStream) -> Self {
        Self { socket, failed: AtomicBool::new(false) }
    }
}

/// Both directions; `true` when the connection was reset.
async fn both(links: &Links, flow: &Flow, near: &TcpStream, far: &TcpStream) -> bool {
    let (opener, other) = (Side::new(near), Side::new(far));
    let mut out = pin!(lane(links, flow.clone(), true, &opener, &other));
    let mut back = pin!(lane(links, flow.clone(), false, &other, &opener));
    let mut ended = (None, None);
    loop {
        tokio::select! {
            biased;
            end = &mut out, if ended.0.is_none() => ended.0 = Some(end),
            end = &mut back, if ended.1.is_none() => ended.1 = Some(end),
            // Whoever has sent its FIN is read no more: a reset behind it shows as an error alone.
            _ = near.ready(Interest::ERROR), if ended.0 == Some(End::Finished) => {
                links.end(flow, true, true);
                return true;
            }
            _ = far.ready(Interest::ERROR), if ended.1 == Some(End::Finished) => {
                links.end(flow, false, true);
                return true;
            }
        }
        match ended {
            (Some(End::Reset), _) | (_, Some(End::Reset)) => return true,
            (Some(End::Finished), Some(End::Finished)) => return false,
            // The receiver told of its reset to the write that failed; what it had sent before is passed on.
            (Some(End::Refused), Some(_)) | (Some(_), Some(End::Refused)) => return true,
            _ => {}
        }
    }
}

/// One direction.
async fn lane(links: &Links, mut flow: Flow, from_opener: bool, source: &Side<'_>, sink: &Side<'_>) -> End {
    let (from, to) = (source.socket, sink.socket);
    let mut queue: VecDeque<(Instant, Item)> = VecDeque::new();
    let mut under_way = 0;
    let mut over = false;
    let mut buffer = BytesMut::new();
    loop {
        let gate = links.gate(&flow, from_opener);
        let front = queue.front().map(|(due, _)| *due);
        let is_due = front.is_some_and(|due| due <= Instant::now());
        let room = if gate.slow { under_way < UNDER_WAY_MAX } else { queue.is_empty() };
        tokio::select! {
            biased;
            changed = flow.change.changed() => if changed.is_err() { return End::Reset },
            ready = to.writable(), if gate.open && is_due => {
                let Some((due, item)) = queue.pop_front() else { continue };
                match pass(item, to, ready) {
                    Ok(Passed::Bytes(n, rest)) => {
                        links.moved();
                        under_way -= n;
                        if let Some(rest) = rest {
                            queue.push_front((due, Item::Bytes(rest)));
                        }
                    }
                    Ok(Passed::Fin) => return End::Finished,
                    Ok(Passed::Reset) => return End::Reset,
                    Err(_) => {
                        sink.failed.store(true, Ordering::Relaxed);
                        return End::Refused;
                    }
                }
            }
            () = sleep_until(front.unwrap_or_else(Instant::now)), if gate.open && front.is_some() && !is_due => {}
            ready = from.readable(), if gate.open && room && !over => {
                buffer.reserve(PIECE);
                let read = ready.and_then(|()| from.try_read_buf(&mut buffer));
                match read {
                    Ok(0) => {
                        over = true;
                        let reset = source.failed.load(Ordering::Relaxed);
                        let item = if reset { Item::Reset } else { Item::Fin };
                        enqueue(&mut queue, links.end(&flow, from_opener, reset), item);
                    }
                    Ok(_) => {
                        while !buffer.is_empty() {
                            let bytes = buffer.split_to(buffer.len().min(gate.most)).freeze();
                            under_way += bytes.len();
                            enqueue(&mut queue, links.enter(&flow, from_opener, &bytes), Item::Bytes(bytes));
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => {
                        over = true;
                        enqueue(&mut queue, links.end(&flow, from_opener, true), Item::Reset);
                    }
                }
            }
        }
    }
}

/// Nothing overtakes.
fn enqueue(queue: &mut VecDeque<(Instant, Item)>, due: Instant, item: Item) {
    let due = queue.back().map_or(due, |(last, _)| due.max(*last));
    queue.push_back((due, item));
}

/// What of an item was passed on.
enum Passed {
    /// So many bytes, and what is left of them.
    Bytes(usize, Option<Bytes>),
    Fin,
    Reset,
}

fn pass(item: Item, to: &TcpStream, ready: io::Result<()>) -> io::Result<Passed> {
    ready?;
    match item {
        Item::Bytes(mut bytes) => match to.try_write(&bytes) {
            Ok(n) => {
                let _ = bytes.split_to(n);
                Ok(Passed::Bytes(n, (!bytes.is_empty()).then_some(bytes)))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Passed::Bytes(0, Some(bytes))),
            Err(error) => Err(error),
        },
        Item::Fin => {
            rustix::net::shutdown(to, Shutdown::Write)?;
            Ok(Passed::Fin)
        }
        Item::Reset => Ok(Passed::Reset),
    }
}
