//! When a process is ready: a program says nothing when its ports are bound, so it is asked, often and cheaply.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::sleep;

use super::child::Child;
use crate::dataplane::http::{Answer, HttpError, exchange};

/// Between two questions.
const EVERY: Duration = Duration::from_millis(5);

/// Where the system tells who listens.
const TABLES: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];

/// By what a process is known to be ready, as rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sign {
    Get(SocketAddr, String),
    Accepts(SocketAddr),
    Line(String),
}

/// Sends a request to an admin endpoint.
pub(super) async fn request(method: &str, address: SocketAddr, path: &str) -> Result<Answer, HttpError> {
    let stream = TcpStream::connect(address).await?;
    exchange(stream, (method, &address.to_string(), path)).await
}

/// Waits for the sign, if there is one to wait for, and until all `listeners` listen.
pub(super) async fn wait(sign: Option<&Sign>, listeners: &[SocketAddr], child: &Child) {
    if let Some(sign) = sign {
        while asked(sign, child).await.is_err() {
            sleep(EVERY).await;
        }
    }
    while !missing(listeners).is_empty() {
        sleep(EVERY).await;
    }
}

/// What is missing for it to be ready, each in words.
pub(super) async fn lacking(sign: Option<&Sign>, listeners: &[SocketAddr], child: &Child) -> Vec<String> {
    let mut lacking = Vec::new();
    if let Some(sign) = sign {
        lacking.extend(asked(sign, child).await.err());
    }
    let nobody = missing(listeners).into_iter().map(|address| format!("nobody listens at {address}"));
    lacking.extend(nobody);
    lacking
}

/// Waits until nobody listens at any of these addresses.
pub(super) async fn gone(listeners: &[SocketAddr]) {
    while missing(listeners).len() < listeners.len() && can_see() {
        sleep(EVERY).await;
    }
}

/// Looks for the sign; the error says what is there instead.
async fn asked(sign: &Sign, child: &Child) -> Result<(), String> {
    match sign {
        Sign::Get(address, path) => {
            let what = format!("GET http://{address}{path}");
            match request("GET", *address, path).await {
                Ok(Answer { status: 200, .. }) => Ok(()),
                Ok(answer) => Err(format!("{what} answered {}", answer.status)),
                Err(error) => Err(format!("{what}: {error}")),
            }
        }
        Sign::Accepts(address) => TcpStream::connect(address)
            .await
            .map(drop)
            .map_err(|error| format!("nobody answers at {address}: {error}")),
        Sign::Line(text) if child.said(text) => Ok(()),
        Sign::Line(text) => Err(format!("no line of its output has `{text}`")),
    }
}

/// Which of these addresses nobody listens at; none, where the system does not tell. Connecting would tell too, but be counted.
pub(super) fn missing(listeners: &[SocketAddr]) -> Vec<SocketAddr> {
    let tables = TABLES.map(|table| File::open(table).map(BufReader::new));
    if tables.iter().all(Result::is_err) {
        return Vec::new();
    }
    let listening: Vec<_> = tables.into_iter().flatten().flat_map(listening).collect();
    let listens = |wanted: &SocketAddr| {
        let takes = |at: &SocketAddr| at.ip() == wanted.ip() || at.ip().is_unspecified();
        listening.iter().any(|at| at.port() == wanted.port() && takes(at))
    };
    listeners.iter().copied().filter(|wanted| !listens(wanted)).collect()
}

/// Whether the system tells who listens.
fn can_see() -> bool {
    TABLES.iter().any(|table| fs::metadata(table).is_ok())
}

/// The local addresses in state LISTEN of a table as `/proc/net/tcp`. They come first (kernel, networking/proc_net_tcp): the rest, connections by the
/// thousands, is not read.
fn listening(table: impl BufRead) -> Vec<SocketAddr> {
    const LISTEN: &str = "0A";
    let listener = |line: String| {
        let mut columns = line.split_ascii_whitespace().skip(1);
        let (local, _remote, state) = (columns.next()?, columns.next()?, columns.next()?);
        (state == LISTEN).then(|| address(local))
    };
    table.lines().map_while(Result::ok).skip(1).map_while(listener).flatten().collect()
}

/// `0100007F:1F90`: words of 32 bits in the byte order of the machine.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        ip.get(at * 8..at * 8 + 8).and_then(|word| u32::from_str_radix(word, 16).ok()).map(u32::to_ne_bytes)
    };
    let ip: IpAddr = match ip.len() {
        8 => Ipv4Addr::from(word(0)?).into(),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            Ipv6Addr::from(<[u8; 16]>::try_from(words.concat()).ok()?).into()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_listens_is_seen_without_connecting() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(missing(&[address]), []);
        assert!(can_see());
        drop(listener);
        assert_eq!(missing(&[address]), [address]);
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn tables_are_read() {
        let table = "  sl  local_address rem_address   st tx_queue\n   \
                     0: 0300007F:1F90 00000000:0000 0A 00000000:00000000\n   \
                     1: 00000000000000000000000001000000:0050 0:0 0A x\n   \
                     2: 0100007F:1F91 0100007F:ABCD 01 00000000:00000000\n   \
                     3: never read\n";
        assert_eq!(
            listening(table.as_bytes()),
            ["127.0.0.3:8080".parse().unwrap(), "[::1]:80".parse().unwrap()]
        );
    }
}
