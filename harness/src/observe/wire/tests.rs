//! Hand-made packets; the numbers are those of the TCP header (RFC 9293).

use bytes::Bytes;

use super::super::tls::tests::duet::{Authority, Setup};
use super::*;

const PSH: u8 = 8;

/// Makes packets between `web.proxy` (10.0.0.1) and `backend.proxy` (10.0.0.2), the link's first and second host.
#[derive(Default)]
struct Maker(Capture);

impl Maker {
    fn new() -> Self {
        let link = Link { from: "web.proxy".into(), to: "backend.proxy".into() };
        Self(Capture { links: vec![link], bound: 1 << 24, ..Capture::default() })
    }

    fn packet(
        &mut self,
        forward: bool,
        ports: (u16, u16),
        seq: u32,
        flags: u8,
        payload: &[u8],
    ) -> &mut CapturedPacket {
        let (web, backend) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let (web, backend) = (SocketAddrV4::new(web, ports.0), SocketAddrV4::new(backend, ports.1));
        let (src, dst) = if forward { (web, backend) } else { (backend, web) };
        let at = self.0.packets.len() as u64 * 1_000_000;
        self.0.packets.push(CapturedPacket {
            at,
            link: 0,
            forward,
            src,
            dst,
            seq,
            ack: 0,
            flags,
            window: 65_535,
            len: payload.len() as u32,
            payload: Bytes::copy_from_slice(payload),
            dropped: false,
        });
        self.0.packets.last_mut().expect("just pushed")
    }

    /// A connection of `web.proxy`, with sequence numbers from 100 and 500 on.
    fn open(&mut self, ports: (u16, u16)) {
        self.packet(true, ports, 100, SYN, b"");
        self.packet(false, ports, 500, SYN | ACK, b"");
        self.packet(true, ports, 101, ACK, b"");
    }

    fn read(&self) -> Vec<WireConnection> {
        read(&self.0, |_| true)
    }
}

const PORTS: (u16, u16) = (40_000, 80);

fn plain(forward: &[u8], back: &[u8]) -> Layer {
    Layer::Plain { forward: forward.to_vec(), back: back.to_vec() }
}

#[test]
fn one_connection_with_its_bytes() {
    let mut maker = Maker::new();
    maker.open(PORTS);
    maker.packet(true, PORTS, 101, PSH | ACK, b"hello");
    maker.packet(true, PORTS, 101, PSH | ACK, b"hello");
    maker.packet(false, PORTS, 501, PSH | ACK, b"hi");
    maker.packet(true, PORTS, 106, FIN | ACK, b"");
    assert_eq!(
        maker.read(),
        [WireConnection {
            link: Link { from: "web.proxy".into(), to: "backend.proxy".into() },
            opened: 0,
            established: true,
            syns: 1,
            bytes: 5,
            bytes_back: 2,
            layer: plain(b"hello", b"hi"),
        }]
    );
}

#[test]
fn only_what_is_asked_for_is_read() {
    let mut maker = Maker::new();
    maker.open(PORTS);
    let over = |from: &str| read(&maker.0, |link| link.from == from).len();
    assert_eq!((over("web.proxy"), over("backend.proxy")), (1, 0));
}

#[test]
fn requests_bear_the_time_of_their_packets() {
    let mut maker = Maker::new();
    maker.open(PORTS);
    maker.packet(true, PORTS, 101, ACK, b"GET / HTTP/1.1\r\n");
    maker.packet(true, PORTS, 117, ACK, b"\r\n");
    maker.packet(false, PORTS, 501, ACK, b"HTTP/1.1 204 No Content\r\n\r\n");
    let connections = maker.read();
    let Layer::Http(view) = &connections[0].layer else { panic!("no HTTP") };
    let [exchange] = view.exchanges.as_slice() else { panic!("one") };
    assert_eq!(exchange.at, 4_000_000);
    assert_eq!(exchange.answer.as_ref().map(|answer| answer.at), Some(5_000_000));
}

#[test]
fn the_link_is_named_from_the_opener() {
    let mut maker = Maker::new();
    maker.packet(false, PORTS, 7, SYN, b"");
    maker.packet(true, PORTS, 8, SYN | ACK, b"");
    maker.packet(false, PORTS, 8, ACK, b"from backend");
    let connections = maker.read();
    assert_eq!(connections[0].link, Link { from: "backend.proxy".into(), to: "web.proxy".into() });
    assert_eq!(connections[0].layer, plain(b"from backend", b""));
}

