//! The fidelity table: the same cases on the simulator's kernel and on real loopback sockets, with equal answers.
//!
//! Each row drives two ends of connections through the `Network` seam and tells in words what they saw. The simulator runs each row with several
//! seeds, so that its disturbances and delays are part of the question.

use std::fmt::Write as _;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use harness::sim::run::{Config, run};
use harness::sim::topology::Topology;
use reference_dp::net::real::RealNetwork;
use reference_dp::net::{Accepted, Listener, Network, Stream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::oneshot;
use tokio::time::timeout;

const SEEDS: u64 = 8;

/// Two hosts: a client's and a server's.
#[derive(Clone)]
struct Pair<N: Network> {
    client: N,
    server: N,
    /// Where the server may listen, port 0.
    address: SocketAddr,
}

impl<N: Network> Pair<N> {
    async fn listen(&self) -> (N::Listener, SocketAddr) {
        let listener = self.server.bind(self.address).await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        (listener, address)
    }

    /// A connection: the client's end and the server's.
    async fn connect(&self) -> (N::Stream, N::Stream) {
        let (mut listener, address) = self.listen().await;
        let (client, server) = tokio::join!(self.client.connect(address), listener.accept());
        (client.expect("connects"), server.expect("accepts").stream)
    }
}

/// In words, how a read until the end went.
async fn drain(stream: &mut (impl Stream + ?Sized)) -> String {
    let mut all = Vec::new();
    let mut buf = vec![0; 64 * 1024];
    loop {
        match stream.read(&mut buf).await {
            Ok(0) => return format!("{} then eof", summary(&all)),
            Ok(n) => all.extend_from_slice(&buf[..n]),
            Err(error) => return format!("{} then {}", summary(&all), word(&error)),
        }
    }
}

fn summary(bytes: &[u8]) -> String {
    if bytes.len() <= 16 {
        return format!("{:?}", String::from_utf8_lossy(bytes));
    }
    let sum = bytes
        .iter()
        .enumerate()
        .fold(0_u64, |sum, (i, b)| sum.wrapping_mul(31).wrapping_add(i as u64 ^ u64::from(*b)));
    format!("{} bytes ({sum:x})", bytes.len())
}

fn word(error: &io::Error) -> String {
    format!("{:?}", error.kind())
}

/// Writes until an error, at most 64 MiB; the kind of the error.
async fn write_until_error(stream: &mut (impl Stream + ?Sized)) -> String {
    let block = vec![7; 64 * 1024];
    for _ in 0..1024 {
        if let Err(error) = stream.write_all(&block).await {
            return word(&error);
        }
    }
    "no error".to_owned()
}

/// Writes until the stream takes no more for a while, at most 64 MiB; how much went.
async fn write_until_blocked(stream: &mut (impl Stream + ?Sized)) -> Option<usize> {
    let block = vec![7; 64 * 1024];
    let mut sent = 0;
    while sent < 64 << 20 {
        match timeout(Duration::from_millis(500), stream.write(&block)).await {
            Ok(Ok(n)) => sent += n,
            Ok(Err(_)) => return None,
            Err(_) => return Some(sent),
        }
    }
    None
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| u8::try_from((i * 7 + i / 251) % 256).unwrap_or(0)).collect()
}

