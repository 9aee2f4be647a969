//! Which answer a request gets.

use std::sync::{Mutex, PoisonError};

use crate::language::http::{Act, HttpApp, HttpVersion, Response, ResponseBody, Route};

/// An app's routes, with how often each was taken over all connections.
#[derive(Debug)]
pub(in crate::app) struct Router {
    app: HttpApp,
    taken: Mutex<Vec<u64>>,
}

impl Router {
    pub(in crate::app) fn new(app: &HttpApp) -> Self {
        Self { app: app.clone(), taken: Mutex::new(vec![0; app.routes.len()]) }
    }

    /// What the app speaks.
    pub(super) fn version(&self) -> HttpVersion {
        self.app.version
    }

    /// What the app does with the next request of this method and target: the first route that fits has a turn; 404 without one.
    pub(super) fn act(&self, method: &str, target: &str) -> Act {
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        let Some(index) = self.app.routes.iter().position(|route| fits(route, method, path)) else {
            return Act::Respond(Box::new(not_found()));
        };
        let turn = {
            let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = taken[index];
            taken[index] += 1;
            turn
        };
        answer(&self.app.routes[index], turn)
    }
}

fn fits(route: &Route, method: &str, path: &str) -> bool {
    route.method.as_deref().is_none_or(|only| only == method)
        && route.path.as_deref().is_none_or(|only| only == path)
}

/// The answer whose turn it is; the last one goes on for ever.
fn answer(route: &Route, turn: u64) -> Act {
    let mut until = 0;
    for answer in &route.answers {
        until += u64::from(answer.times);
        if turn < until {
            return answer.act.clone();
        }
    }
    route.answers.last().map_or_else(|| Act::Respond(Box::new(not_found())), |last| last.act.clone())
}

fn not_found() -> Response {
    Response {
        status: 404,
        headers: Vec::new(),
        body: ResponseBody::Nothing,
        framing: Default::default(),
        trailers: Vec::new(),
        delay: Default::default(),
        early: false,
        cut: None,
        last: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::http::Answer;

    fn route(method: Option<&str>, path: Option<&str>, answers: &[(u32, u16)]) -> Route {
        let answer = |(times, status): &(u32, u16)| Answer {
            times: *times,
            act: Act::Respond(Box::new(Response { status: *status, ..not_found() })),
        };
        Route {
            method: method.map(Into::into),
            path: path.map(Into::into),
            answers: answers.iter().map(answer).collect(),
        }
    }

    fn status(router: &Router, method: &str, target: &str) -> u16 {
        match router.act(method, target) {
            Act::Respond(response) => response.status,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_first_route_that_fits_answers_in_sequence_and_queries_do_not_count() {
        let routes = vec![
            route(Some("GET"), Some("/a"), &[(2, 503), (1, 200)]),
            route(None, Some("/a"), &[(1, 201)]),
            route(Some("GET"), None, &[(1, 202)]),
        ];
        let router = Router::new(&HttpApp { version: HttpVersion::V1, routes });
        let statuses: Vec<_> = (0..4).map(|_| status(&router, "GET", "/a?b=c")).collect();
        assert_eq!(statuses, [503, 503, 200, 200]);
        assert_eq!(status(&router, "POST", "/a"), 201);
        assert_eq!(status(&router, "GET", "/b"), 202);
        assert_eq!(status(&router, "POST", "/b"), 404);
    }
}
