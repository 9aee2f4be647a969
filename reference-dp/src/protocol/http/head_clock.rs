//! How long the head of a request may take on an HTTP/1.1 connection: from its first byte on, so that an idle connection is not meant.

use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// Since when a head is being read.
#[derive(Debug, Default)]
pub(super) struct HeadClock {
    since: Mutex<Option<Instant>>,
    changed: Notify,
}

impl HeadClock {
    /// Notes whether a head has begun and is not whole.
    pub(super) fn set(&self, in_head: bool) {
        {
            let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
            if in_head == since.is_some() {
                return;
            }
            *since = in_head.then(Instant::now);
        }
        self.changed.notify_waiters();
    }

    /// Waits until a head has taken longer than `limit`; `None`: for ever.
    pub(super) async fn overdue(&self, limit: Option<Duration>) {
        let Some(limit) = limit else { return std::future::pending().await };
        loop {
            let mut changed = pin!(self.changed.notified());
            // Registered before looking, so that no change is missed in between.
            changed.as_mut().enable();
            let since = *self.since.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(since) = since else {
                changed.await;
                continue;
            };
            tokio::select! {
                biased;
                () = changed => {}
                () = sleep_until(since + limit) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_head_has_its_time_from_its_first_byte_on() {
        let clock = HeadClock::default();
        let began = Instant::now();
        let limit = Duration::from_secs(3);
        let heads = async {
            for _ in 0..10 {
                tokio::time::sleep(2 * limit).await;
                clock.set(true);
                clock.set(true);
                tokio::time::sleep(limit / 2).await;
                clock.set(false);
            }
            clock.set(true);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            () = clock.overdue(Some(limit)) => {}
            () = heads => {}
        }
        assert_eq!(began.elapsed(), 10 * (2 * limit + limit / 2) + limit);
    }
}
