//! An app's side of one connection.

use std::sync::Arc;

use reference_dp::net::Stream;
use reference_dp::spawn::Spawn;

use super::router::Router;
use super::shared::SharedLine;
use super::{h1, h2};
use crate::app::line::Line;
use crate::language::http::HttpVersion;

/// Answers what comes on `line`, until the connection is over. Dropping the future ends it.
pub(in crate::app) async fn serve<S: Stream>(line: Line<S>, router: &Arc<Router>, spawn: &Arc<dyn Spawn>) {
    let line = SharedLine::new(line);
    match router.version() {
        HttpVersion::V1 => h1::serve(&line, router).await,
        HttpVersion::V2 => h2::serve(&line, router, spawn).await,
    }
}
