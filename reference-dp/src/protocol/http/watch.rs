//! The clocks of one request: how long its answer may take, how long nothing may move, how long all of it may last.

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::plan::HttpPolicy;

tokio::task_local! {
    /// Of the HTTP/2 stream whose task this is: hyper gives streams their tasks, and takes no other word from outside.
    pub(super) static STREAM: std::sync::Arc<Watch>;
}

/// Which of the clocks ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overdue {
    /// No whole answer in time after the end of the request.
    Request,
    /// Nothing moved.
    Idle,
    /// The stream as a whole took too long.
    Duration,
}

/// The clocks of one request. Until the head of an answer is given to the caller, who waits for the answer also looks at them; from then on the
/// caller's connection does, for a caller that reads nothing more keeps the answer from being looked at.
#[derive(Debug, Default)]
pub(super) struct Watch {
    state: Mutex<Option<Times>>,
    changed: Notify,
}

#[derive(Debug)]
struct Times {
    request: Option<Duration>,
    idle: Option<Duration>,
    duration: Option<Duration>,
    began: Instant,
    moved: Instant,
    /// When the request was whole.
    asked: Option<Instant>,
    /// Whether the caller has the head of an answer.
    answering: bool,
}

impl Times {
    /// The clock that runs out next.
    fn next(&self) -> Option<(Instant, Overdue)> {
        let request = self.request.zip(self.asked).map(|(limit, asked)| (asked + limit, Overdue::Request));
        let idle = self.idle.map(|limit| (self.moved + limit, Overdue::Idle));
        let duration = self.duration.map(|limit| (self.began + limit, Overdue::Duration));
        [request, idle, duration].into_iter().flatten().min_by_key(|(at, _)| *at)
    }
}

impl Watch {
    /// A request begins.
    pub(super) fn begin(&self, policy: &HttpPolicy) {
        let now = Instant::now();
        *self.state() = Some(Times {
            request: policy.request_timeout,
            idle: policy.stream_idle_timeout,
            duration: policy.max_stream_duration,
            began: now,
            moved: now,
            asked: None,
            answering: false,
        });
        self.changed.notify_waiters();
    }

    /// A part of the request or of its answer moved.
    pub(super) fn moved(&self) {
        if let Some(times) = &mut *self.state() {
            times.moved = Instant::now();
        }
    }

    /// The request is whole.
    pub(super) fn asked(&self) {
        if let Some(times) = &mut *self.state() {
            times.asked.get_or_insert_with(Instant::now);
        }
        self.changed.notify_waiters();
    }

    /// Since when the request is whole, if it is.
    pub(super) fn asked_at(&self) -> Option<Instant> {
        self.state().as_ref().and_then(|times| times.asked)
    }

    /// The head of the answer goes to the caller.
    pub(super) fn answering(&self) {
        if let Some(times) = &mut *self.state() {
            (times.answering, times.moved) = (true, Instant::now());
        }
        self.changed.notify_waiters();
    }

    /// The request is over.
    pub(super) fn end(&self) {
        *self.state() = None;
        self.changed.notify_waiters();
    }

    /// Which clock has run out, if any.
    pub(super) fn ran_out(&self) -> Option<Overdue> {
        let next = self.state().as_ref().and_then(Times::next);
        next.filter(|(at, _)| *at <= Instant::now()).map(|(_, overdue)| overdue)
    }

    /// Waits until a clock runs out.
    pub(super) async fn overdue(&self) -> Overdue {
        self.runs_out(Times::next).await
    }

    /// Waits until a clock runs out while an answer is on its way: it can only be cut.
    pub(super) async fn cut(&self) {
        self.runs_out(|times| if times.answering { times.next() } else { None }).await;
    }

    /// Waits until `limit` has passed since the later of `since` and the end of the request.
    pub(super) async fn after_asked(&self, since: Instant, limit: Duration) {
        self.runs_out(|times| times.asked.map(|asked| (asked.max(since) + limit, Overdue::Request))).await;
    }

    async fn runs_out(&self, next: impl Fn(&Times) -> Option<(Instant, Overdue)>) -> Overdue {
        loop {
            let mut changed = pin!(self.changed.notified());
            // Registered before looking, so that no change is missed in between.
            changed.as_mut().enable();
            let next = self.state().as_ref().and_then(&next);
            match next {
                Some((at, overdue)) if at <= Instant::now() => return overdue,
                Some((at, _)) => tokio::select! {
                    biased;
                    () = changed => {}
                    () = sleep_until(at) => {}
                },
                None => changed.await,
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, Option<Times>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn policy(request: Option<u32>, idle: Option<u32>, duration: Option<u32>) -> HttpPolicy {
        let seconds = |limit: Option<u32>| limit.map(|limit| limit * SECOND);
        HttpPolicy {
            request_timeout: seconds(request),
            request_headers_timeout: None,
            stream_idle_timeout: seconds(idle),
            max_stream_duration: seconds(duration),
            retry: None,
            normalize_path: false,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_for_an_answer_begins_when_the_request_is_whole() {
        let watch = Watch::default();
        let began = Instant::now();
        watch.begin(&policy(Some(15), None, None));
        let upload = async {
            tokio::time::sleep(100 * SECOND).await;
            watch.asked();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            overdue = watch.overdue() => assert_eq!(overdue, Overdue::Request),
            () = upload => {}
        }
        assert_eq!(began.elapsed(), 115 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn what_moves_is_not_idle_but_may_still_last_too_long() {
        let watch = Watch::default();
        let began = Instant::now();
        watch.begin(&policy(None, Some(10), Some(60)));
        let moving = async {
            loop {
                tokio::time::sleep(9 * SECOND).await;
                watch.moved();
            }
        };
        tokio::select! {
            biased;
            overdue = watch.overdue() => assert_eq!(overdue, Overdue::Duration),
            () = moving => {}
        }
        assert_eq!(began.elapsed(), 60 * SECOND);
        watch.begin(&policy(None, Some(10), Some(60)));
        assert_eq!(watch.overdue().await, Overdue::Idle);
        assert_eq!(began.elapsed(), 70 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_cut_only_once_it_has_begun() {
        let watch = Watch::default();
        let began = Instant::now();
        watch.begin(&policy(Some(5), None, None));
        watch.asked();
        let answer = async {
            tokio::time::sleep(7 * SECOND).await;
            watch.answering();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            () = watch.cut() => {}
            () = answer => {}
        }
        assert_eq!(began.elapsed(), 7 * SECOND);
        assert_eq!(watch.ran_out(), Some(Overdue::Request));
        watch.end();
        assert_eq!(watch.ran_out(), None);
    }
}
