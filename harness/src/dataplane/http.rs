//! Requests to a sidecar's admin endpoint, with bytes of our own: the sidecar may be built on the client library we would take.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Larger than any answer of a sidecar that is well.
const SIZE_MAX: usize = 16 << 20;

/// An answer, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The connection failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The answer is not whole, or none that is understood.
    #[error("{0}")]
    Malformed(String),
}

/// Sends a request without a body over a fresh connection, and reads the answer until it says that it is whole, or the connection ends: there are
/// servers that leave it open all the same.
///
/// # Errors
/// The connection breaks, or what comes is no whole HTTP/1.1 answer.
pub async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    request: (&str, &str, &str),
) -> Result<Answer, HttpError> {
    stream.write_all(head(request).as_bytes()).await?;
    let mut answer = Vec::new();
    while !seems_whole(&answer) && answer.len() < SIZE_MAX && stream.read_buf(&mut answer).await? > 0 {}
    parse(&answer).map_err(HttpError::Malformed)
}

/// As [`exchange`], until the connection ends: of a server that keeps its word, all that it sent.
///
/// # Errors
/// As [`exchange`].
pub async fn exchange_to_end<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    request: (&str, &str, &str),
) -> Result<Answer, HttpError> {
    stream.write_all(head(request).as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(SIZE_MAX as u64).read_to_end(&mut answer).await?;
    parse(&answer).map_err(HttpError::Malformed)
}

/// A request: method, host, path.
fn head((method, host, path): (&str, &str, &str)) -> String {
    let length = if method == "GET" { "" } else { "content-length: 0\r\n" };
    format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n{length}connection: close\r\n\r\n")
}

/// Whether nothing more is to come, as far as can be told before the connection ends.
fn seems_whole(answer: &[u8]) -> bool {
    // An answer with a length is one only once it has come to that length; one in chunks ends like this.
    parse(answer).is_ok_and(|_| has_end(answer))
}

/// Whether an answer says itself where it ends.
fn has_end(answer: &[u8]) -> bool {
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(answer.len());
    let head = String::from_utf8_lossy(&answer[..head]).to_ascii_lowercase();
    ["\r\ncontent-length:", "\r\ntransfer-encoding:"].iter().any(|name| head.contains(name))
}

/// An HTTP/1.1 answer that ends with its connection.
fn parse(answer: &[u8]) -> Result<Answer, String> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let head = match response.parse(answer) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Err("the answer's head is not whole".to_owned()),
        Err(error) => return Err(format!("the answer is no HTTP: {error}")),
    };
    let status = response.code.unwrap_or(0);
    let header = |name: &str| {
        let found = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.map(|header| String::from_utf8_lossy(header.value).trim().to_ascii_lowercase())
    };
    let rest = &answer[head..];
    let body = match (header("transfer-encoding").as_deref(), header("content-length")) {
        (Some("chunked"), _) => chunks(rest)?,
        (Some(other), _) => return Err(format!("the answer is in transfer-encoding {other}")),
        (None, Some(length)) if length != rest.len().to_string() => {
            return Err(format!("content-length says {length}, the body has {} bytes", rest.len()));
        }
        (None, _) => rest.to_vec(),
    };
    Ok(Answer { status, body })
}

/// The data of a chunked body, which must be whole.
fn chunks(mut rest: &[u8]) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    loop {
        let Ok(httparse::Status::Complete((start, size))) = httparse::parse_chunk_size(rest) else {
            return Err("the answer's chunks are broken".to_owned());
        };
        if size == 0 {
            // Whatever trailers there are.
            let end = rest.get(start..).is_some_and(|end| end == b"\r\n" || end.ends_with(b"\r\n\r\n"));
            return if end { Ok(body) } else { Err("the answer's chunks have no end".to_owned()) };
        }
        let chunk = usize::try_from(size).ok().and_then(|size| {
            let data = rest.get(start..start.checked_add(size)?)?;
            rest = rest.get(start + size..)?.strip_prefix(b"\r\n")?;
            Some(data)
        });
        body.extend_from_slice(chunk.ok_or("the answer's chunks are not whole")?);
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, parse};

    #[tokio::test]
    async fn an_answer_is_over_when_it_is_whole() {
        for answer in
            ["content-length: 2\r\n\r\nok", "transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"]
        {
            let answer = format!("HTTP/1.1 200 OK\r\n{answer}");
            let (ours, mut theirs) = tokio::io::duplex(1024);
            tokio::io::AsyncWriteExt::write_all(&mut theirs, answer.as_bytes()).await.unwrap();
            let answer = super::exchange(ours, ("GET", "x", "/")).await.unwrap();
            assert_eq!(answer.body, b"ok");
            drop(theirs);
        }
    }

    #[test]
    fn whole_answers_are_read() {
        for (answer, status, body) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", 200, "ok"),
            ("HTTP/1.1 503 No\r\n\r\nuntil the end", 503, "until the end"),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n",
                200,
                "abc0123456789",
            ),
        ] {
            assert_eq!(parse(answer.as_bytes()), Ok(Answer { status, body: body.into() }), "{answer}");
        }
    }

    #[test]
    fn anything_else_is_an_error() {
        for answer in [
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nab",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\nabc\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
            "HTTP/1.1 200 OK\r\n",
            "SSH-2.0-x\r\n\r\n",
            "",
        ] {
            assert!(parse(answer.as_bytes()).is_err(), "{answer}");
        }
    }
}
