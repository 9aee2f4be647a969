//! One request: try, try again, time out, answer.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use tokio::time::{Instant, sleep};

use super::activity::Busy;
use super::answer::{Answer, Underway};
use super::answer_head::{self, Own};
use super::failure::Failure;
use super::grpc;
use super::hop::{Caller, Hop};
use super::pool::{AnswerBody, Tried};
use super::replay::{Breach, Replay};
use super::request_head;
use super::retry::{Outcome, is_retriable, wait};
use super::screen::screen;
use super::watch::{Overdue, Watch};
use crate::plan::{HttpVersion, Retry};
use crate::telemetry::request::{self, RequestEvent, TryCause};

/// Answers one request of a caller.
pub(super) async fn serve(
    hop: Arc<Hop>,
    caller: Option<Arc<Caller>>,
    request: Request<Incoming>,
    watch: Arc<Watch>,
    busy: Busy,
) -> Result<Response<Answer>, Infallible> {
    let (mut head, body) = request.into_parts();
    let http1 = head.version < Version::HTTP_2;
    let version = if http1 { HttpVersion::V1 } else { HttpVersion::V2 };
    let method = head.method.clone();
    let is_grpc = grpc::is_call(&head.headers);
    watch.begin(&hop.policy);
    let mut underway = Underway {
        account: request::Request::begin(hop.observer.clone(), version),
        watch,
        lifecycle: hop.lifecycle.clone(),
        _busy: busy,
    };
    let own = match admit(&mut head, caller.as_deref(), &hop, &underway.account) {
        Ok(()) => {
            let replay = Replay::new(body, hop.policy.retry.is_some(), underway.watch.clone());
            let exchange = Exchange { hop: &hop, method: &method, head, replay, underway: &mut underway };
            match exchange.run().await {
                Ok((response, replay)) => {
                    return Ok(Answer::of_endpoint(response, &method, replay, underway));
                }
                Err(own) => own,
            }
        }
        Err(own) => own,
    };
    let mut response = own.into_response(http1, &*hop.clock);
    if is_grpc {
        grpc::translate(&mut response);
    }
    Ok(Answer::own(response, &method, underway))
}

/// Screens a request and makes its head ready to go on.
fn admit(
    head: &mut Parts,
    caller: Option<&Caller>,
    hop: &Hop,
    account: &request::Request,
) -> Result<(), Own> {
    screen(head, &hop.direction).map_err(Own::refusal)?;
    if let Some(caller) = caller {
        account.tell(&RequestEvent::Judged { allowed: caller.allowed });
        if !caller.allowed {
            tracing::debug!(caller = ?caller.uris, "not permitted");
            return Err(Own::denied());
        }
    }
    request_head::prepare(head, caller, hop).ok_or_else(Own::malformed)
}

/// A request that was let through.
struct Exchange<'a> {
    hop: &'a Hop,
    method: &'a Method,
    /// Given away with the last possible try.
    head: Parts,
    replay: Replay<Incoming>,
    underway: &'a mut Underway,
}

/// Why a try has no answer.
enum Missed {
    Failed(Failure),
    TimedOut,
    Overdue(Overdue),
}