#[test]
fn what_was_never_answered_is_an_attempt() {
    let mut maker = Maker::new();
    maker.packet(true, PORTS, 100, SYN, b"").dropped = true;
    maker.packet(true, PORTS, 100, SYN, b"").dropped = true;
    maker.packet(true, (40_001, 80), 100, SYN, b"");
    maker.packet(false, (40_001, 80), 0, RST | ACK, b"");
    let seen: Vec<_> = maker.read().iter().map(|c| (c.established, c.syns, c.layer.clone())).collect();
    assert_eq!(seen, [(false, 2, Layer::Empty), (false, 1, Layer::Empty)]);
}

#[test]
fn dropped_packets_carry_nothing() {
    let mut maker = Maker::new();
    maker.open(PORTS);
    maker.packet(true, PORTS, 101, ACK, b"xxxxx").dropped = true;
    maker.packet(true, PORTS, 101, ACK, b"hello");
    let connections = maker.read();
    assert_eq!((connections[0].bytes, &connections[0].layer), (5, &plain(b"hello", b"")));
    let mut maker = Maker::new();
    maker.packet(true, PORTS, 100, SYN, b"");
    maker.packet(false, PORTS, 500, SYN | ACK, b"").dropped = true;
    assert!(!maker.read()[0].established);
}

#[test]
fn ports_may_be_used_again() {
    for end in [&[(true, FIN | ACK), (false, FIN | ACK)][..], &[(false, RST)][..]] {
        let mut maker = Maker::new();
        maker.open(PORTS);
        for (forward, flags) in end {
            maker.packet(*forward, PORTS, if *forward { 101 } else { 501 }, *flags, b"");
        }
        // The same sequence numbers: a simulator may well begin with the same ones.
        maker.open(PORTS);
        maker.packet(true, PORTS, 101, ACK, b"second");
        let seen: Vec<_> = maker.read().into_iter().map(|c| (c.opened, c.layer)).collect();
        let reopened = (3 + end.len() as u64) * 1_000_000;
        assert_eq!(seen, [(0, Layer::Empty), (reopened, plain(b"second", b""))]);
    }
    // After a crash nothing says that the first is over, but its data does.
    let mut maker = Maker::new();
    maker.open(PORTS);
    maker.packet(true, PORTS, 101, ACK, b"first");
    maker.open(PORTS);
    maker.packet(true, PORTS, 101, ACK, b"second");
    let seen: Vec<_> = maker.read().into_iter().map(|c| c.layer).collect();
    assert_eq!(seen, [plain(b"first", b""), plain(b"second", b"")]);
}

#[test]
fn connections_side_by_side_do_not_mix() {
    let mut maker = Maker::new();
    maker.open(PORTS);
    maker.open((40_001, 80));
    maker.packet(true, (40_001, 80), 101, ACK, b"b");
    maker.packet(true, PORTS, 101, ACK, b"a");
    let seen: Vec<_> = maker.read().into_iter().map(|c| c.layer).collect();
    assert_eq!(seen, [plain(b"a", b""), plain(b"b", b"")]);
}

#[test]
fn packets_of_unknown_connections_and_links_are_no_trouble() {
    let mut maker = Maker::new();
    maker.packet(true, PORTS, 101, ACK, b"middle");
    assert_eq!(maker.read(), []);
    maker.packet(true, PORTS, 100, SYN, b"").link = 9;
    assert_eq!(maker.read()[0].link, Link { from: String::new(), to: String::new() });
}

#[test]
fn tls_is_read_from_packets() {
    let authority = Authority::new();
    let server = authority.issue(&["a.example"]);
    let setup = Setup::new(&authority, &server, "1.3");
    let mut duet = setup.duet("a.example");
    duet.pump();
    duet.say(true, b"hello");
    duet.close();

    let mut maker = Maker::new();
    maker.0.key_log = setup.keys.all();
    maker.open(PORTS);
    let mut next = [101, 501];
    for (client, bytes) in &duet.flights {
        for part in bytes.chunks(13) {
            let seq = &mut next[usize::from(!client)];
            maker.packet(*client, PORTS, *seq, ACK, part);
            *seq += part.len() as u32;
        }
    }
    let connections = maker.read();
    let Layer::Tls(view) = &connections[0].layer else { panic!("no TLS") };
    assert_eq!(view.inner, Ok(plain(b"hello", b"")));
    assert_eq!(view.alerts, [(true, 0), (false, 0)]);
}