macro_rules! rows {
    ($($(#[doc = $doc:literal])* $name:ident ($pair:ident) $body:block)*) => {
        $($(#[doc = $doc])* async fn $name<N: Network>($pair: Pair<N>) -> String $body)*

        /// Names of all rows.
        const ROWS: &[&str] = &[$(stringify!($name)),*];

        fn start<N: Network>(name: &str, pair: Pair<N>) -> Pin<Box<dyn Future<Output = String>>> {
            match name {
                $(stringify!($name) => Box::pin($name(pair)),)*
                other => panic!("no row is called {other}"),
            }
        }
    };
}

rows! {
    /// Bytes come back.
    echo(pair) {
        let (mut client, mut server) = pair.connect().await;
        client.write_all(b"hello").await.unwrap();
        let mut buf = [0; 5];
        server.read_exact(&mut buf).await.unwrap();
        server.write_all(&buf).await.unwrap();
        drop(server);
        drain(&mut client).await
    }
    /// Data, then a close: data, then the end.
    data_then_close(pair) {
        let (mut client, mut server) = pair.connect().await;
        server.write_all(b"bye").await.unwrap();
        drop(server);
        drain(&mut client).await
    }
    /// The client closes its direction; the server's goes on.
    half_close_by_client(pair) {
        let (mut client, mut server) = pair.connect().await;
        client.write_all(b"ask").await.unwrap();
        client.shutdown().await.unwrap();
        let asked = drain(&mut server).await;
        server.write_all(b"answer").await.unwrap();
        drop(server);
        format!("server: {asked}; client: {}", drain(&mut client).await)
    }
    /// The server closes its direction; the client's goes on.
    half_close_by_server(pair) {
        let (mut client, mut server) = pair.connect().await;
        server.shutdown().await.unwrap();
        let first = drain(&mut client).await;
        client.write_all(&bytes(100_000)).await.unwrap();
        client.shutdown().await.unwrap();
        format!("client: {first}; server: {}", drain(&mut server).await)
    }
    /// Both close their directions at once.
    half_close_by_both(pair) {
        let (mut client, mut server) = pair.connect().await;
        let (a, b) = tokio::join!(client.shutdown(), server.shutdown());
        let (c, s) = tokio::join!(drain(&mut client), drain(&mut server));
        format!("{a:?} {b:?} {c} {s}")
    }
    /// A second shutdown is no error.
    shutdown_twice(pair) {
        let (mut client, _server) = pair.connect().await;
        format!("{:?} {:?}", client.shutdown().await.is_ok(), client.shutdown().await.is_ok())
    }
    /// Writing after one's own shutdown.
    write_after_shutdown(pair) {
        let (mut client, _server) = pair.connect().await;
        client.shutdown().await.unwrap();
        client.write_all(b"x").await.map_err(|e| word(&e)).unwrap_err()
    }
    /// Nothing listens.
    refused(pair) {
        let (listener, address) = pair.listen().await;
        drop(listener);
        pair.client.connect(address).await.map(|_| ()).map_err(|e| word(&e)).unwrap_err()
    }
    /// A second listener at one address.
    address_in_use(pair) {
        let (_listener, address) = pair.listen().await;
        pair.server.bind(address).await.map(|_| ()).map_err(|e| word(&e)).unwrap_err()
    }
    /// An address is free again once its listener is gone.
    address_free_again(pair) {
        let (listener, address) = pair.listen().await;
        drop(listener);
        format!("{}", pair.server.bind(address).await.is_ok())
    }
    /// A reset: the reader sees it once, then an end.
    reset_then_reads(pair) {
        let (mut client, server) = pair.connect().await;
        server.reset();
        format!("{}; {}", drain(&mut client).await, drain(&mut client).await)
    }
    /// A reset: the writer sees it once, then a broken pipe.
    reset_then_writes(pair) {
        let (mut client, server) = pair.connect().await;
        server.reset();
        let first = write_until_error(&mut client).await;
        format!("{first}; {}", client.write_all(b"x").await.map_err(|e| word(&e)).unwrap_err())
    }
    /// Data before a reset is still read.
    data_then_reset(pair) {
        let (mut client, mut server) = pair.connect().await;
        server.write_all(b"last words").await.unwrap();
        // The data is with the client before the reset leaves: real kernels may drop what is not.
        let mut first = [0; 4];
        client.read_exact(&mut first).await.unwrap();
        server.reset();
        format!("{:?} {}", String::from_utf8_lossy(&first), drain(&mut client).await)
    }
    /// Closing with unread data is a reset.
    close_with_unread_data(pair) {
        let (mut client, mut server) = pair.connect().await;
        client.write_all(b"never read").await.unwrap();
        let mut one = [0; 1];
        server.read_exact(&mut one).await.unwrap();
        drop(server);
        drain(&mut client).await
    }
    /// Data for a socket that nobody holds: the first write goes, a later one fails; reads see the end that came first.
    write_after_peer_closed(pair) {
        let (mut client, server) = pair.connect().await;
        drop(server);
        let end = drain(&mut client).await;
        format!("{end}; {}; {}", write_until_error(&mut client).await, drain(&mut client).await)
    }
    /// The same without reading the end first.
    write_after_peer_closed_unread(pair) {
        let (mut client, server) = pair.connect().await;
        drop(server);
        let failed = write_until_error(&mut client).await;
        // Which of the two errors comes depends on whether the FIN or the RST was seen first; both tell the writer.
        format!("{}", failed == "BrokenPipe" || failed == "ConnectionReset")
    }
    /// A client closes its direction, the server drops: both see ends.
    half_close_then_drop(pair) {
        let (mut client, mut server) = pair.connect().await;
        client.shutdown().await.unwrap();
        let end = drain(&mut server).await;
        drop(server);
        format!("{end}; {}", drain(&mut client).await)
    }
    /// A reader that stalls blocks the writer; when it reads on, everything arrives.
    stalled_reader_blocks_writer(pair) {
        let (mut client, mut server) = pair.connect().await;
        let sent = write_until_blocked(&mut client).await;
        let Some(sent) = sent else { return "never blocked".to_owned() };
        client.shutdown().await.unwrap();
        let mut got = 0;
        let mut buf = vec![0; 64 * 1024];
        while let Ok(n @ 1..) = server.read(&mut buf).await {
            got += n;
        }
        format!("blocked: {}, whole: {}", sent < 64 << 20, got == sent)
    }
    /// A writer blocked by a stalled reader sees its reset.
    reset_frees_blocked_writer(pair) {
        let (mut client, server) = pair.connect().await;
        let blocked = write_until_blocked(&mut client).await.is_some();
        server.reset();
        format!("{blocked} {}", write_until_error(&mut client).await)
    }
    /// A writer blocked by a stalled reader sees its close: data is unread, so it is a reset.
    close_frees_blocked_writer(pair) {
        let (mut client, server) = pair.connect().await;
        let blocked = write_until_blocked(&mut client).await.is_some();
        drop(server);
        format!("{blocked} {}", write_until_error(&mut client).await)
    }
    /// Small reads of what filled every buffer.
    small_reads_of_a_closed_window(pair) {
        let (mut client, mut server) = pair.connect().await;
        let message = bytes(600_000);
        let write = async {
            client.write_all(&message).await.unwrap();
            client.shutdown().await.unwrap();
        };
        let read = async {
            let mut all = Vec::new();
            let mut buf = [0; 700];
            while let Ok(n @ 1..) = server.read(&mut buf).await {
                all.extend_from_slice(&buf[..n]);
            }
            summary(&all)
        };
        tokio::join!(write, read).1
    }
    /// Megabytes one way.
    big_transfer(pair) {
        let (mut client, mut server) = pair.connect().await;
        let message = bytes(4 << 20);
        let write = async {
            client.write_all(&message).await.unwrap();
            client.shutdown().await.unwrap();
        };
        tokio::join!(write, drain(&mut server)).1
    }
    /// Megabytes both ways at once.
    big_transfers_both_ways(pair) {
        async fn both<S: Stream>(stream: S, message: Vec<u8>) -> String {
            let (mut read, mut write) = tokio::io::split(stream);
            let send = async {
                write.write_all(&message).await.unwrap();
                write.shutdown().await.unwrap();
            };
            let receive = async {
                let mut all = Vec::new();
                read.read_to_end(&mut all).await.unwrap();
                summary(&all)
            };
            tokio::join!(send, receive).1
        }
        let (client, server) = pair.connect().await;
        let (c, s) = tokio::join!(both(client, bytes(3 << 20)), both(server, bytes(2 << 20)));
        format!("{c}; {s}")
    }
    /// Many connections at once.
    many_connects(pair) {
        let (mut listener, address) = pair.listen().await;
        let connect = async {
            let mut streams = Vec::new();
            for i in 0..200_u8 {
                let mut stream = pair.client.connect(address).await.unwrap();
                stream.write_all(&[i]).await.unwrap();
                streams.push(stream);
            }
            streams
        };
        let accept = async {
            let mut streams = Vec::new();
            let mut sum = 0_u64;
            for _ in 0..200 {
                let mut stream = listener.accept().await.unwrap().stream;
                sum += u64::from(stream.read_u8().await.unwrap());
                streams.push(stream);
            }
            (streams, sum)
        };
        let (clients, (servers, sum)) = tokio::join!(connect, accept);
        format!("{} {} {sum}", clients.len(), servers.len())
    }
    /// A connection waits in the backlog; what was written meanwhile is read after the accept.
    backlog(pair) {
        let (mut listener, address) = pair.listen().await;
        let mut client = pair.client.connect(address).await.unwrap();
        client.write_all(b"early").await.unwrap();
        client.shutdown().await.unwrap();
        let mut server = listener.accept().await.unwrap().stream;
        drain(&mut server).await
    }
    /// A listener closes with a connection that nobody accepted.
    listener_closes_with_backlog(pair) {
        let (listener, address) = pair.listen().await;
        let mut client = pair.client.connect(address).await.unwrap();
        client.write_all(b"x").await.unwrap();
        drop(listener);
        drain(&mut client).await
    }
    /// Accepted connections outlive their listener.
    connection_outlives_listener(pair) {
        let (mut client, mut server) = pair.connect().await;
        server.write_all(b"still here").await.unwrap();
        drop(server);
        drain(&mut client).await
    }
    /// Both ends agree on the addresses.
    addresses(pair) {
        let (mut listener, address) = pair.listen().await;
        let (client, server) = tokio::join!(pair.client.connect(address), listener.accept());
        let (client, Accepted { stream, peer, original_destination }) = (client.unwrap(), server.unwrap());
        let mut out = String::new();
        write!(out, "{} ", client.local_addr().unwrap() == peer).unwrap();
        write!(out, "{} ", client.peer_addr().unwrap() == address).unwrap();
        write!(out, "{} ", stream.peer_addr().unwrap() == peer).unwrap();
        write!(out, "{}", original_destination == address).unwrap();
        out
    }
    /// A connect given up before it is done: the server sees an end or nothing, and others are served.
    connect_cancelled(pair) {
        let (mut listener, address) = pair.listen().await;
        let cancelled = timeout(Duration::ZERO, pair.client.connect(address)).await;
        drop(cancelled);
        let mut second = pair.client.connect(address).await.unwrap();
        second.write_all(b"served").await.unwrap();
        second.shutdown().await.unwrap();
        loop {
            let mut stream = listener.accept().await.unwrap().stream;
            let seen = drain(&mut stream).await;
            if seen.starts_with("\"served") {
                return seen;
            }
        }
    }
    /// A task waits for data while the other end is silent, then gets it.
    late_data(pair) {
        let (mut client, mut server) = pair.connect().await;
        let (go, wait) = oneshot::channel();
        let read = async {
            go.send(()).unwrap();
            let mut buf = [0; 4];
            client.read_exact(&mut buf).await.unwrap();
            String::from_utf8_lossy(&buf).into_owned()
        };
        let write = async {
            wait.await.unwrap();
            server.write_all(b"late").await.unwrap();
        };
        tokio::join!(read, write).0
    }
    /// After a half-close, the closed direction's end may still reset the other.
    reset_after_half_close(pair) {
        let (mut client, mut server) = pair.connect().await;
        client.shutdown().await.unwrap();
        let end = drain(&mut server).await;
        client.reset();
        let after = write_until_error(&mut server).await;
        format!("{end}; {}", after == "BrokenPipe" || after == "ConnectionReset")
    }
    /// A port can be bound again as soon as nobody listens, though other ends of its connections are still there.
    listens_again(pair) {
        let (mut listener, address) = pair.listen().await;
        let taken = pair.server.bind(address).await.err().map(|error| word(&error));
        let (client, server) = tokio::join!(pair.client.connect(address), listener.accept());
        let mut old = client.expect("connects");
        drop(server.expect("accepts").stream);
        drop(listener);
        let nobody = pair.client.connect(address).await.err().map(|error| word(&error));
        let (mut listener, again) = match pair.server.bind(address).await {
            Ok(listener) => (listener, address),
            Err(error) => return format!("{taken:?}; {nobody:?}; not again: {}", word(&error)),
        };
        let (client, server) = tokio::join!(pair.client.connect(again), listener.accept());
        let (mut client, mut server) = (client.expect("connects"), server.expect("accepts").stream);
        server.write_all(b"new").await.unwrap();
        drop(server);
        format!("{taken:?}; {nobody:?}; old: {}; new: {}", drain(&mut old).await, drain(&mut client).await)
    }
    /// Who was not yet accepted when the listener closed is reset, and not found by the next listener.
    listener_closes_before_accept(pair) {
        let (listener, address) = pair.listen().await;
        let mut waits = pair.client.connect(address).await.expect("connects");
        drop(listener);
        let told = drain(&mut waits).await;
        let mut listener = pair.server.bind(address).await.expect("a free port");
        let (client, server) = tokio::join!(pair.client.connect(address), listener.accept());
        let (client, server) = (client.expect("connects"), server.expect("accepts").stream);
        let same = client.local_addr().ok() == server.peer_addr().ok();
        format!("{told}; the next one is accepted: {same}")
    }
    /// An answer that crosses the client's drop.
    drop_crosses_answer(pair) {
        let (client, mut server) = pair.connect().await;
        drop(client);
        let first = server.write_all(b"answer").await.is_ok();
        format!("{first} {}", write_until_error(&mut server).await != "no error")
    }
}

fn on_the_simulator(name: &'static str, seed: u64) -> String {
    let topology = Topology::of_pods([("a", false), ("b", false)]);
    let outcome = run(&Config { seed, ..Config::default() }, topology, move |sim| async move {
        let (a, b) = (sim.topology.host("a").unwrap(), sim.topology.host("b").unwrap());
        let address = (sim.topology.pod_address("b").unwrap(), 0).into();
        let pair = Pair { client: sim.network(a), server: sim.network(b), address };
        let answer = timeout(Duration::from_secs(600), start(name, pair)).await;
        answer.unwrap_or_else(|_| "hangs".to_owned())
    });
    outcome.map_or_else(|broken| format!("broken: {broken}"), |outcome| outcome.value)
}

fn on_real_sockets(name: &'static str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let pair = Pair { client: RealNetwork, server: RealNetwork, address: ([127, 0, 0, 1], 0).into() };
    runtime.block_on(async {
        timeout(Duration::from_secs(60), start(name, pair)).await.unwrap_or_else(|_| "hangs".into())
    })
}

#[test]
fn the_simulator_answers_as_loopback_does() {
    let mut different = String::new();
    for name in ROWS {
        let real = on_real_sockets(name);
        for seed in 0..SEEDS {
            let simulated = on_the_simulator(name, seed);
            if simulated != real {
                writeln!(different, "{name} (seed {seed})\n  real      {real}\n  simulated {simulated}")
                    .unwrap();
                break;
            }
        }
    }
    assert!(ROWS.len() >= 25, "the table has {} rows", ROWS.len());
    assert!(different.is_empty(), "the kernels differ:\n{different}");
}
