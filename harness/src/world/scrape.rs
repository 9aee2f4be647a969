//! Reads a sidecar's metrics over HTTP.

use std::net::SocketAddr;
use std::time::Duration;

use reference_dp::net::Network;
use tokio::time::timeout;

use crate::dataplane::http::{HttpError, exchange, exchange_to_end};

/// Longer than any answer of a sidecar that lives.
const LIMIT: Duration = Duration::from_secs(10);

/// Whose metrics are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// Of a dataplane in this process, which ends a connection after its answer, as it is asked to.
    Task,
    /// Of somebody's program, which may leave it open.
    Program,
}

/// The body of `GET path`, or why there is none.
pub(super) async fn scrape<N: Network>(
    network: &N,
    address: SocketAddr,
    path: &str,
    of: Of,
) -> Result<String, String> {
    match timeout(LIMIT, get(network, address, path, of)).await {
        Ok(result) => result,
        Err(_) => Err(format!("no answer within {} s", LIMIT.as_secs())),
    }
}

async fn get<N: Network>(network: &N, address: SocketAddr, path: &str, of: Of) -> Result<String, String> {
    let stream = network.connect(address).await.map_err(|error| format!("connect: {error}"))?;
    let host = address.to_string();
    let request = ("GET", host.as_str(), path);
    let answer = match of {
        Of::Task => exchange_to_end(stream, request).await,
        Of::Program => exchange(stream, request).await,
    };
    let answer = answer.map_err(|error| match error {
        HttpError::Io(error) => format!("read: {error}"),
        HttpError::Malformed(why) => why,
    })?;
    if answer.status != 200 {
        return Err(format!("status {}", answer.status));
    }
    String::from_utf8(answer.body).map_err(|_| "the body is no UTF-8".to_owned())
}
