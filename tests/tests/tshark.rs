//! Capture files are read by an independent program: Wireshark's tshark finds the app's TLS inside the mesh's.

#[path = "../../harness/src/observe/tls/tests/duet.rs"]
mod duet;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use duet::{Authority, Duet, Flights, Setup};
use harness::dataplane::reference::Reference;
use harness::observe::pcapng;
use harness::observe::wire::{Capture, CapturedPacket};
use harness::scenario::{self, Link};
use harness::sim::run::Config;
use harness::suite::Suite;

const SYN: u8 = 2;
const ACK: u8 = 16;

/// Packets of one connection that carries these flights, cut as TCP might.
fn packets(flights: &Flights) -> Vec<CapturedPacket> {
    let client = "10.0.0.1:40000".parse().expect("an address");
    let server = "10.0.0.2:15000".parse().expect("an address");
    let mut packets: Vec<CapturedPacket> = Vec::new();
    let mut next = [1000, 5000];
    let mut push = |forward: bool, flags: u8, payload: &[u8]| {
        let [own, other] = if forward { [0, 1] } else { [1, 0] };
        packets.push(CapturedPacket {
            at: packets.len() as u64 * 1_000_000,
            link: 0,
            forward,
            src: if forward { client } else { server },
            dst: if forward { server } else { client },
            seq: next[own],
            ack: if flags & ACK == 0 { 0 } else { next[other] },
            flags,
            window: 65_535,
            len: u32::try_from(payload.len()).expect("short"),
            payload: Bytes::copy_from_slice(payload),
            dropped: false,
        });
        next[own] += u32::from(flags & SYN != 0) + u32::try_from(payload.len()).expect("short");
    };
    push(true, SYN, b"");
    push(false, SYN | ACK, b"");
    push(true, ACK, b"");
    for (forward, bytes) in flights {
        bytes.chunks(700).for_each(|part| push(*forward, ACK, part));
    }
    packets
}

/// What tshark prints; `None` when it is not there and need not be.
fn tshark(file: &Path, arguments: &[&str]) -> Option<String> {
    let ran = Command::new("tshark").arg("-r").arg(file).args(arguments).output();
    let output = match ran {
        Ok(output) => output,
        Err(error) if std::env::var_os("CI").is_some() => {
            panic!("tshark is needed in CI and can't be run: {error}")
        }
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "a test that was not run must say so")]
            {
                eprintln!("NOT RUN: tshark can't be run: {error}");
            }
            return None;
        }
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tshark failed: {errors}");
    Some(String::from_utf8(output.stdout).expect("text"))
}

/// A case of the suite, recorded: the mesh layer between the sidecars is decrypted, and inside it stands the ClientHello that the app wrote on its
/// own link.
#[test]
fn tshark_decrypts_a_recorded_case() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let suite = Suite::open(&root, "reference").expect("the suite");
    let file = suite.scenarios().join("tls/passthrough.yaml");
    let case = scenario::load(&file).expect("the scenario").remove(0);
    let result = suite.run(&case, Arc::new(Reference), &Config::default());
    let capture = result.case.expect("it ran").capture;
    let link = |from: &str, to: &str| {
        let wanted = Link { from: from.into(), to: to.into() };
        let index = capture.links.iter().position(|link| *link == wanted).expect("the link");
        u32::try_from(index).expect("few links")
    };
    let app_link = link("web", "web.proxy");
    let own = capture
        .packets
        .iter()
        .find(|packet| packet.link == app_link && packet.forward && !packet.payload.is_empty());
    let hello = &own.expect("the app speaks").payload;
    assert_eq!(hello[..2], [0x16, 0x03], "a TLS handshake record");

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("capture.pcapng");
    let out = std::fs::File::create(&path).expect("a file");
    pcapng::write(&capture, pcapng::BASE, out).expect("written");

    let mesh = "frame.interface_name == \"web.proxy->backend.proxy\" && tls.handshake.type == 1";
    let Some(streams) = tshark(&path, &["-Y", mesh, "-T", "fields", "-e", "tcp.stream"]) else { return };
    let stream = streams.lines().next().expect("a mesh TLS connection").trim();
    let inside = tshark(&path, &["-q", "-z", &format!("follow,tls,raw,{stream}")]).expect("it ran before");
    let inside: String = inside.split_whitespace().collect();
    let hello: String = hello.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(inside.contains(&hello), "the app's ClientHello is not inside:\n{inside}");
}

#[test]
fn tshark_finds_tls_inside_tls() {
    let authority = Authority::new();
    let (web, mesh) = (authority.issue(&["spiffe://default/web"]), authority.issue(&["mesh.example"]));
    let app = authority.issue(&["app.example"]);
    for version in ["1.2", "1.3"] {
        let inner_setup = Setup::new(&authority, &app, "1.3");
        let mut inner = inner_setup.duet("app.example");
        inner.pump();
        inner.say(true, b"hello from the app");
        inner.close();
        let mut setup = Setup::new(&authority, &mesh, version);
        setup.client = Some(&web);
        let mut outer: Duet = setup.duet("mesh.example");
        outer.pump();
        for (client, bytes) in &inner.flights {
            outer.say(*client, bytes);
        }
        outer.close();
        let capture = Capture {
            links: vec![Link { from: "web.proxy".into(), to: "backend.proxy".into() }],
            packets: packets(&outer.flights),
            key_log: [setup.keys.all(), inner_setup.keys.all()].concat(),
            bound: 1 << 24,
        };
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("capture.pcapng");
        let file = std::fs::File::create(&path).expect("a file");
        pcapng::write(&capture, pcapng::BASE, file).expect("written");

        let checked = ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"];
        let bad = [&checked[..], &["-Y", "_ws.malformed || _ws.expert.severity >= 6291456"]].concat();
        let Some(bad) = tshark(&path, &bad) else { return };
        assert_eq!(bad, "", "{version}");

        let fields =
            ["-Y", "tls.handshake.type == 1", "-T", "fields", "-e", "tls.handshake.extensions_server_name"];
        let names = tshark(&path, &fields).expect("it ran before");
        assert!(names.contains("mesh.example"), "{version}: {names}");

        let inside = tshark(&path, &["-q", "-z", "follow,tls,raw,0"]).expect("it ran before");
        let hello: String = inner.flights[0].1.iter().map(|byte| format!("{byte:02x}")).collect();
        let inside: String = inside.split_whitespace().collect();
        assert!(inside.contains(&hello), "{version}: no inner ClientHello in {inside}");

        let frames = ["-T", "fields", "-e", "frame.interface_name", "-e", "frame.time_epoch", "-c", "1"];
        let frames = tshark(&path, &frames).expect("it ran before");
        assert!(frames.starts_with("web.proxy->backend.proxy\t1893456000"), "{frames}");
    }
}