impl Exchange<'_> {
    /// Tries until there is an answer that is the caller's, or the sidecar must give one of its own.
    async fn run(mut self) -> Result<(Response<AnswerBody>, Replay<Incoming>), Own> {
        if self.hop.pool.is_empty() {
            self.underway.account.tell(&RequestEvent::NoEndpoint);
            return Err(Own::failure(Failure::NoEndpoint, false));
        }
        let mut tried = Tried::default();
        let mut retries = 0;
        loop {
            self.underway.account.try_begins();
            let head = self.head(retries);
            let (outcome, answer) = match self.attempt(head, &mut tried).await {
                Ok(response) => (Outcome::Status(response.status().as_u16()), Some(response)),
                Err(Missed::Failed(failure)) => (Outcome::Failed(failure), None),
                Err(Missed::TimedOut) => (Outcome::TimedOut, None),
                Err(Missed::Overdue(overdue)) => return Err(self.overdue(overdue)),
            };
            if let Some(pause) = self.again(outcome, retries) {
                drop(answer);
                self.tried(outcome);
                self.underway.account.tell(&RequestEvent::Retrying);
                retries += 1;
                let watch = self.underway.watch.clone();
                tokio::select! {
                    biased;
                    overdue = watch.overdue() => return Err(self.overdue(overdue)),
                    () = sleep(pause) => continue,
                }
            }
            let Some(mut response) = answer else {
                self.tried(outcome);
                return Err(self.given_up(outcome, retries > 0));
            };
            // Over all tries, as the caller waits; an answer to a part of the request was not waited for.
            let took = self.underway.watch.asked_at().map(|asked| asked.elapsed());
            answer_head::prepare(response.headers_mut(), took, &*self.hop.clock);
            self.replay.no_other_try();
            return Ok((response, self.replay));
        }
    }

    /// The head for the next try.
    fn head(&mut self, retries: u32) -> Parts {
        if self.hop.policy.retry.as_ref().is_some_and(|retry| retries < retry.retries) {
            return self.head.clone();
        }
        std::mem::replace(&mut self.head, Request::new(()).into_parts().0)
    }

    /// One try, until the head of its answer.
    async fn attempt(&self, head: Parts, tried: &mut Tried) -> Result<Response<AnswerBody>, Missed> {
        let request = Request::from_parts(head, self.replay.again());
        let began = Instant::now();
        let watch = &self.underway.watch;
        let sent = self.hop.pool.send(request, &self.underway.account, tried);
        tokio::select! {
            biased;
            answer = sent => answer.map_err(Missed::Failed),
            overdue = watch.overdue() => Err(Missed::Overdue(overdue)),
            () = self.try_times_out(began) => Err(Missed::TimedOut),
        }
    }

    async fn try_times_out(&self, began: Instant) {
        let policy = self.hop.policy.retry.as_ref();
        match policy.and_then(|retry| retry.per_try_timeout) {
            Some(limit) => self.underway.watch.after_asked(began, limit).await,
            None => std::future::pending().await,
        }
    }

    /// Whether there will be another try, and after what pause.
    fn again(&self, outcome: Outcome, retries: u32) -> Option<Duration> {
        let retry: &Retry = self.hop.policy.retry.as_ref()?;
        if !retry.on.is_for(self.method.as_str()) || !is_retriable(outcome, &retry.on) {
            return None;
        }
        let account = &self.underway.account;
        if retries >= retry.retries {
            account.tell(&RequestEvent::RetriesExhausted);
            return None;
        }
        if !self.replay.can_be_sent_again() {
            account.tell(&RequestEvent::RetryUnbuffered);
            return None;
        }
        Some(wait(retry.back_off, retries, self.hop.random))
    }

    /// The try brought nothing for the caller.
    fn tried(&mut self, outcome: Outcome) {
        let account = &mut self.underway.account;
        match outcome {
            Outcome::Status(status) => account.try_ends(Some(status), TryCause::Answered),
            Outcome::Failed(failure) => account.try_ends(None, failure.cause()),
            Outcome::TimedOut => account.try_ends(None, TryCause::TryTimedOut),
        }
    }

    fn given_up(&self, outcome: Outcome, retried: bool) -> Own {
        match (outcome, self.replay.breach()) {
            (_, Some(Breach::Malformed)) => Own::malformed(),
            (Outcome::Failed(failure), _) => Own::failure(failure, retried),
            (Outcome::TimedOut | Outcome::Status(_), _) => {
                Own::overdue(StatusCode::GATEWAY_TIMEOUT, "upstream request timeout")
            }
        }
    }

    /// The time is over before any answer.
    fn overdue(&mut self, overdue: Overdue) -> Own {
        let cause = if overdue == Overdue::Idle { TryCause::Idle } else { TryCause::TimedOut };
        self.underway.account.try_ends(None, cause);
        let whole = self.underway.watch.asked_at().is_some();
        let status = if whole { StatusCode::GATEWAY_TIMEOUT } else { StatusCode::REQUEST_TIMEOUT };
        match overdue {
            Overdue::Request => Own::overdue(StatusCode::GATEWAY_TIMEOUT, "upstream request timeout"),
            Overdue::Idle => Own::overdue(status, "stream timeout"),
            Overdue::Duration => Own::overdue(status, "upstream max stream duration reached"),
        }
    }
}
