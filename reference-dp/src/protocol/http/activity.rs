//! What goes on in a caller's connection: how many requests are under way, and whether bytes still move when none is.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// Of one connection.
#[derive(Debug, Default)]
pub(super) struct Activity {
    requests: AtomicUsize,
    /// Whether something was written that the connection has not taken whole.
    unflushed: AtomicBool,
    changed: Notify,
}

/// A request under way.
#[derive(Debug)]
pub(super) struct Busy(Arc<Activity>);

impl Activity {
    /// A request begins; it ends when the guard drops. Of its answer something may still have to be written then.
    pub(super) fn begin(self: &Arc<Self>) -> Busy {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.changed.notify_waiters();
        Busy(self.clone())
    }

    /// Bytes were read or written.
    pub(super) fn moved(&self) {
        self.changed.notify_waiters();
    }

    /// Bytes are to be written, or all that were to be are.
    pub(super) fn unflushed(&self, unflushed: bool) {
        if self.unflushed.swap(unflushed, Ordering::Relaxed) != unflushed {
            self.changed.notify_waiters();
        }
    }

    fn is_busy(&self) -> bool {
        self.requests.load(Ordering::Relaxed) > 0
    }

    /// Whether every request was answered, to the last byte.
    pub(super) fn is_settled(&self) -> bool {
        !self.is_busy() && !self.unflushed.load(Ordering::Relaxed)
    }

    /// Waits until every request was answered, to the last byte.
    pub(super) async fn settled(&self) {
        loop {
            let mut changed = pin!(self.changed.notified());
            // Registered before looking, so that no change is missed in between.
            changed.as_mut().enable();
            if self.is_settled() {
                return;
            }
            changed.await;
        }
    }

    /// Waits until no request was under way and no byte moved for as long as `quiet`; or, if bytes do move, until no request was under way for as long
    /// as `most`.
    pub(super) async fn quiet_for(&self, quiet: Duration, most: Duration) {
        let mut since = None;
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.is_busy() {
                since = None;
                changed.await;
                continue;
            }
            let now = Instant::now();
            let last = *since.get_or_insert(now) + most;
            tokio::select! {
                biased;
                () = sleep_until(last.min(now + quiet)) => return,
                () = changed => {}
            }
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
        self.0.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn it_is_quiet_when_nothing_moves_or_what_moves_is_no_request_for_long() {
        let activity = Arc::new(Activity::default());
        for (moves, expected) in [(0, 5), (3, 11), (100, 20)] {
            let began = Instant::now();
            let busy = activity.begin();
            let moving = async {
                sleep(9 * SECOND).await;
                drop(busy);
                for _ in 0..moves {
                    sleep(2 * SECOND).await;
                    activity.moved();
                }
                std::future::pending::<()>().await;
            };
            tokio::select! {
                biased;
                () = activity.quiet_for(5 * SECOND, 20 * SECOND) => {}
                () = moving => {}
            }
            assert_eq!(began.elapsed(), (9 + expected) * SECOND, "{moves}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_given_when_its_last_byte_is_taken() {
        let activity = Arc::new(Activity::default());
        let began = Instant::now();
        let busy = activity.begin();
        let answering = async {
            sleep(SECOND).await;
            activity.unflushed(true);
            drop(busy);
            sleep(SECOND).await;
            assert!(!activity.is_settled());
            activity.unflushed(false);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            () = activity.settled() => {}
            () = answering => {}
        }
        assert_eq!(began.elapsed(), 2 * SECOND);
    }
}
