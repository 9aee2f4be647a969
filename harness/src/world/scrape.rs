//! Reads a sidecar's metrics over HTTP.

use std::net::SocketAddr;
use std::time::Duration;

use reference_dp::net::Network;
use tokio::time::timeout;

use crate::dataplane::http::{HttpError, exchange_to_end};

/// Longer than any answer of a sidecar that lives.
const LIMIT: Duration = Duration::from_secs(10);

/// The body of `GET path`, or why there is none.
pub(super) async fn scrape<N: Network>(
    network: &N,
    address: SocketAddr,
    path: &str,
) -> Result<String, String> {
    match timeout(LIMIT, get(network, address, path)).await {
        Ok(result) => result,
        Err(_) => Err(format!("no answer within {} s", LIMIT.as_secs())),
    }
}

async fn get<N: Network>(network: &N, address: SocketAddr, path: &str) -> Result<String, String> {
    let stream = network.connect(address).await.map_err(|error| format!("connect: {error}"))?;
    let answer =
        exchange_to_end(stream, ("GET", &address.to_string(), path)).await.map_err(|error| match error {
            HttpError::Io(error) => format!("read: {error}"),
            HttpError::Malformed(why) => why,
        })?;
    if answer.status != 200 {
        return Err(format!("status {}", answer.status));
    }
    String::from_utf8(answer.body).map_err(|_| "the body is no UTF-8".to_owned())
}
