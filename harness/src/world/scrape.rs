//! Reads a sidecar's metrics over HTTP, with bytes of our own: the sidecar may be built on the client library we would take.

use std::net::SocketAddr;
use std::time::Duration;

use reference_dp::net::Network;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

/// Longer than any answer of a sidecar that lives.
const LIMIT: Duration = Duration::from_secs(10);
/// Larger than any answer of a sidecar that is well.
const SIZE_MAX: u64 = 16 << 20;

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
    let words = |what: &str, error: std::io::Error| format!("{what}: {error}");
    let mut stream = network.connect(address).await.map_err(|e| words("connect", e))?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.map_err(|e| words("write", e))?;
    let mut answer = Vec::new();
    (&mut stream).take(SIZE_MAX).read_to_end(&mut answer).await.map_err(|e| words("read", e))?;
    body(&answer)
}

/// The body of an HTTP/1.1 answer that ends with the connection.
fn body(answer: &[u8]) -> Result<String, String> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let head = match response.parse(answer) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Err("the answer's head is not whole".to_owned()),
        Err(error) => return Err(format!("the answer is no HTTP: {error}")),
    };
    if response.code != Some(200) {
        return Err(format!("status {}", response.code.unwrap_or(0)));
    }
    let header = |name: &str| {
        let found = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.map(|header| String::from_utf8_lossy(header.value).into_owned())
    };
    if header("transfer-encoding").is_some() {
        return Err("the answer is chunked, which this reader does not read".to_owned());
    }
    let body = &answer[head..];
    if let Some(length) = header("content-length")
        && length.trim() != body.len().to_string()
    {
        return Err(format!("content-length says {length}, the body has {} bytes", body.len()));
    }
    String::from_utf8(body.to_vec()).map_err(|_| "the body is no UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::body;

    #[test]
    fn a_whole_answer_gives_its_body() {
        assert_eq!(body(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"), Ok("ok".to_owned()));
        assert_eq!(body(b"HTTP/1.1 200 OK\r\n\r\nuntil the end"), Ok("until the end".to_owned()));
    }

    #[test]
    fn anything_else_is_an_error() {
        assert!(body(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok").is_err());
        assert!(body(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").is_err());
        assert!(body(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n").is_err());
        assert!(body(b"HTTP/1.1 200 OK\r\n").is_err());
        assert!(body(b"SSH-2.0-x\r\n\r\n").is_err());
    }
}
